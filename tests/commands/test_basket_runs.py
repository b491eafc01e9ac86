"""Runs on baskets by the commands: trained, asked by title, measured on others, and bad tables told in one line."""

import csv
import json

import pytest
from command_line import assert_same_arrays, jaxseq, refused
from small_baskets import KINDS, draw_baskets

BASKETS = [
    *("--task.kind", "word_vectors", "--data.kind", "baskets", "--model.kind", "vectors", "--model.features", "5"),
    *("--task.window", "3", "--task.shared", "0", "--task.subsample", "0", "--data.length", "16"),
    *("--data.batch-size", "4", "--optimizer.kind", "adam", "--optimizer.learning-rate", "0.04"),
    *("--train.epochs", "8", "--train.devices", "1"),
]
EVENTS = [
    *("--data.source", "bought.csv", "--data.basket-column", "order", "--data.item-column", "article"),
    *("--data.order-column", "time", "--data.value-column", "number", "--data.least-value", "1"),
    *("--data.title-source", "articles.csv", "--data.title-column", "name", "--data.split", "0.8", "0.1", "0.1"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("baskets")
    number = {item: f"{at:04}" for at, item in enumerate(KINDS[0] + KINDS[1])}
    rows, time = [], 0
    for order, basket in enumerate(draw_baskets(200)):
        for item in basket:
            rows.append([f"o{order}", number[item], str(time), "1"])
            time += 1
        rows.append([f"o{order}", number[KINDS[order % 2][0]], str(time), "-1"])  # given back
    with (folder / "bought.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["order", "article", "time", "number"], *reversed(rows)])
    with (folder / "articles.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["article", "name"], *((at, item) for item, at in number.items())])
    (folder / "lists.jsonl").write_text("".join(json.dumps({"item": basket}) + "\n" for basket in draw_baskets(200)))
    code, out, err = jaxseq("train", *BASKETS, *EVENTS, "--name", "events", folder=folder)
    assert code == 0, err
    assert ", nearest by cosine\n" in out
    assert " items in 200 baskets, of those to train on 100% in an epoch, vocabulary 10, " in out + err
    return folder


def test_a_run_is_asked_by_the_title_of_an_item(folder):
    asked = KINDS[1][3]
    code, out, err = jaxseq("nearest", "runs/events", asked, "--count", "4", "--json", folder=folder)
    assert (code, err) == (0, "")
    assert {each["word"] for each in json.loads(out)["nearest"]} == set(KINDS[1]) - {asked}


def test_lists_of_json_give_the_very_run_that_rows_of_items_do(folder):
    lists = ["--data.source", "lists.jsonl", *EVENTS[-4:]]
    code, _, err = jaxseq("train", *BASKETS, *lists, "--name", "lists", folder=folder)
    assert code == 0, err
    assert_same_arrays(folder / "runs/lists", folder / "runs/events")


def test_it_is_measured_and_goes_on_with_the_same_baskets_alone(folder):
    first, second = (jaxseq("evaluate", "runs/events", "--split", "test", "--json", folder=folder) for _ in range(2))
    assert first.out == second.out
    assert json.loads(first.out)["pairs"]["pairs"] > 10
    table = folder / "bought.csv"
    before = table.read_text()
    table.write_text(before.replace("o3,", "o4,"))
    told = refused("train", *BASKETS, *EVENTS, "--name", "events", "--train.epochs", "9", folder=folder)
    table.write_text(before)
    assert "have changed" in told or "has changed" in told


BAD = {
    ("a.csv", "basket,thing\n1,a\n"): "a.csv has no column 'item', its columns are basket, thing: name one by",
    ("a.csv", "basket,item\n1,a\n,b\n"): "a.csv, line 3 has no basket ('basket' is empty): repair the line",
    ("a.csv", "basket,item\n1,a\n1,\n"): "a.csv, line 3 has no item ('item' is empty): repair the line or leave it out",
    ("a.csv", "basket,item\n1,a\n2,b\n"): "the train split cannot be used: no sentence has two known words",
    ("a.csv", "basket,item\n"): "a.csv has no row: give --data.source a table that has some",
    ("b.jsonl", "[1, 2]\n"): "b.jsonl, line 1 is no JSON object: give one object on each line",
    ("b.jsonl", '{"item": [1\n'): "b.jsonl, line 1 is no JSON (",
    (
        "b.jsonl",
        '{"items": [1]}\n',
    ): "b.jsonl, line 1 has no 'item', its columns are items: name one by --data.item-col",
    ("b.jsonl", '{"item": "a b"}\n'): "'item' is one text, no list: say by --data.separator what separates its parts",
    ("b.jsonl", '{"item": []}\n'): "b.jsonl, line 1 has no item ('item' is empty): repair the line or leave it out",
}


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_table_that_is_no_table_of_baskets_is_told_in_one_line(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    shape = ["--data.basket-column", "basket"] if name.endswith(".csv") else []
    told = refused("train", *BASKETS, "--data.source", name, *shape, "--data.split", "1", "0", "0", folder=tmp_path)
    assert BAD[name, text] in told


def test_an_order_that_is_no_number_a_missing_source_and_rare_items_are_told_in_one_line(tmp_path):
    (tmp_path / "a.csv").write_text("basket,item,day\n1,a,3\n1,b,Monday\n")
    words = [*BASKETS, "--data.source", "a.csv", "--data.basket-column", "basket"]
    told = refused("train", *words, "--data.order-column", "day", folder=tmp_path)
    assert "a.csv, line 3: 'day' is 'Monday', no number: repair the line or leave it out" in told
    told = refused("train", *words, "--data.min-count", "2", folder=tmp_path)
    assert "data.min_count is 2, the most frequent item occurs 1 times: lower it" in told
    told = refused("train", *words, "--data.title-source", "none.csv", folder=tmp_path)
    assert "there is no file or folder none.csv" in told
    assert "--data.source is empty" in refused("train", *BASKETS, folder=tmp_path)
    assert "--data.source is -, which is no table" in refused("train", *BASKETS, "--data.source", "-", folder=tmp_path)
