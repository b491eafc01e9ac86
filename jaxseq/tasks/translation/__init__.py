"""Sequence to sequence: what a source becomes, token by token."""
