"""What encoders learn from text alone before they have a task."""
