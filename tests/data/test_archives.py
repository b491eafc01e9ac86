"""Compressed files and archives: which members are text, and each kind of damage in one line."""

import bz2
import gzip
import lzma
import random
import tracemalloc
import warnings
import zipfile
import zlib

import pytest

from jaxseq.data import archives, read_documents, read_pieces
from jaxseq.errors import InputError

PACK = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}
METHODS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED, "bz2": zipfile.ZIP_BZIP2}
METHODS["lzma"] = zipfile.ZIP_LZMA


def write_zip(path, members, method=zipfile.ZIP_DEFLATED):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there twice
        with zipfile.ZipFile(path, "w", compression=method) as archive:
            for name, text in members:
                archive.writestr(name, text)
    return path


def refusal(source):
    with pytest.raises(InputError) as caught:
        list(read_documents(str(source)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def text_or_line(path):
    try:
        return "".join(read_documents(str(path)))
    except InputError as error:
        return error


def test_a_zip_leaves_out_what_a_folder_leaves_out(tmp_path):
    members = [
        ("play.txt", "to be\n"),
        ("__MACOSX/._play.txt", b"\0\5\x16\7"),
        ("__MACOSX/play.txt", "no\n"),
        (".DS_Store", b"\0"),
        (".hidden/x.txt", "no\n"),
        ("b/.x.txt", "no\n"),
        ("x.txt/", ""),
        ("b/y.TXT", "or not\n"),
    ]
    assert list(read_documents(str(write_zip(tmp_path / "z.zip", members)))) == ["or not\n", "to be\n"]
    with zipfile.ZipFile(tmp_path / "z.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    assert list(read_documents(str(tmp_path / "unpacked"))) == ["or not\n", "to be\n"]


def test_the_only_member_is_text_whatever_stands_hidden_beside_it(tmp_path):
    write_zip(tmp_path / "z.zip", [("play.log", "to be\n"), ("__MACOSX/._play.log", b"\0\5"), (".DS_Store", b"\0")])
    assert list(read_documents(str(tmp_path / "z.zip"))) == ["to be\n"]


def test_of_two_members_by_one_name_the_last_is_read_as_it_is_when_unpacked(tmp_path):
    write_zip(tmp_path / "z.zip", [("a.txt", "old\n"), ("b.txt", "b\n"), ("a.txt", "new\n")])
    assert list(read_documents(str(tmp_path / "z.zip"))) == ["new\n", "b\n"]


@pytest.mark.parametrize("method", METHODS)
def test_a_zip_is_read_however_it_is_packed(tmp_path, method):
    text = "To be, or not to be\n" * 20_000
    write_zip(tmp_path / "z.zip", [("a.txt", text)], METHODS[method])
    assert list(read_documents(str(tmp_path / "z.zip"))) == [text]


@pytest.mark.parametrize("method", ["deflated", "bz2", "lzma"])
def test_an_archive_that_unpacks_to_very_much_takes_little_memory_and_is_refused(tmp_path, monkeypatch, method):
    monkeypatch.setattr(archives, "_BOMB_SIZE", 3_000_000)
    path = tmp_path / "z.zip"
    line = b"x" * 99 + b"\n"
    with zipfile.ZipFile(path, "w", compression=METHODS[method]) as archive:
        for name in ("a.txt", "b.txt"):
            with archive.open(name, "w") as member:
                for _ in range(2):
                    member.write(line * 10_000)
    assert path.stat().st_size < 14_000
    count, peak = 0, 2**20
    tracemalloc.start()
    with pytest.raises(InputError) as caught:  # noqa: PT012 (counted up to where it is refused)
        for piece in read_pieces(str(path), piece_size=2**16):
            count += len(piece.text)
    assert "z.zip unpacks to more than 200 times its size, beyond 3,000,000 bytes" in str(caught.value)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 2_900_000 < count <= 3_000_000
    assert peak < (2**21 if method == "deflated" else 2**25)


@pytest.mark.parametrize("suffix", ["gz", "xz", "bz2", "zip"])
@pytest.mark.parametrize("damage", ["cut short", "changed inside", "something else", "emptied"])
def test_a_damaged_archive_is_refused(tmp_path, suffix, damage):
    path = tmp_path / f"poem.txt.{suffix}"
    text = random.Random(0).randbytes(5000).hex()
    if suffix == "zip":
        write_zip(path, [("poem.txt", text)])
    else:
        path.write_bytes(PACK[suffix](text.encode()))
    data = bytearray(path.read_bytes())
    if damage == "cut short":
        data = data[: len(data) // 2]
    elif damage == "changed inside":
        data[len(data) // 2] ^= 0xFF
    else:
        data = bytearray(b"this is plain text" if damage == "something else" else b"")
    path.write_bytes(data)
    message = refusal(path)
    assert f"{path} is damaged, or not what its name says" in message
    if damage == "something else":
        assert "it begins as text" in message


@pytest.mark.parametrize("kind", ["gz", "xz", "bz2", "deflated"])
def test_damage_at_any_byte_is_text_or_one_line(tmp_path, kind):
    """A byte less at every place, and a bit or all of a byte changed."""
    rng = random.Random(1)
    text = "To be, or not to be\n" * 2 + rng.randbytes(9).hex()
    path = tmp_path / f"poem.txt.{kind if kind in PACK else 'zip'}"
    if kind in PACK:
        whole = PACK[kind](text.encode())
    else:
        members = [("a.txt", text), ("é.txt", "short")]
        whole = write_zip(path, members, METHODS[kind]).read_bytes()
    told = 0
    for at in range(len(whole)):
        changes = {whole[at] ^ (1 << rng.randrange(8)), rng.choice((0, 255))}
        for data in (whole[:at], *(whole[:at] + bytes([new]) + whole[at + 1 :] for new in changes)):
            path.write_bytes(data)
            result = text_or_line(path)
            if isinstance(result, InputError):
                told += 1
                assert "\n" not in str(result)
    assert told > len(whole)


def test_names_say_what_they_do_not_hold(tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(lzma.compress(b"text"))
    assert "not what its name says (it is an xz file (.xz)): rename it" in refusal(tmp_path / "a.txt.gz")
    (tmp_path / "b.zip").write_bytes(gzip.compress(b"text"))
    assert "it is a gzip file (.gz)" in refusal(tmp_path / "b.zip")
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(gzip.compress(b"text")))
    assert "is a gzip file (.gz), no text" in refusal(tmp_path / "c.txt.gz")
    write_zip(tmp_path / "d.zip", [("a.txt", gzip.compress(b"text"))])
    assert "d.zip/a.txt is a gzip file (.gz), no text" in refusal(tmp_path / "d.zip")


def test_archives_of_files_and_locked_ones_are_refused(tmp_path):
    for name in ("books.tar.xz", "books.tar", "books.TGZ", "books.tar.bz2"):
        (tmp_path / name).write_bytes(b"")
        assert "is damaged, or not what its name says" in refusal(tmp_path / name)
    assert "unpack it and give the folder" in refusal(tmp_path / "*.tar*")  # of several, each would be a document
    write_zip(tmp_path / "z.zip", [("a.csv", "1"), ("b.csv", "2")])
    assert "holds 2 files, none of them .txt" in refusal(tmp_path / "z.zip")
    write_zip(tmp_path / "none.zip", [])
    assert "holds 0 files, none of them .txt" in refusal(tmp_path / "none.zip")
    write_zip(tmp_path / "locked.zip", [("a\x1b.txt", "1")])
    data = bytearray((tmp_path / "locked.zip").read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag that says a member is encrypted
    (tmp_path / "locked.zip").write_bytes(data)
    assert "locked.zip/a\\x1b.txt is locked with a password" in refusal(tmp_path / "locked.zip")


def test_a_way_of_packing_that_is_not_read_is_told(tmp_path):
    path = write_zip(tmp_path / "z.zip", [("a.txt", "text" * 100)])
    data = bytearray(path.read_bytes())
    for start, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(start) + offset] = 9  # "deflate64"
    path.write_bytes(data)
    assert "z.zip/a.txt is compressed in a way that is not read" in refusal(path)


def test_the_sum_of_what_was_read_is_checked(tmp_path):
    path = tmp_path / "a.gz"
    data = bytearray(gzip.compress(b"text"))
    data[-8:-4] = zlib.crc32(b"other").to_bytes(4, "little")
    path.write_bytes(data)
    assert "is damaged" in refusal(path)
