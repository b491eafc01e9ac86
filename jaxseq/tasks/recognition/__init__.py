"""Recognition: which of two classes something is of."""
