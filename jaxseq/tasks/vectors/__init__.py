"""Vectors of words, items and whole texts, learned from what stands near them."""
