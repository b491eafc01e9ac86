"""Real text for the tests, where it is found."""

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
