"""Real text for the tests, where it is found."""

import lzma
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shakespeare(data_folder: Path) -> str:
    return (data_folder / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def reviews(data_folder: Path) -> str:
    """12 MB of Korean film reviews, one a line."""
    with lzma.open(data_folder / "nsmc" / "nsmc_reviews_lm.txt.xz", "rt", encoding="utf-8", newline="") as file:
        return file.read()
