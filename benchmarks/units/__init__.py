"""Jamo, syllables, pieces and morphemes compared on Korean film reviews: see `benchmarks.units.__main__`."""
