"""Scoring a study: device, scorer, stream, result, heatmaps."""
