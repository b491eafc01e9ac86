"""Sequence models in JAX, from raw text to samples, with every piece of state in your hands."""

__version__ = "0.1.0"
