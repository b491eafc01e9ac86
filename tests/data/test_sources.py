"""Every kind of source, and every way in which one can be unusable."""

import gzip
import io
import lzma
import os
import sys
import zipfile
from pathlib import Path
from pydoc_data.topics import topics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data import read_documents, read_pieces, source_fingerprint
from jaxseq.data.files import decode
from jaxseq.data.sources import waits
from jaxseq.errors import InputError
from jaxseq.text import normalize

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


@pytest.mark.parametrize("suffix", ["", ".txt", ".gz", ".xz", ".zip", ".GZ"])
def test_a_file_is_read_as_it_is_compressed(tmp_path, suffix):
    path = tmp_path / f"verse{suffix}"
    data = VERSE.encode()
    if suffix == ".zip":
        write_zip(path, {"verse.log": data}, compression=zipfile.ZIP_DEFLATED)
    else:
        path.write_bytes({".gz": gzip.compress, ".xz": lzma.compress}.get(suffix.lower(), bytes)(data))
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


PIECES = st.lists(st.text(st.sampled_from("ab \n\r\té가ſ\u0301\u1112\u1161"), min_size=1), min_size=1).map("".join)


@settings(deadline=None, max_examples=100)
@given(text=PIECES, size=st.integers(1, 9), encoding=st.sampled_from(["utf-8", "utf-16", "utf-32-le"]))
def test_pieces_add_up_to_the_text_whatever_their_size(text, size, encoding):
    pieces = list(decode(io.BytesIO(text.encode(encoding)), place="here", encoding=encoding, piece_size=size))
    assert "".join(pieces) == text
    assert all(pieces)


@settings(deadline=None, max_examples=100)
@given(
    words=st.lists(st.text("abÉΣſ\u0301", min_size=1, max_size=6), min_size=1),
    gaps=st.lists(st.sampled_from([" ", "\n", "\r\n", "\n\n  ", " \t "]), min_size=1),
    size=st.integers(20, 40),
)
def test_normalising_pieces_gives_what_normalising_the_whole_gives(words, gaps, size):
    text = "".join(word + gaps[i % len(gaps)] for i, word in enumerate(words))
    pieces = list(decode(io.BytesIO(text.encode()), place="here", encoding="utf-8", piece_size=size))
    for name, function in normalize.NORMALIZERS.items():
        assert "".join(map(function, pieces)) == function(text), name


def test_large_files_come_in_pieces_that_tell_where_a_document_starts(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("All the world's a stage,\n" * 1000)
    pieces = list(read_pieces(str(tmp_path), piece_size=1000))
    assert [i for i, piece in enumerate(pieces) if piece.starts_document] == [0, len(pieces) // 2]
    assert all(len(piece.text) <= 1025 and piece.text.endswith("stage,\n") for piece in pieces)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16", "ascii"])
@pytest.mark.parametrize("size", [1, 3, 7, 2**20])
def test_an_invalid_byte_is_named_with_its_offset(encoding, size):
    valid = ("good text 가나다 " if encoding != "ascii" else "good text").encode(encoding)
    bad = b"\x00\xd8\x00\x00" if encoding == "utf-16" else b"\xff"
    with pytest.raises(InputError) as caught:
        list(decode(io.BytesIO(valid + bad + b"more"), place="poem.txt", encoding=encoding, piece_size=size))
    assert f"poem.txt is not valid {encoding}: byte 0x{bad[0]:02x} at offset {len(valid)}" in str(caught.value)
    assert "--data.encoding" in str(caught.value)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
def test_the_offset_counts_uncompressed_bytes_from_the_start_of_the_file(tmp_path, compress):
    suffix = {gzip.compress: ".gz", lzma.compress: ".xz"}.get(compress, "")
    path = tmp_path / f"large.txt{suffix}"
    path.write_bytes(compress(b"x" * 2_500_000 + b"\xc3(" + b"y" * 100))
    assert "byte 0xc3 at offset 2500000 (invalid continuation byte)" in refusal(path)


def test_a_character_cut_off_at_the_end_is_invalid(tmp_path):
    (tmp_path / "cut.txt").write_bytes("한글".encode()[:-1])
    assert "byte 0xea at offset 3 (unexpected end of data)" in refusal(tmp_path / "cut.txt")


def test_an_encoding_nobody_knows_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    assert "unknown encoding: utf-9" in refusal(tmp_path / "a.txt", encoding="utf-9")
    assert "not a text encoding" in refusal(tmp_path / "a.txt", encoding="hex")


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


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zip"])
@pytest.mark.parametrize("damage", ["cut short", "changed inside", "something else"])
def test_a_damaged_archive_is_refused(tmp_path, suffix, damage):
    path = tmp_path / f"poem.txt{suffix}"
    text = os.urandom(5000).hex()
    if suffix == ".zip":
        write_zip(path, {"poem.txt": text}, compression=zipfile.ZIP_DEFLATED)
    else:
        path.write_bytes((gzip if suffix == ".gz" else lzma).compress(text.encode()))
    data = bytearray(path.read_bytes())
    if damage == "cut short":
        data = data[: len(data) // 2]
    elif damage == "changed inside":
        data[len(data) // 2] ^= 0xFF
    else:
        data = bytearray(b"this is plain text")
    path.write_bytes(data)
    assert f"{path} is damaged, or not what its name says" in refusal(path)


def test_archives_of_files_and_locked_ones_are_refused(tmp_path):
    (tmp_path / "books.tar.xz").write_bytes(b"")
    assert "unpack it and give the folder" in refusal(tmp_path / "books.tar.xz")
    write_zip(tmp_path / "z.zip", {"a.csv": "1", "b.csv": "2"})
    assert "holds 2 files, none of them .txt" in refusal(tmp_path / "z.zip")
    data = bytearray((tmp_path / "z.zip").read_bytes())
    write_zip(tmp_path / "locked.zip", {"a.txt": "1"})
    data = bytearray((tmp_path / "locked.zip").read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag that says a member is encrypted
    (tmp_path / "locked.zip").write_bytes(data)
    assert "is locked with a password" in refusal(tmp_path / "locked.zip")


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
    path.write_text("first, and more\n")
    assert source_fingerprint(str(path)) != before
    assert source_fingerprint("python-manual") == source_fingerprint("python-manual")


def test_standard_input_has_no_fingerprint():
    with pytest.raises(InputError, match="can be read only once"):
        source_fingerprint("-")


def test_standard_input_that_cannot_be_read_is_told(monkeypatch):
    with open(os.open(os.devnull, os.O_WRONLY)) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with pytest.raises(InputError, match="standard input cannot be read"):
            list(read_pieces("-"))


def test_what_may_keep_its_reader_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    assert all(map(waits, ("-", str(tmp_path / "pipe"))))
    assert not any(map(waits, (str(tmp_path / "file"), "tfds:x", "x" * 300, "nowhere", "python-manual")))
