"""Sources of labelled texts: folders, archives and tables give the same, and what has no label is told by its place."""

import collections
import gzip
import json
import lzma
import tarfile
import zipfile

import numpy as np
import pytest

from jaxseq.data import Labelled, find_classes, labelled_fingerprint, length_report, read_labelled, read_test_part
from jaxseq.errors import InputError

REVIEWS = {
    "aclImdb/train/pos/0_9.txt": "Good. 한글",
    "aclImdb/train/pos/10_8.txt": "Fine.\nTwo lines\n",
    "aclImdb/train/neg/0_1.txt": "Bad\x85 <br />",
    "aclImdb/train/unsup/0_0.txt": "nobody knows",
    "aclImdb/train/urls_pos.txt": "http://",
    "aclImdb/train/labeledBow.feat": "9 0:9",
    "aclImdb/test/pos/0_10.txt": "",
    "aclImdb/test/neg/0_2.txt": "No.",
    "aclImdb/README": "read me",
    "aclImdb/imdbEr.txt": "0.049",
}
PARTS = {
    "train": (["Bad\x85 <br />", "Good. 한글", "Fine.\nTwo lines\n"], ["neg", "pos", "pos"]),
    "test": (["No.", ""], ["neg", "pos"]),
}


def make(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def read(source, **options):
    return {name: tuple(part[:2]) for name, part in read_labelled(str(source), **options).items()}


def refusal(source, **options):
    with pytest.raises(InputError) as caught:
        read_labelled(str(source), **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def pack(folder, path):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.rglob("*")):
                archive.write(file, file.relative_to(folder))
    else:
        with tarfile.open(path, f"w:{path.suffix[1:].replace('tar', '')}") as archive:
            archive.add(folder, arcname=".")
    return path


@pytest.mark.parametrize("suffix", ["folder", "above", "tar", "tar.gz", "tar.xz", "tar.bz2", "zip"])
def test_the_film_reviews_are_the_same_from_a_folder_and_every_archive(tmp_path, suffix):
    folder = make(tmp_path / "f", REVIEWS)
    if suffix == "folder":
        source = folder / "aclImdb"
    else:
        source = folder if suffix == "above" else pack(folder, tmp_path / f"aclImdb.{suffix}")
    assert read(source) == PARTS


@pytest.mark.parametrize("name", ["valid", "validation", "val", "dev", "Dev"])
def test_a_part_for_validation_has_many_names(tmp_path, name):
    files = {"train/a/1.txt": "1", "train/b/1.txt": "2", f"{name}/b/1.txt": "3"}
    assert read(make(tmp_path, files)) == {"train": (["1", "2"], ["a", "b"]), "validation": (["3"], ["b"])}


def test_folders_of_classes_need_no_parts_and_may_be_many_and_deep(tmp_path):
    files = {f"{number}/deep/{number}.txt": str(number) for number in range(12)} | {"10/x.txt.gz": gzip.compress(b"z")}
    files |= {"README.txt": "no", "test/a.txt": "a class that is called test", ".git/x.txt": "no"}
    parts = read(make(tmp_path, files))
    assert list(parts) == ["train"]
    assert collections.Counter(parts["train"][1]) == {**{str(n): 1 for n in range(12)}, "10": 2, "test": 1}
    assert find_classes(parts["train"][1]) == (*(str(number) for number in range(12)), "test")


def test_a_folder_that_everything_lies_in_is_no_class(tmp_path):
    files = {"reviews/README.txt": "no", "reviews/cat/1.txt": "c", "reviews/dog/1.txt": "d"}
    folder = make(tmp_path / "f", files)
    expected = {"train": (["c", "d"], ["cat", "dog"])}
    assert read(folder) == read(pack(folder, tmp_path / "a.zip")) == expected
    assert read(make(tmp_path / "one", {"pos/1.txt": "p"})) == {"train": (["p"], ["pos"])}


def test_two_data_sets_in_one_folder_are_not_mixed(tmp_path):
    files = {f"{name}/train/{label}/1.txt": "x" for name in "ab" for label in "pq"}
    assert "holds two data sets, in a and in b: give one of these folders" in refusal(make(tmp_path, files))


CSV = 'id,label,text\n1, pos ,"He said ""no"", \nthen left"\n2,neg,\n3,pos,"a\tb"\n'
TSV = 'id\tdocument\tlabel\n1\t"Good" he said\t1\n2\t\t0\n3\t한 "글\t1\n'
JSONL = '{"label": 1, "text": "a\\nb"}\n{"text": "", "label": 0}\n'
TABLES = {
    "a.csv": (CSV, {}, (['He said "no", \nthen left', "", "a\tb"], ["pos", "neg", "pos"])),
    "a.tsv": (TSV, {"text_column": "document"}, (['"Good" he said', "", '한 "글'], ["1", "0", "1"])),
    "a.txt": (TSV, {"text_column": "document"}, (['"Good" he said', "", '한 "글'], ["1", "0", "1"])),
    "a.jsonl": (JSONL, {}, (["a\nb", ""], ["1", "0"])),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("packing", ["", ".gz", ".xz", ".zip"])
@pytest.mark.parametrize("form", ["as it is", "without the last line end", "with a mark", "with empty lines", "crlf"])
def test_tables_are_read_as_their_names_say(tmp_path, name, packing, form):
    """fastText#435: a missing line end at the end changes nothing."""
    text, options, expected = TABLES[name]
    forms = {
        "without the last line end": text.removesuffix("\n"),
        "with a mark": "\ufeff" + text,
        "with empty lines": text + "\n\n",
        "crlf": text if name == "a.csv" else text.replace("\n", "\r\n"),
    }
    data = forms.get(form, text).encode()
    path = tmp_path / f"{name}{packing}"
    if packing == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("whatever it is called", data)
    else:
        path.write_bytes({".gz": gzip.compress, ".xz": lzma.compress}.get(packing, bytes)(data))
    assert read(path, **options) == {"train": expected}


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("kind", ["tsv", "csv", "jsonl"])
def test_a_row_without_a_label_is_told_by_its_line(tmp_path, number, kind):
    """fastText#192, fastText#205: missing labels give NaN."""
    rows = [["a text", "pos"] for _ in range(8)]
    for missing in ("", " ", None):
        rows[number][1] = missing
        if kind == "jsonl":
            objects = [{"text": text} if label is None else {"text": text, "label": label} for text, label in rows]
            lines = [json.dumps(item) for item in objects]
        else:
            separator = "," if kind == "csv" else "\t"
            lines = [f"text{separator}label"]
            lines += [text if label is None else f"{text}{separator}{label}" for text, label in rows]
        path = tmp_path / f"a.{kind}"
        path.write_text("\n".join(lines) + "\n")
        line = number + (1 if kind == "jsonl" else 2)
        assert f"{path}, line {line} has " in refusal(path)
    rows[number][1] = "pos"
    lines[line - 1] = ""
    if number < 7:
        path.write_text("\n".join(lines) + "\n")
        assert f"{path}, line {line} is empty: give it a text and a label, or leave it out" in refusal(path)


def test_tables_tell_their_part_by_their_names(tmp_path):
    table = "text,label\n{0},a\n{0}2,b\n".format
    folder = make(tmp_path / "f", {f"{name}.csv": table(name) for name in ("train", "test", "dev", "example")})
    expected = {name: ([word, f"{word}2"], ["a", "b"]) for name, word in
                (("train", "train"), ("validation", "dev"), ("test", "test"))}  # fmt: skip
    assert read(folder) == read(pack(folder, tmp_path / "a.zip")) == read(pack(folder, tmp_path / "a.tar")) == expected
    assert read(f"{folder}/t*.csv") == {name: expected[name] for name in ("train", "test")}
    assert list(read_labelled(f"{folder}/t*.csv")) == ["train", "test"]
    assert read(folder / "test.csv") == {"train": expected["test"]}  # one file by its name is what it is given for
    assert read(folder / "train.csv", test_source=str(folder / "dev.csv"))["test"] == expected["validation"]
    deep = make(tmp_path / "d", {"train/1.csv": table("x"), "train/2.csv": table("y"), "test/1.csv": table("z")})
    for source in (deep, f"{deep}/*/*.csv"):
        parts = read(source)
        assert parts["train"][0] == ["x", "x2", "y", "y2"]
        assert parts["test"][0] == ["z", "z2"]
    assert read(f"{deep}/train/*.csv") == {"train": parts["train"]}


@pytest.mark.parametrize("suffix", ["folder", "tar.xz", "zip"])
def test_a_glob_that_stands_for_one_folder_or_archive_is_that_one(tmp_path, suffix):
    folder = make(tmp_path / "f", REVIEWS)
    made = tmp_path / "data" / f"aclImdb_v1.{suffix}"
    made.parent.mkdir()
    (made.parent / "SOURCE.md").write_text("not matched")
    if suffix == "folder":
        (folder / "aclImdb").rename(made)
    else:
        pack(folder, made)
    assert read(f"{tmp_path}/data/aclImdb*") == read(f"{tmp_path}/d*/aclImdb*") == PARTS
    assert read(f"{tmp_path}/data/aclImdb*", test_source=f"{made.parent}/*Imdb*") == PARTS


def test_a_glob_that_stands_for_a_folder_or_an_archive_and_more_is_refused(tmp_path):
    table = "text,label\nx,a\ny,b\n"
    folder = make(tmp_path / "d", {"a/pos/1.txt": "p", "a/neg/1.txt": "n", "train.csv": table, "test.csv": table})
    pack(folder / "a", folder / "a.zip")
    told = f"{folder}/a* stands for 2 files and folders, {folder}/a and {folder}/a.zip among them: name the one to read"
    assert refusal(f"{folder}/a*") == told
    assert f"stands for 4 files and folders, {folder}/a and {folder}/a.zip among" in refusal(f"{folder}/*")
    assert f"stands for 3 files and folders, {folder}/a.zip and {folder}/test.csv" in refusal(f"{folder}/*.*")
    assert read(f"{folder}/t*") == read(f"{folder}/**/*.csv") == {name: (["x", "y"], ["a", "b"]) for name in
                                                                   ("train", "test")}  # fmt: skip
    (folder / "a.zip").unlink()
    (folder / "a").rename(tmp_path / "elsewhere")
    deep = make(tmp_path / "deep", {"train/1.csv": table, "test/1.csv": table})
    assert read(f"{deep}/**") == read(f"{folder}/t*")  # the folders on the way stand for nothing


def test_a_source_for_testing_is_its_test_part_or_all_of_it(tmp_path):
    reviews = make(tmp_path / "f", REVIEWS) / "aclImdb"
    table = tmp_path / "own.csv"
    table.write_text("text,label\nx,pos\n")
    assert read(reviews, test_source=str(table)) == {"train": PARTS["train"], "test": (["x"], ["pos"])}
    assert read(table, test_source=str(reviews)) == {"train": (["x"], ["pos"]), "test": PARTS["test"]}
    assert read(table, test_source=str(reviews / "test"))["test"] == PARTS["test"]
    assert tuple(read_test_part(str(reviews))[:2]) == PARTS["test"]
    (tmp_path / "t").mkdir()
    (reviews / "train").rename(tmp_path / "t" / "train")
    assert "holds test and nothing to train on" in refusal(reviews)
    with pytest.raises(InputError, match="holds train and nothing to test on: give --data"):
        read_test_part(str(tmp_path / "t"))


@pytest.mark.parametrize(
    ("files", "source", "message"),
    [
        ({}, "", "holds no labelled text: give a table (.csv, .tsv, .jsonl), a folder or an archive of folders of"),
        ({"a.csv": "text,label\n"}, "a.csv", "a.csv holds no labelled text"),
        ({"a.csv": ""}, "a.csv", "begins with no line that names its columns"),
        ({"a.csv": "a,b\n1,2\n"}, "a.csv", "no column 'text', its columns are a, b: name one by --data.text-column or"),
        ({"a.dat": "text,label\n"}, "a.dat", "a.dat is by its name no table and no archive: let it end in .csv"),
        ({"a.csv": "", "b.csv": ""}, "", "holds 2 tables, and the name of a.csv does not tell what it is for"),
        ({"a.csv": "", "train.csv": ""}, "*.csv", "holds 2 tables, and the name of a.csv does not tell"),
        ({"train_dev.csv": "", "b.csv": ""}, "", "the name train_dev.csv tells two parts, train and validation"),
        ({"p/1.txt": b"a\nb\xff", "q/1.txt": ""}, "", "p/1.txt, line 2 is not valid utf-8 (byte 0xff"),
        ({"a.tsv": b"text\tlabel\nx\t1\n\xff\t1\n"}, "a.tsv", "a.tsv, line 3 is not valid utf-8 (byte 0xff"),
        ({"a.zip": "text"}, "a.zip", "a.zip is damaged, or not what its name says"),
        ({"a.csv.gz": gzip.compress(b"text,label\nx,1\n")[:-5]}, "a.csv.gz", "a.csv.gz is damaged"),
        ({"p/1.txt.gz": gzip.compress(b"x")[:-5], "q/1.txt": ""}, "", "p/1.txt.gz is damaged"),
        ({}, "none.csv", "there is no file or folder"),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(tmp_path, files, source, message):
    make(tmp_path, files)
    assert message in refusal(tmp_path / source if source else tmp_path)


def test_sources_without_labels_and_columns_that_are_one_are_refused(tmp_path):
    for source in ("-", "python-manual"):
        assert f"{source} has no labels: give a table" in refusal(source)
    assert "--data.text-column and --data.label-column are both 'x'" in refusal("a", text_column="x", label_column="x")
    assert "unknown encoding" in refusal("a", encoding="nonsense")


def test_other_encodings_are_read(tmp_path):
    (tmp_path / "a.tsv").write_bytes("text\tlabel\n한글\t긍정\n".encode("cp949"))
    make(tmp_path / "f", {"긍정/1.txt": "한글".encode("cp949"), "부정/1.txt": ""})
    assert read(tmp_path / "a.tsv", encoding="cp949") == {"train": (["한글"], ["긍정"])}
    assert read(tmp_path / "f", encoding="cp949") == {"train": (["한글", ""], ["긍정", "부정"])}
    (tmp_path / "b.csv").write_bytes("text,label\n한글,긍정\n".encode("utf-16"))
    assert read(tmp_path / "b.csv", encoding="utf-16") == {"train": (["한글"], ["긍정"])}


@pytest.mark.parametrize("kind", ["table", "folder"])
def test_a_poll_stops_a_long_reading(tmp_path, kind):
    class Stop(BaseException):
        pass

    calls = []

    def poll():
        calls.append(1)
        if len(calls) == 30:
            raise Stop

    if kind == "table":
        source = make(tmp_path, {"a.csv": "text,label\n" + "x,1\n" * 100}) / "a.csv"
    else:
        source = make(tmp_path, {f"{label}/{number}.txt": "" for number in range(10) for label in "ab"})
    with pytest.raises(Stop):
        read_labelled(str(source), poll=poll)


def test_korean_film_reviews_come_out_exactly(data_folder):
    """Counts are those of SOURCE.md; every row is held against a plain split of the lines."""
    folder = data_folder / "nsmc"
    train, test = folder / "ratings_train.txt.xz", folder / "ratings_test.txt.xz"
    parts = read_labelled(str(train), test_source=str(test), text_column="document")
    for name, path in (("train", train), ("test", test)):
        lines = lzma.decompress(path.read_bytes()).decode("utf-8").split("\n")[1:-1]
        assert parts[name].texts == [line.split("\t")[1] for line in lines]
        assert parts[name].labels == [line.split("\t")[2] for line in lines]
    assert collections.Counter(parts["train"].labels) == {"0": 75_173, "1": 74_827}
    assert collections.Counter(parts["test"].labels) == {"0": 24_827, "1": 25_173}
    assert [part.texts.count("") for part in parts.values()] == [5, 3]
    assert labelled_fingerprint(read_labelled(str(folder), text_column="document")) == labelled_fingerprint(parts)


def test_film_reviews_come_out_of_their_archive_exactly(data_folder):
    """Figures are those of SOURCE.md; the source is that of configs/imdb_*.py."""
    parts = read_labelled(str(data_folder / "aclImdb" / "aclImdb*"))
    assert {name: collections.Counter(part.labels) for name, part in parts.items()} == {
        "train": {"neg": 12_500, "pos": 12_500},
        "test": {"neg": 12_500, "pos": 12_500},
    }
    assert [sum(len(text.encode()) for text in part.texts) for part in parts.values()] == [33_132_823, 32_350_685]
    distinct = [set(part.texts) for part in parts.values()]
    assert [*map(len, distinct), len(distinct[0] | distinct[1])] == [24_904, 24_801, 49_582]
    reports = [length_report(np.array([len(text.split()) for text in part.texts]), 600) for part in parts.values()]
    assert [round(report.mean_length, 2) for report in reports] == [233.79, 228.53]
    assert [report.longest for report in reports] == [2470, 2278]
    assert round(100 * reports[0].truncated / 25_000, 2) == 4.96
    assert isinstance(parts["train"], Labelled)
