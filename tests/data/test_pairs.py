"""Pairs of sentences as they are read: from aligned files, tables and archives, and what is wrong with such."""

import gzip
import tarfile
import zipfile

import pytest

from jaxseq.data import PairSource, read_named_pairs, read_pairs
from jaxseq.errors import InputError


def refusal(where, read=read_pairs):
    with pytest.raises(InputError) as caught:
        read(where)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def written(folder, name, lines):
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def test_line_for_line_two_files_are_pairs_whatever_they_are_packed_in(tmp_path):
    written(tmp_path, "a.de", ["Ein Hund.", " Zwei\u2028Katzen. "])
    with gzip.open(tmp_path / "a.en.gz", "wt", encoding="utf-8", newline="") as file:
        file.write("A dog.\r\nTwo cats.")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a.de", "all/a.de")
    with zipfile.ZipFile(tmp_path / "a.en.zip", "w") as archive:
        archive.writestr("a.en", "A dog.\nTwo cats.\n")
    expected = (["Ein Hund.", "Zwei\u2028Katzen."], ["A dog.", "Two cats."], "")
    for source in ("a.de", "a.tar.gz/all/a.de", "a.tar.gz"):
        for target in ("a.en.gz", "a.en.zip", "a.en.zip/a.en", "*.en.gz"):
            assert read_pairs(PairSource(str(tmp_path / source), str(tmp_path / target))) == expected


def test_either_side_of_a_table_can_be_the_source(tmp_path):
    tsv = written(tmp_path, "pairs.txt", ['"Go.\t가.\tCC', "Hi.\t안녕."])
    assert read_pairs(PairSource(tsv))[:2] == (['"Go.', "Hi."], ["가.", "안녕."])
    assert read_pairs(PairSource(tsv, source_column="2", target_column="1"))[:2] == (["가.", "안녕."], ['"Go.', "Hi."])
    csv = written(tmp_path, "pairs.csv", ["id,ko,en", '7,가.,"Go, now."'])
    assert read_pairs(PairSource(csv, source_column="ko", target_column="en"))[:2] == (["가."], ["Go, now."])
    assert read_pairs(PairSource(csv, source_column="3", target_column="2"))[:2] == (["en", "Go, now."], ["ko", "가."])
    jsonl = written(tmp_path, "pairs.jsonl", ['{"1": "a", "2": "b"}'])
    assert read_pairs(PairSource(jsonl))[:2] == (["a"], ["b"])


def test_files_of_different_length_are_told_by_both_counts_and_the_first_line_alone(tmp_path):
    short, long = written(tmp_path, "a.de", ["eins"]), written(tmp_path, "a.en", ["one", "two", "three"])
    end = "; give files that are aligned line by line"
    alone = f"line 2 of {long}, 'two', has no partner in {short}{end}"
    assert refusal(PairSource(short, long)) == f"{short} has 1 lines and {long} has 3: {alone}"
    assert refusal(PairSource(long, short)) == f"{long} has 3 lines and {short} has 1: {alone}"
    both = str(tmp_path / "a.*")
    assert refusal(PairSource(both, short)) == (
        f"{both} stands for 2 files and {short} for 1: each file needs one with its translations"
    )


def test_pairs_that_lack_a_side_are_left_out_and_told_by_their_number_and_the_first(tmp_path):
    source = written(tmp_path, "a.de", ["eins", "", "drei", " ", "fünf"])
    target = written(tmp_path, "a.en", ["one", "two", "\t", "", "five"])
    pairs = read_pairs(PairSource(source, target))
    assert pairs[:2] == (["eins", "fünf"], ["one", "five"])
    assert pairs.remark == f"3 of 5 pairs lack a side and are left out, the first one at {source}, line 2"
    table = written(tmp_path, "a.tsv", ["a\tb", "\tc"])
    assert read_pairs(PairSource(table)).remark.endswith(f"at {table}, line 2")
    empty = written(tmp_path, "b.tsv", ["a\t", "\tc"])
    assert refusal(PairSource(empty, option="--data.test-")) == (
        f"{empty} has no pair of two sentences: give --data.test-source one that has some"
    )
    blank = written(tmp_path, "b.en", ["", " "])
    assert refusal(PairSource(empty, blank)) == (
        f"{empty} and {blank} have no pair of two sentences: give others by --data.source and --data.target"
    )


def test_a_line_with_too_few_columns_is_named(tmp_path):
    table = written(tmp_path, "a.tsv", ["a\tb", "c"])
    assert refusal(PairSource(table)) == (
        f"{table}, line 2 has 1 column, and --data.target-column is 2: repair the line, leave it out, or give another "
        "column"
    )
    assert refusal(PairSource(table, source_column="0")) == "--data.source-column is 0: columns are numbered from 1"
    named = refusal(PairSource(table, source_column="a", target_column="2"))
    assert f"{table} has no column '2', its columns are a, b" in named
    gap = written(tmp_path, "b.tsv", ["a\tb", "", "c\td"])
    assert refusal(PairSource(gap)) == f"{gap}, line 2 is empty: give it a pair, or leave it out"


def test_what_is_not_there_is_told_by_the_option_that_names_it(tmp_path):
    there = written(tmp_path, "a.de", ["eins"])
    assert "--data.test-target takes a file with a sentence" in refusal(
        PairSource(there, str(tmp_path / "no.en"), option="--data.test-")
    )
    assert refusal(PairSource("", there)).startswith("--data.source is empty")
    assert "no table" in refusal(PairSource(there))
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(there, "a.de")
    assert f"{tmp_path}/a.tar has no member like b.de" in refusal(PairSource(str(tmp_path / "a.tar/b.de"), there))


def test_files_of_a_glob_are_told_apart_by_their_names(tmp_path):
    for year in (2016, 2017):
        written(tmp_path, f"test_{year}.de", [f"{year} Hunde"])
        written(tmp_path, f"test_{year}.en", [f"{year} dogs"])
    where = PairSource(str(tmp_path / "test_*.de"), str(tmp_path / "test_*.en"))
    found = read_named_pairs(where)
    assert {name: pairs[:2] for name, pairs in found.items()} == {
        "test_2016": (["2016 Hunde"], ["2016 dogs"]),
        "test_2017": (["2017 Hunde"], ["2017 dogs"]),
    }
    assert read_pairs(where).sources == ["2016 Hunde", "2017 Hunde"]
    written(tmp_path, "test_2017.x.de", ["eins"])
    written(tmp_path, "test_2017.x.en", ["one"])
    assert "stands for two files test_2017: give them" in refusal(where, read_named_pairs)


def test_multi30k_has_the_pairs_that_were_published(data_folder):
    folder = data_folder / "multi30k"
    train = read_pairs(PairSource(str(folder / "train.de.gz"), str(folder / "train.en.gz")))
    assert (len(train.sources), len(train.targets), train.remark) == (29_000, 29_000, "")
    assert train.sources[0] == "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche."
    assert train.targets[0] == "Two young, White males are outside near many bushes."
    tests = read_named_pairs(PairSource(str(folder / "test_*_flickr.de.gz"), str(folder / "test_*_flickr.en.gz")))
    assert {name: len(pairs.sources) for name, pairs in tests.items()} == {
        "test_2016_flickr": 1_000,
        "test_2017_flickr": 1_000,
    }


def test_tatoeba_has_the_pairs_that_were_published(data_folder):
    korean = read_pairs(PairSource(str(data_folder / "tatoeba" / "kor.txt")))
    assert (len(korean.sources), len(set(korean.sources)), korean.remark) == (5_749, 5_130, "")
    assert sum('"' in sentence for sentence in korean.sources) == 9  # quotes are characters where tabs separate
    where = PairSource(str(data_folder / "tatoeba" / "fra-eng.zip" / "fra.txt"), source_column="2", target_column="1")
    french = read_pairs(where)
    assert (len(french.sources), french.sources[0], french.targets[0]) == (142_787, "Va !", "Go.")
