"""Trains MS-IQA: the loss, the distortions, the data, the runs."""
