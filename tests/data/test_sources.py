"""Every kind of source, and every way in which one can be unusable."""

import bz2
import gzip
import io
import lzma
import os
import sys
import time
import zipfile
from pathlib import Path
from pydoc_data.topics import topics

import pytest

from jaxseq.data import read_documents, read_pieces, source_fingerprint
from jaxseq.data.sources import waits
from jaxseq.errors import InputError

VERSE = "To be, or not to be:\nthat is the queſtion 한글\n"


def refusal(source, **options):
    with pytest.raises(InputError) as caught:
        list(read_documents(str(source), **options))
    message = str(caught.value)
    assert "\n" not in message
    return message


def write_zip(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, text in members.items():
            archive.writestr(name, text)


@pytest.fixture
def folder(tmp_path):
    """Three documents and things that are none, in every form of storage."""
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "a.txt").write_text("first\n")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "SOURCE.md").write_text("not text to train on")
    (tmp_path / ".hidden" / "x.txt").write_text("hidden")
    (tmp_path / "b" / "deep" / "c.txt.gz").write_bytes(gzip.compress(b"second\n"))
    (tmp_path / "d.TXT.xz").write_bytes(lzma.compress(b"third\n"))
    return tmp_path


@pytest.mark.parametrize("suffix", ["", ".txt", ".gz", ".xz", ".bz2", ".zip", ".GZ"])
def test_a_file_is_read_as_it_is_compressed(tmp_path, suffix):
    path = tmp_path / f"verse{suffix}"
    data = VERSE.encode()
    if suffix == ".zip":
        write_zip(path, {"verse.log": data}, compression=zipfile.ZIP_DEFLATED)
    else:
        path.write_bytes(
            {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}.get(suffix.lower(), bytes)(data)
        )
    assert list(read_documents(str(path))) == [VERSE]


def test_a_folder_stands_for_the_text_files_below_it_in_order(folder):
    assert list(read_documents(str(folder))) == ["first\n", "second\n", "third\n"]


def test_a_glob_stands_for_every_file_it_matches(folder):
    assert list(read_documents(f"{folder}/*.[tm]*")) == ["not text to train on", "first\n"]
    assert list(read_documents(f"{folder}/**/*.gz")) == ["second\n"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path):
    (tmp_path / "draft [1].txt").write_text(VERSE)
    assert list(read_documents(str(tmp_path / "draft [1].txt"))) == [VERSE]


def test_a_zip_holds_one_document_for_each_text_member(tmp_path):
    write_zip(tmp_path / "z.zip", {"b.txt": "second", "a.txt": "first", "read.me": "no", "dir/": ""})
    assert list(read_documents(str(tmp_path / "z.zip"))) == ["first", "second"]


def test_standard_input_is_one_document(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(VERSE.encode())))
    assert list(read_documents("-")) == [VERSE]


def test_the_manual_is_one_document_of_all_topics():
    (text,) = read_documents("python-manual")
    assert 400_000 < len(text) < 800_000
    position = -1
    for name in sorted(topics):
        position = text.index(topics[name], position + 1)
    assert '\n\nThe "with" statement\n****' in text


def test_real_files_come_out_as_published(data_folder):
    (shakespeare,) = read_documents(str(data_folder / "tinyshakespeare" / "input.txt"))
    assert (len(shakespeare), len(set(shakespeare))) == (1_115_394, 65)
    plays = list(read_documents(f"{data_folder}/gutenberg_plays/*.txt", encoding="latin-1"))
    assert [len(play) for play in plays] == [112_310, 162_881, 100_351]
    assert list(read_documents(str(data_folder / "gutenberg_plays"), encoding="latin-1")) == plays
    (words,) = read_documents(str(data_folder / "text8" / "text8.first3000000.xz"))
    assert len(words) == 3_000_000
    _about, pairs = read_documents(str(data_folder / "tatoeba" / "fra-eng.zip"))
    assert pairs.count("\n") == 142_787


def test_large_files_come_in_pieces_that_tell_where_a_document_starts(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("All the world's a stage,\n" * 1000)
    pieces = list(read_pieces(str(tmp_path), piece_size=1000))
    assert [i for i, piece in enumerate(pieces) if piece.starts_document] == [0, len(pieces) // 2]
    assert all(len(piece.text) <= 1025 and piece.text.endswith("stage,\n") for piece in pieces)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
def test_the_offset_counts_uncompressed_bytes_from_the_start_of_the_file(tmp_path, compress):
    suffix = {gzip.compress: ".gz", lzma.compress: ".xz"}.get(compress, "")
    path = tmp_path / f"large.txt{suffix}"
    path.write_bytes(compress(b"x" * 2_500_000 + b"\xc3(" + b"y" * 100))
    assert "byte 0xc3 at offset 2500000 (invalid continuation byte)" in refusal(path)


def test_a_character_cut_off_at_the_end_is_invalid(tmp_path):
    (tmp_path / "cut.txt").write_bytes("한글".encode()[:-1])
    assert "byte 0xea at offset 3 (unexpected end of data)" in refusal(tmp_path / "cut.txt")


def test_what_is_not_there_is_named_with_the_kinds_of_source(tmp_path):
    assert f"there is no file or folder {tmp_path}/none.txt" in refusal(tmp_path / "none.txt")
    assert f"no file matches {tmp_path}/*.txt" in refusal(tmp_path / "*.txt")
    assert '"python-manual" or "tfds:NAME"' in refusal(tmp_path / "none.txt")


def test_an_empty_source_is_refused(tmp_path, monkeypatch):
    (tmp_path / "empty.txt").write_text("")
    assert "empty.txt is empty" in refusal(tmp_path / "empty.txt")
    assert "is empty" in refusal(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert "standard input is empty" in refusal("-")


def test_a_folder_without_text_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "notes.md").write_text("text")
    assert f'holds no .txt file: name other files by a glob, "{tmp_path}/**/*.md"' in refusal(tmp_path)


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "secret.txt"
    path.write_text("text")

    def refuse(self, *_args, **_options):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)  # chmod stops nobody who runs as root
    assert "secret.txt cannot be read (Permission denied)" in refusal(path)


def test_a_fingerprint_changes_with_the_source_and_only_then(folder):
    path = folder / "a.txt"
    before = source_fingerprint(str(path))
    assert source_fingerprint(str(path)) == before
    assert source_fingerprint(str(path), encoding="latin-1") != before
    assert source_fingerprint(str(folder)) != before
    assert source_fingerprint(str(path), encoding="U8") == before  # the same encoding by another name
    path.write_text("first, and more\n")
    assert source_fingerprint(str(path)) != before
    assert source_fingerprint("python-manual") == source_fingerprint("python-manual")


def test_a_fingerprint_tells_what_only_the_content_or_the_order_tells(tmp_path):
    """Another text of the same size and time, and files that change their places."""
    for name, text in (("a/x.txt", "one\n"), ("b/x.txt", "two\n")):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, ns=(10**18, 10**18))
    before = source_fingerprint(str(tmp_path))
    time.sleep(0.02)  # a file system tells times apart that are some milliseconds apart
    (tmp_path / "a" / "x.txt").write_text("two\n")
    os.utime(tmp_path / "a" / "x.txt", ns=(10**18, 10**18))
    changed = source_fingerprint(str(tmp_path))
    assert changed != before
    (tmp_path / "b").rename(tmp_path / "c")
    assert source_fingerprint(str(tmp_path)) != changed


def test_a_folder_that_may_not_be_looked_into_is_refused_not_left_out(folder, monkeypatch):
    scandir = os.scandir

    def refuse(place):
        if str(place).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(place))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refuse)
    assert "cannot be looked up (Permission denied)" in refusal(folder)


@pytest.mark.parametrize("source", ["a\0b.txt", "\ud800.txt", "x" * 5000, "~nobody-of-this-name/x"])
def test_a_name_that_no_file_can_have_is_refused(source):
    assert "cannot be looked up" in refusal(source) or "is no name of a file" in refusal(source)


def test_what_does_not_print_in_a_name_is_escaped(tmp_path):
    (tmp_path / "a\n\x1b[31m.txt").write_bytes(b"\xff")
    assert "a\\n\\x1b[31m.txt is not valid utf-8" in refusal(tmp_path)


def test_standard_input_that_cannot_be_read_is_refused(tmp_path, monkeypatch):
    class Folder(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            raise IsADirectoryError(21, "Is a directory")

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Folder())))
    assert "standard input cannot be read (Is a directory)" in refusal("-")


def test_a_wrong_encoding_is_told_for_a_source_that_has_none(monkeypatch):
    assert "unknown encoding: utf-9" in refusal("python-manual", encoding="utf-9")


def test_standard_input_has_no_fingerprint():
    with pytest.raises(InputError, match="can be read only once"):
        source_fingerprint("-")


def test_what_may_keep_its_reader_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    assert all(map(waits, ("-", str(tmp_path / "pipe"))))
    assert not any(map(waits, (str(tmp_path / "file"), "tfds:x", "x" * 300, "nowhere", "python-manual")))
