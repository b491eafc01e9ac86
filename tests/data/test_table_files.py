"""The tables of a source: the same whatever they are packed in, and what is none is told."""

import gzip
import io
import lzma
import os
import tarfile
import threading
import zipfile

import pytest

from jaxseq.data.table_files import open_tables
from jaxseq.errors import InputError

RATINGS = "userId,movieId\n1,31\n"
MOVIES = "movieId,title\n31,Dangerous Minds (1995)\n"
FILES = {"ml/ratings.csv": RATINGS, "ml/movies.csv": MOVIES, "ml/README.txt": "read me", "ml/.hidden.csv": "x"}


def tables(source, **options):
    return [(table.kind, "".join(table.lines)) for table in open_tables(str(source), **options)]


def refusal(source, **options):
    with pytest.raises(InputError) as caught:
        tables(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def archive_of(path):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in FILES.items():
                archive.writestr(name, text)
    else:
        with tarfile.open(path, "w:gz") as archive:
            for name, text in FILES.items():
                member = tarfile.TarInfo(name)
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
    return path


def test_one_table_is_read_plain_and_compressed(tmp_path):
    (tmp_path / "a.csv").write_text(RATINGS)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(RATINGS.encode()))
    (tmp_path / "a.csv.xz").write_bytes(lzma.compress(RATINGS.encode()))
    with zipfile.ZipFile(tmp_path / "a.csv.zip", "w") as archive:
        archive.writestr("whatever", RATINGS)
    for name in ("a.csv", "a.csv.gz", "a.csv.xz", "a.csv.zip"):
        assert tables(tmp_path / name) == [("csv", RATINGS)]
    (tmp_path / "b.txt").write_text("a\tb\n")
    assert tables(tmp_path / "b.txt") == [("tsv", "a\tb\n")]
    (tmp_path / "c.csv").write_text("é\n", encoding="latin-1")
    assert tables(tmp_path / "c.csv", encoding="latin-1") == [("csv", "é\n")]


@pytest.mark.parametrize("name", ["ml.zip", "ml.tar.gz"])
def test_tables_of_an_archive_are_named_as_if_it_were_a_folder(tmp_path, name):
    archive = archive_of(tmp_path / name)
    assert tables(f"{archive}/ml/ratings.csv") == [("csv", RATINGS)]
    assert tables(f"{archive}/*/mov*") == [("csv", MOVIES)]
    assert tables(f"{tmp_path}/m*/ml/ratings.csv") == [("csv", RATINGS)]  # a glob that stands for one archive
    assert tables(archive) == [("csv", MOVIES), ("csv", RATINGS)]  # all of them, sorted, and nothing else
    assert f"{name} holds no table ml/tags.csv: name one in it" in refusal(f"{archive}/ml/tags.csv")


def test_a_glob_is_several_tables_sorted_by_name(tmp_path):
    for name in ("b.csv", "a.jsonl", "c.md"):
        (tmp_path / name).write_text(name)
    assert tables(f"{tmp_path}/[ab].*") == [("jsonl", "a.jsonl"), ("csv", "b.csv")]
    assert "c.md is by its name no table and no archive: let it end in .csv, .tsv" in refusal(f"{tmp_path}/*")


def test_a_pipe_is_a_table_too(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    writer = threading.Thread(target=(tmp_path / "pipe.csv").write_text, args=(RATINGS,))
    writer.start()
    assert tables(tmp_path / "pipe.csv") == [("csv", RATINGS)]
    writer.join()


@pytest.mark.parametrize("source", ["-", "python-manual", "tfds:movielens"])
def test_sources_that_are_text_are_no_tables(source):
    assert f"--data.source is {source}, which is no table: give a file, one of .csv" in refusal(source)


def test_what_is_not_there_is_told_by_the_option_that_names_it(tmp_path):
    assert "--data.source is empty" in refusal("")
    assert "--data.title-source takes a table, a glob for several" in refusal(
        tmp_path / "none.csv", option="--data.title-source"
    )
