"""Texts to predict for: as many as there are lines or records."""

import gzip
import io
import json
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data import open_records, read_records, record_format
from jaxseq.errors import InputError

LINES = st.lists(st.text(st.sampled_from('ab 한\t",\u2028\x0b'), max_size=9), max_size=9)


def records(data, form, **options):
    return list(read_records(io.BytesIO(data), form=form, place="in", **options))


@given(texts=LINES, end=st.sampled_from(["\n", "\r\n"]))
def test_every_line_is_a_text_empty_ones_too(texts, end):
    """fastText#344, fastText#97: fewer predictions than lines."""
    data = "".join(text + end for text in texts).encode()
    assert records(data, "text") == texts


@given(texts=LINES)
def test_a_missing_end_of_the_last_line_changes_nothing(texts):
    """fastText#435."""
    texts = [*texts, "last"]
    whole = "".join(text + "\n" for text in texts).encode()
    assert records(whole, "text") == records(whole[:-1], "text") == texts
    table = b"text\n" + whole.replace(b"\t", b" ")
    assert records(table, "tsv") == records(table[:-1], "tsv")
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
    assert records(lines, "jsonl") == records(lines[:-1], "jsonl") == texts


def test_every_record_of_a_table_is_a_text_empty_lines_too():
    assert records(b'id,text\n1,"a\nb"\n\n2,\n', "csv") == ["a\nb", "", ""]
    assert records(b"id\tbody\n1\ta\n\n", "tsv", text_column="body") == ["a", ""]
    assert records(b'{"text": "a"}\n\n{"text": "b"}', "jsonl") == ["a", "", "b"]
    assert records(b"text\n", "csv") == records(b"", "text") == []


@pytest.mark.parametrize(
    ("data", "form", "message"),
    [
        (b"a\nb\n\xff\n", "text", "in, line 3 is not valid utf-8"),
        (b'{"text": "a"}\n{"txt": "b"}\n', "jsonl", "in, line 2 has no 'text', its columns are txt"),
        (b"text,label\na,1\nb\n", "csv", "in, line 3 has 1 field"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_line(data, form, message):
    with pytest.raises(InputError) as caught:
        records(data, form)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_is_read_by_its_name_and_standard_input_as_text(tmp_path, monkeypatch):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"text\nx\n"))
    (tmp_path / "b.txt").write_bytes(b"text\nx")
    assert list(open_records(str(tmp_path / "a.csv.gz"))) == ["x"]
    assert list(open_records(str(tmp_path / "b.txt"))) == ["text", "x"]
    assert list(open_records(str(tmp_path / "b.txt"), form="csv")) == ["x"]
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(b"p\nq\n")))
    assert list(open_records("-")) == ["p", "q"]
    assert [record_format(name) for name in ("-", "a", "a.jsonl", "a.TSV.xz")] == ["text", "text", "jsonl", "tsv"]


def test_what_is_no_file_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"text" * 99)[:-9])
    for source, message in [
        (str(tmp_path / "none.txt"), "none.txt cannot be read (No such file or directory)"),
        (str(tmp_path), "is a folder: give a file with a text on each line"),
        (str(tmp_path / "cut.gz"), "cut.gz is damaged"),
        ("", "'' is no name of a file"),
        ("a\0b", "'a\\x00b' is no name of a file"),
        ("-", "standard input is closed"),
    ]:
        with pytest.raises(InputError) as caught:
            list(open_records(source))
        assert message in str(caught.value)
