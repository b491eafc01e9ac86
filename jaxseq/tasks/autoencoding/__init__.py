"""Pictures through a small code and back."""
