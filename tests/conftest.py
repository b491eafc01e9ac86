"""Beside the helper modules (laws.py, subjects.py), so that pytest makes them importable from every test."""
