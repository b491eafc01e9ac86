"""Members of tar archives as documents."""

import io
import tarfile

import pytest

from jaxseq.data import read_documents, source_fingerprint
from jaxseq.errors import InputError


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "films.tar.xz"
    with tarfile.open(path, "w:xz") as file:
        for name, text in (
            ("films/train/pos/2.txt", "second"),
            ("films/train/neg/1.txt", "first"),
            ("films/test/pos/3.txt", "third"),
            ("films/README", "no text"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            file.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.mark.parametrize(
    ("rest", "texts"),
    [
        ("", ["third", "first", "second"]),
        ("/*/train/*.txt", ["first", "second"]),
        ("/films/train/pos/*", ["second"]),
        ("/*README", ["no text"]),
    ],
)
def test_members_are_documents_sorted_by_name(archive, rest, texts):
    assert list(read_documents(f"{archive}{rest}")) == texts
    assert list(read_documents(f"{archive.parent}/fil*.tar.*{rest}")) == texts


def test_the_fingerprint_tells_members_and_archive(archive):
    prints = {source_fingerprint(f"{archive}{rest}") for rest in ("", "/*/train/*.txt", "/*/test/*.txt")}
    assert len(prints) == 3
    before = source_fingerprint(str(archive))
    archive.write_bytes(archive.read_bytes() + bytes(4))
    assert source_fingerprint(str(archive)) != before


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("/*.csv", r"films\.tar\.xz has no member like \*\.csv: name some, as .*films\.tar\.xz/\*/train/\*\.txt"),
        ("x", "there is no file or folder"),
    ],
)
def test_what_is_not_there_is_one_line(archive, rest, message):
    with pytest.raises(InputError, match=message) as caught:
        list(read_documents(f"{archive}{rest}"))
    assert "\n" not in str(caught.value)


def test_a_damaged_archive_and_one_that_leads_out_of_its_folder_are_refused(archive, tmp_path):
    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(InputError, match="damaged"):
        list(read_documents(str(archive)))
    with tarfile.open(tmp_path / "bad.tar", "w") as file:
        file.addfile(tarfile.TarInfo("../a.txt"), io.BytesIO())
    with pytest.raises(InputError, match="would lie outside the folder"):
        list(read_documents(str(tmp_path / "bad.tar")))
