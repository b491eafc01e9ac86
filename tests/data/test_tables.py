"""Tables: values against the csv and json modules, damage told by its line."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data.tables import read_numbered_rows, read_rows, suffix_of
from jaxseq.errors import InputError

COLUMNS = {"--data.text-column": "text", "--data.label-column": "label"}
FIELDS = st.text(st.sampled_from("ab ,\"'한\n\r\t\0\u2028"), max_size=12)


def rows_of(text, kind, columns=COLUMNS):
    return list(read_rows(io.StringIO(text, newline="\n"), kind=kind, place="t", columns=columns))


def refusal(text, kind, **options):
    with pytest.raises(InputError) as caught:
        rows_of(text, kind, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@given(
    rows=st.lists(st.tuples(FIELDS, FIELDS, FIELDS), max_size=8),
    form=st.sampled_from(
        [
            {"lineterminator": "\r\n"},  # the writer quotes line ends that are of its own kind
            {"lineterminator": "\n", "quoting": csv.QUOTE_ALL},
        ]
    ),
)
def test_csv_comes_back_as_it_was_written(rows, form):
    out = io.StringIO(newline="")
    writer = csv.writer(out, **form)
    writer.writerow(["label", "id", "text"])
    writer.writerows(rows)
    read = rows_of(out.getvalue(), "csv")
    assert [row.values for row in read] == [[text, label] for label, _, text in rows]
    # The oracle of the lines: a row begins after the line ends of all before it.
    lines = [2]
    for row in rows:
        one = io.StringIO(newline="")
        csv.writer(one, **form).writerow(row)
        lines.append(lines[-1] + one.getvalue().count("\n"))
    assert [row.line for row in read] == lines[:-1]


@given(rows=st.lists(st.tuples(FIELDS, FIELDS), max_size=8), ascii_only=st.booleans())
def test_json_lines_come_back_as_they_were_written(rows, ascii_only):
    lines = [json.dumps({"text": text, "label": label}, ensure_ascii=ascii_only) for text, label in rows]
    read = rows_of("\n".join(lines), "jsonl")
    assert [row.values for row in read] == [list(row) for row in rows]
    assert [row.line for row in read] == list(range(1, len(rows) + 1))


@given(
    rows=st.lists(st.lists(st.text(st.sampled_from("ab ,\"'한\u2028\x0b"), max_size=9), min_size=3, max_size=3)),
    last=st.booleans(),
)
def test_tabs_separate_and_quotes_are_characters(rows, last):
    text = "\n".join("\t".join(row) for row in [["text", "id", "label"], *rows]) + "\n" * last
    assert [row.values for row in rows_of(text, "tsv")] == [[row[0], row[2]] for row in rows]


def test_a_field_may_be_longer_than_pythons_limit_which_stays_as_it_is():
    long = "x" * 300_000
    before = csv.field_size_limit()
    assert rows_of(f"text,label\n{long},a\n", "csv")[0].values == [long, "a"]
    assert csv.field_size_limit() == before


def test_a_nul_is_a_character():
    for kind, separator in (("csv", ","), ("tsv", "\t")):
        assert rows_of(f"text{separator}label\na\0b{separator}1\n", kind)[0].values == ["a\0b", "1"]


def test_empty_lines_are_told_apart_from_empty_fields():
    assert rows_of('text\n""\n\nb\n', "csv", {"--data.text-column": "text"}) == [(2, [""]), (3, None), (4, ["b"])]
    assert [row.values for row in rows_of('\n{"text": "", "label": "x"}\n \n', "jsonl")] == [None, ["", "x"], None]


def test_numbers_of_json_stay_as_they_are_written():
    text = '{"text": "t", "label": 1}\n{"text": 5, "label": 1.50}\n{"text": "", "label": true}\n'
    assert [row.values for row in rows_of(text, "jsonl")] == [["t", "1"], ["5", "1.50"], ["", "true"]]
    digits = "7" * 5000  # more than Python turns into a number
    assert rows_of(f'{{"text": "t", "label": {digits}}}', "jsonl")[0].values == ["t", digits]


def test_columns_by_their_numbers_have_no_first_line_of_names():
    def rows(text, kind, **columns):
        lines = io.StringIO(text, newline="\n")
        return [tuple(row) for row in read_numbered_rows(lines, kind=kind, place="t", columns=columns)]

    assert rows('a\t"b\tc\n\nd\te\n', "tsv", one="2", other="1") == [(1, ['"b', "a"]), (2, None), (3, ["e", "d"])]
    assert rows('a,"b\nc"\nd,e', "csv", one="2") == [(1, ["b\nc"]), (3, ["e"])]
    with pytest.raises(InputError, match=r"^t, line 2 has 1 column, and other is 3: repair the line, leave it out, or"):
        rows("a\tb\tc\nd\n", "tsv", one="1", other="3")
    with pytest.raises(InputError, match=r"^one is 0: columns are numbered from 1$"):
        rows("a\n", "tsv", one="0")


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("", "csv", "t begins with no line that names its columns"),
        ("\ntext,label\n", "csv", "t begins with no line that names its columns"),
        (
            "document,label\n",
            "csv",
            "t has no column 'text', its columns are document, label: name one by --data.text-",
        ),
        ("text;label\n", "csv", "no column 'text', its columns are text;label"),
        ("text\tlabel\ttext\n", "tsv", "t has 2 columns 'text' (--data.text-column)"),
        ("text\tlabel\na\t1\nb\n", "tsv", "t, line 3 has 1 field, the first line names 2 columns"),
        ("text\tlabel\na\tb\t1\n", "tsv", "t, line 2 has 3 fields"),
        ('text,label\n"a\nb",1\nc\n', "csv", "t, line 4 has 1 field, the first line names 2 columns"),
        ('text,label\na,1\n"b,1\nc,2\n', "csv", "t, line 3 is no comma-separated values (unexpected end of data)"),
        ('text,label\n"a"b,1\n', "csv", "t, line 2 is no comma-separated values"),
        ("text,label\na\rb,1\n", "csv", "t, line 2 is no comma-separated values"),
        ('{"text": "a"}\n', "jsonl", "t, line 1 has no 'label', its columns are text"),
        ('{"text": "a", "label": 1}\n{"text"\n', "jsonl", "t, line 2 is no JSON (Expecting ':' delimiter, column"),
        ('{"text": "a", "label": NaN}\n', "jsonl", "t, line 1 is no JSON (NaN is no number)"),
        ('{"text": "a", "label": null}\n', "jsonl", "t, line 1: 'label' is null, no text and no number"),
        ('{"text": ["a"], "label": 1}\n', "jsonl", "t, line 1: 'text' is a list"),
        ('[{"text": "a", "label": 1}]\n', "jsonl", "t, line 1 is no JSON object"),
        ('{"text": "a\\ud800", "label": 1}\n', "jsonl", "t, line 1: 'text' holds half a surrogate pair (U+D800)"),
        ("[" * 100_000, "jsonl", "t, line 1 is no JSON ("),
    ],
)
def test_what_is_no_record_is_told_by_its_line(text, kind, message):
    assert message in refusal(text, kind)


def test_column_names_of_others_cannot_break_the_message():
    assert "its columns are a\\nb, c" in refusal('"a\nb",c\n', "csv")
    many = ",".join(f"c{i}" for i in range(5000))
    assert len(refusal(f"{many}\n", "csv")) < 400


def test_the_suffix_is_that_of_the_content():
    names = ["a.csv", "a.CSV.gz", "a.tsv.XZ", "a.b.jsonl.bz2", "a.csv.zip", "a.gz", "a", ".csv", "a.txt.old"]
    assert [suffix_of(name) for name in names] == [".csv", ".csv", ".tsv", ".jsonl", ".csv", "", "", "", ".old"]
