"""The class of a text, out of two or many."""
