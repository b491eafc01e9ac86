"""A small text and a run on it that many tests look at."""

from pathlib import Path

import pytest
from command_line import TINY, Outcome, jaxseq, prose


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where commands are typed; holds text.txt."""
    (tmp_path / "text.txt").write_text(prose(), encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A folder with a finished run runs/tiny, not to be changed, and what its command came to."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "text.txt").write_text(prose(), encoding="utf-8")
    outcome = jaxseq("train", "--name", "tiny", *TINY, folder=folder)
    assert outcome.code == 0, outcome.err
    return folder, outcome
