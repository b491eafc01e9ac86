"""Captions of pictures, written word by word by a model that looks at them."""
