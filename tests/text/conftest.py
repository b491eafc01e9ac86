"""Real text for the tests, where it is found."""

import lzma
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of published data sets: JAXSEQ_DATA, or ../shared/data beside the repository."""
    folder = Path(os.environ.get("JAXSEQ_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set JAXSEQ_DATA")
    return folder


@pytest.fixture(scope="session")
def shakespeare(data_folder: Path) -> str:
    return (data_folder / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def reviews(data_folder: Path) -> str:
    """12 MB of Korean film reviews, one a line."""
    with lzma.open(data_folder / "nsmc" / "nsmc_reviews_lm.txt.xz", "rt", encoding="utf-8", newline="") as file:
        return file.read()
