"""Real text for the tests, where it is found."""

import lzma
import tarfile
from itertools import islice
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


@pytest.fixture(scope="session")
def plays(data_folder: Path) -> str:
    """Caesar, Hamlet and Macbeth."""
    names = ("caesar", "hamlet", "macbeth")
    folder = data_folder / "gutenberg_plays"
    return "".join((folder / f"shakespeare-{name}.txt").read_text(encoding="latin-1") for name in names)


@pytest.fixture(scope="session")
def films(data_folder: Path) -> list[str]:
    """1,000 English film reviews."""
    with tarfile.open(data_folder / "aclImdb" / "aclImdb.tar.xz", "r|xz") as archive:
        files = (archive.extractfile(one) for one in archive if one.isfile() and "/pos/" in one.name)
        return [file.read().decode("utf-8") for file in islice(files, 1000) if file is not None]


@pytest.fixture(scope="session")
def korean_films(data_folder: Path) -> list[str]:
    """10,000 Korean film reviews, empty ones among them."""
    with lzma.open(data_folder / "nsmc" / "ratings_train.txt.xz", "rt", encoding="utf-8", newline="") as file:
        return [line.split("\t")[1] for line in islice(file, 1, 10_001)]
