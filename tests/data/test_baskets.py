"""Baskets from tables: against plain loops, whatever the shape of the table and the order of its rows."""

import csv
import io
import itertools
import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data.baskets import Baskets, EventColumns, read_events, read_lists_of_items, read_titles, with_titles
from jaxseq.errors import InputError

COLUMNS = EventColumns("basket", "item")
NAMES = st.text(st.sampled_from("ab ,;|\"'\n\r\t\0\u2028한"), min_size=1, max_size=6)


def named(baskets: Baskets) -> list[list[str]]:
    """The items of each basket by name; the numbers of items are by where they first come up."""
    ids, offsets = baskets.sequences
    assert ids.dtype == np.int32
    assert offsets.dtype == np.int64
    assert list(dict.fromkeys(ids.tolist())) == list(range(len(baskets.items)))
    assert len(set(baskets.items)) == len(baskets.items)
    return [[baskets.items[at] for at in ids[start:end]] for start, end in itertools.pairwise(offsets)]


def write_csv(path, header, rows):
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows([header, *rows])
    path.write_bytes(out.getvalue().encode())
    return str(path)


def write_jsonl(path, header, rows):
    path.write_text("".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows))
    return str(path)


def refusal(read, *arguments, **options):
    with pytest.raises(InputError) as caught:
        read(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("baskets")


@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=12))
def test_rows_of_a_basket_may_be_anywhere_and_items_come_back_to_the_letter(folder, rows):
    wanted: dict[str, list[str]] = {}
    for basket, item in rows:
        wanted.setdefault(basket, []).append(item)
    found = read_events(write_csv(folder / "a.csv", ["basket", "item"], rows), COLUMNS)
    assert named(found) == list(wanted.values())
    lines = read_events(write_jsonl(folder / "a.jsonl", ["item", "basket"], [row[::-1] for row in rows]), COLUMNS)
    lists = read_lists_of_items(
        write_jsonl(folder / "b.jsonl", ["items"], [[items] for items in wanted.values()]), "items"
    )
    for other in (lines, lists):
        assert other.items == found.items
        assert [leaf.tobytes() for leaf in other.sequences] == [leaf.tobytes() for leaf in found.sequences]


@given(st.lists(st.tuples(st.sampled_from("xyz"), NAMES), min_size=1, max_size=12), st.randoms())
def test_with_a_column_of_order_that_of_the_rows_makes_no_difference(folder, events, draw):
    numbers = ["-1e3", "-2.5", ".5", "9", "10", "+11", "1e2", "1506556800", "1506556800.5", "1e10", "2e10", "3e10"]
    rows = [(*event, number) for event, number in zip(events, numbers, strict=False)]
    wanted: dict[str, list[str]] = {}
    for basket, item, _ in rows:
        wanted.setdefault(basket, []).append(item)
    columns = COLUMNS._replace(order="time")
    found = read_events(write_csv(folder / "a.csv", ["basket", "item", "time"], rows), columns)
    assert named(found) == list(wanted.values())  # baskets too, by their first item
    draw.shuffle(rows)
    again = read_events(write_csv(folder / "a.csv", ["basket", "item", "time"], rows), columns)
    assert again.items == found.items
    assert [leaf.tobytes() for leaf in again.sequences] == [leaf.tobytes() for leaf in found.sequences]


def test_what_is_equal_in_order_stays_in_that_of_the_file(folder):
    rows = [("x", item, "7") for item in "dacb"] + [("y", "e", "7"), ("x", "f", "3")]
    columns = COLUMNS._replace(order="time")
    found = read_events(write_csv(folder / "a.csv", ["basket", "item", "time"], rows), columns)
    assert named(found) == [["f", "d", "a", "c", "b"], ["e"]]


def test_ids_stay_texts_and_numbers_of_json_are_the_texts_they_are_written_as(folder):
    path = folder / "a.csv"
    path.write_text("basket,item\n01,0012\n1,12\n1,0012\n")
    assert named(read_events(str(path), COLUMNS)) == [["0012"], ["12", "0012"]]
    path = folder / "a.jsonl"
    path.write_text('{"basket": 1, "item": 12}\n{"basket": "1", "item": "12"}\n{"basket": 1, "item": 1.50}\n')
    assert named(read_events(str(path), COLUMNS)) == [["12", "12", "1.50"]]
    path.write_text('{"item": [12, "12", 1.50, true]}\n')
    assert named(read_lists_of_items(str(path), "item")) == [["12", "12", "1.50", "true"]]


def test_rows_with_a_lower_value_are_left_out_and_baskets_with_no_other(folder):
    rows = [("x", "a", "4"), ("y", "b", "3.9"), ("x", "c", "-5"), ("z", "d", "1e1"), ("x", "e", " 4.0 ")]
    path = write_csv(folder / "a.csv", ["basket", "item", "stars"], rows)
    columns = COLUMNS._replace(value="stars")
    assert named(read_events(path, columns, least=4)) == [["a", "e"], ["d"]]
    assert named(read_events(path, columns, least=-5.0)) == [["a", "c", "e"], ["b"], ["d"]]
    assert "a.csv has no row with 'stars' 11 or more" in refusal(read_events, path, columns, least=11)


@given(st.lists(st.lists(st.text("ab \t", min_size=1, max_size=3), min_size=1, max_size=4), min_size=1, max_size=5))
def test_a_basket_may_be_a_text_with_something_between_its_items(folder, baskets):
    texts = [["; ".join(items)] for items in baskets]
    for path in (write_csv(folder / "a.csv", ["items"], texts), write_jsonl(folder / "a.jsonl", ["items"], texts)):
        assert named(read_lists_of_items(path, "items", separator="; ")) == baskets


def test_several_tables_are_one(folder):
    (folder / "days").mkdir()
    (folder / "days" / "1.csv").write_text("item,basket\na,x\nb,y\n")
    (folder / "days" / "2.tsv").write_text("basket\titem\nx\tc\n")
    assert named(read_events(f"{folder}/days/*.?sv", COLUMNS)) == [["a", "c"], ["b"]]


def test_titles_stand_for_items_and_one_that_several_have_says_whose_it_is(folder):
    path = folder / "titles.csv"
    path.write_text('item,title\n1,"Shawshank Redemption, The (1994)"\n2,Hamlet\n7,Hamlet\n9,9\n')
    titles = read_titles(str(path), item_column="item", title_column="title")
    assert titles == {"1": "Shawshank Redemption, The (1994)", "2": "Hamlet [2]", "7": "Hamlet [7]", "9": "9"}
    source = write_csv(folder / "a.csv", ["basket", "item"], [("x", "7"), ("x", "1"), ("y", "5"), ("y", "7")])
    found = with_titles(read_events(source, COLUMNS), titles)
    assert named(found) == [["Hamlet [7]", "Shawshank Redemption, The (1994)"], ["5", "Hamlet [7]"]]


def test_a_shuffled_table_of_real_size_is_sorted_as_python_sorts_it(folder):
    draw = random.Random(0)
    rows = [(str(draw.randrange(300)), str(draw.randrange(80)), str(number)) for number in range(5000)]
    wanted: dict[str, list[str]] = {}
    for basket, item, _ in rows:
        wanted.setdefault(basket, []).append(item)
    draw.shuffle(rows)
    path = write_csv(folder / "a.csv", ["basket", "item", "time"], rows)
    assert named(read_events(path, COLUMNS._replace(order="time"))) == list(wanted.values())


EVENTS = {
    "basket,thing\n": "a.csv has no column 'item', its columns are basket, thing: name one by --data.basket-column or",
    "basket,item\nx,a\n,b\n": "a.csv, line 3 has no basket ('basket' is empty): repair the line or leave it out",
    "basket,item\nx,\n": "a.csv, line 2 has no item ('item' is empty): repair the line or leave it out",
    "basket,item\nx,a\n\nx,b\n": "a.csv, line 3 is empty: give it a basket and an item, or leave it out",
    "basket,item\nx,a,b\n": "a.csv, line 2 has 3 fields, the first line names 2 columns",
    "basket,item\n": "a.csv has no row: give --data.source a table that has some",
}
LISTS = {
    '{"items": ["a"]}\n{"items"\n': "a.jsonl, line 2 is no JSON (Expecting ':' delimiter, column",
    '{"items": ["a"]}\n{"basket": ["a"]}\n': "a.jsonl, line 2 has no 'items', its columns are basket: name one by",
    '{"items": 3}\n': "a.jsonl, line 1: 'items' is one text, no list: say by --data.separator what separates its parts",
    '{"items": {"a": 1}}\n': "a.jsonl, line 1: 'items' is an object, no text and no number",
    '{"items": ["a", null]}\n': "a.jsonl, line 1: item 2 of 'items' is null, no text and no number",
    '{"items": ["a", ["b"]]}\n': "a.jsonl, line 1: item 2 of 'items' is a list, no text and no number",
    '{"items": ["\\ud800"]}\n': "a.jsonl, line 1: item 1 of 'items' holds half a surrogate pair (U+D800)",
    '{"items": []}\n': "a.jsonl, line 1 has no item ('items' is empty): repair the line or leave it out",
    '{"items": ["a", ""]}\n': "a.jsonl, line 1: item 2 of 'items' is empty: repair the line or leave it out",
    '\n{"items": ["a"]}\n': "a.jsonl, line 1 is empty: give it a basket, or leave it out",
    "\n": "a.jsonl has no row: give --data.source a table that has some",
}


@pytest.mark.parametrize("text", EVENTS)
def test_what_is_no_row_of_a_basket_is_told_by_its_line(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    assert EVENTS[text] in refusal(read_events, str(tmp_path / "a.csv"), COLUMNS)


@pytest.mark.parametrize("text", LISTS)
def test_what_is_no_list_of_items_is_told_by_its_line(tmp_path, text):
    (tmp_path / "a.jsonl").write_text(text)
    assert LISTS[text] in refusal(read_lists_of_items, str(tmp_path / "a.jsonl"), "items")


@pytest.mark.parametrize("number", ["", "nan", "inf", "1e999", "1_000", "0x10", "2020-01-01", "٣", "1,5"])
def test_what_is_no_number_is_no_place_in_an_order(tmp_path, number):
    path = write_csv(tmp_path / "a.csv", ["basket", "item", "time"], [("x", "a", "1"), ("x", "b", number)])
    told = refusal(read_events, path, COLUMNS._replace(order="time"))
    assert f"a.csv, line 3: 'time' is {number!r}, no number: repair the line or leave it out" in told
    assert "'time' is" in refusal(read_events, path, COLUMNS._replace(value="time"))


def test_titles_that_cannot_be_are_told(tmp_path):
    path = tmp_path / "titles.csv"

    def told(text):
        path.write_text(text)
        return refusal(read_titles, str(path), item_column="item", title_column="title")

    assert "titles.csv, line 3 gives the item '1' another title than before: leave one" in told(
        "item,title\n1,a\n1,b\n"
    )
    assert "line 2 has no title ('title' is empty)" in told("item,title\n1,\n")
    assert "line 2 has no item ('item' is empty)" in told("item,title\n,a\n")
    assert "has no column 'title', its columns are item: name one by --data.item-column or" in told("item\n1\n")
    missing = refusal(read_titles, str(tmp_path / "none.csv"), item_column="item", title_column="title")
    assert "there is no file or folder" in missing
    assert "--data.title-source takes" in missing
    source = write_csv(tmp_path / "a.csv", ["basket", "item"], [("x", "1"), ("x", "2")])
    told = refusal(with_titles, read_events(source, COLUMNS), {"1": "2"})
    assert "the items '1' and '2' would both be called '2': change a title in --data.title-source" in told
