"""docs/weights-from-elsewhere.md: its code and its commands are run, in the order they stand in."""

import contextlib
import shlex

import pytest
from command_line import jaxseq, prose
from pages import blocks, read_page, run, sections

pytest.importorskip("torch")
pytest.importorskip("keras")
pytest.importorskip("h5py")

PAGE = sections(read_page("weights-from-elsewhere.md"))


def test_a_model_of_pytorchs_comes_in_and_goes_back(tmp_path):
    section = PAGE["From PyTorch, and back"]
    there, config, back = blocks(section)
    (commands,) = blocks(section, "console")
    (tmp_path / "text.txt").write_text(prose())
    (tmp_path / "mine.py").write_text(config)
    names = {}
    with contextlib.chdir(tmp_path):
        run(there, names)
    for line in commands.splitlines():
        outcome = jaxseq(*shlex.split(line)[1:], folder=tmp_path)
        assert outcome.code == 0, outcome.err
    with contextlib.chdir(tmp_path):
        run(back, names)
    assert len(names["differences"]) == 2
    assert max(names["differences"]) < 1e-6


def test_the_layouts_do_what_is_written_beside_them():
    (code,) = blocks(PAGE["From Python"])
    assert run(code, {}) == 2


def test_the_commands_at_the_top_are_there():
    (commands,) = blocks(PAGE[""], "console")
    assert {line.split()[1] for line in commands.splitlines()} == {"import", "export"}
