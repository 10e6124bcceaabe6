"""Images to learn from: the labelled set, and clean slices to distort afresh."""
