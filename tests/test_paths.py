"""Paths as a person types them."""

from pathlib import Path

import pytest

from jaxseq.errors import InputError
from jaxseq.paths import expanded, run_path


def test_a_tilde_stands_for_the_home_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/a/~b") == run_path("~/a/~b") == tmp_path / "a" / "~b"
    assert expanded(Path("a")) == run_path("a") == Path("a")


def test_a_home_that_there_is_not_is_told(monkeypatch):
    with pytest.raises(InputError, match=r"~nobody\.by\.that\.name/x cannot be looked up"):
        expanded("~nobody.by.that.name/x")


def test_a_relative_path_needs_a_working_directory_that_is_there(monkeypatch, tmp_path):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(InputError, match="the working directory has been deleted"):
        run_path("runs/x")
    assert run_path("/runs/x") == Path("/runs/x")
