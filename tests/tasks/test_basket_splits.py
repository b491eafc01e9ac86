"""Baskets as the sentences of word vectors: which items and baskets there are, and what is learned of them."""

import dataclasses
import itertools
import json

import jax
import numpy as np
import pytest
from small_baskets import KINDS, draw_baskets, experiment_of, write_lists

from jaxseq.config import AdamConfig, BasketsConfig, CorpusConfig, LanguageModelingConfig
from jaxseq.errors import ConfigError, InputError
from jaxseq.runs.in_memory import train_model
from jaxseq.tasks import WordVectorLearning, Workspace
from jaxseq.tasks.task import task_of
from jaxseq.text.tokenizers import tokenizer_from_text

ALL = {"split": (1.0, 0.0, 0.0)}


def made(experiment, **workspace) -> WordVectorLearning:
    return WordVectorLearning.create(experiment, Workspace(**workspace))


def named(task, split="train"):
    ids, offsets = task.texts.sentences[split]
    return [[task.words[at] for at in ids[start:end]] for start, end in itertools.pairwise(offsets)]


def test_items_are_words_to_the_letter_the_most_frequent_first(tmp_path):
    baskets = [["a b", "c"], ["c", "\n", "<unk>"], ["c", "a b"], ["d"]]
    task = made(experiment_of(write_lists(tmp_path / "a.jsonl", baskets), data=ALL))
    assert task.words == ("c", "a b", "\n", "<unk>", "d")
    assert task.counts == (3, 2, 1, 1, 1)
    assert named(task) == baskets
    assert task.overview().startswith("8 items in 4 baskets (1 of them of one item, which teach nothing), of those ")
    tokenizer = tokenizer_from_text(task.artifacts()["tokenizer.json"])
    for item in task.words:
        assert tokenizer.decode(tokenizer.encode(item)) == item


def test_items_below_the_least_count_and_baskets_of_no_others_are_as_if_they_were_not_there(tmp_path):
    baskets = [["a", "rare", "b"], ["rarer"], ["b", "a"], ["b"]]
    task = made(experiment_of(write_lists(tmp_path / "a.jsonl", baskets), data={**ALL, "min_count": 2}))
    assert task.words == ("b", "a")
    assert named(task) == [["a", "b"], ["b", "a"], ["b"]]


def test_shares_are_of_baskets_and_a_split_may_have_a_source_of_its_own(tmp_path):
    baskets = [["a", "b", "c", "d", "e"], ["a", "b"], ["b", "c"], ["c", "a"]]
    source = write_lists(tmp_path / "a.jsonl", baskets)
    task = made(experiment_of(source, data={"split": (0.5, 0.25, 0.25)}))
    assert [named(task, split) for split in task.splits()] == [baskets[:2], baskets[2:3], baskets[3:]]
    assert task.words[3:] == ("d", "e")
    other = write_lists(tmp_path / "b.jsonl", [["e", "new", "a"]])
    task = made(experiment_of(source, data={**ALL, "validation_source": str(other)}))
    assert named(task) == baskets
    assert named(task, "validation") == [["e", "a"]]


def test_the_task_is_restored_from_its_artifacts_alone_and_knows_its_data_again(tmp_path):
    source = write_lists(tmp_path / "a.jsonl", draw_baskets(40))
    experiment = experiment_of(source)
    task = made(experiment)
    assert task_of(experiment) is WordVectorLearning
    restored = WordVectorLearning.restore(experiment, task.artifacts())
    assert (restored, hash(restored)) == (task, hash(task))
    again = made(experiment, artifacts=task.artifacts())
    assert again.has_fingerprint(task.fingerprint())
    write_lists(source, draw_baskets(40, seed=1))
    assert not made(experiment, artifacts=task.artifacts()).has_fingerprint(task.fingerprint())


def test_a_table_of_items_and_one_of_baskets_are_the_same_batches(tmp_path):
    baskets = draw_baskets(30)
    lists = made(experiment_of(write_lists(tmp_path / "a.jsonl", baskets)))
    rows = [{"order": at, "what": item} for at, basket in enumerate(baskets) for item in basket]
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    events = made(experiment_of(tmp_path / "b.jsonl", data={"basket_column": "order", "item_column": "what"}))
    assert events.words == lists.words
    assert events.fingerprint() == lists.fingerprint()
    for one, other in zip(events.training_loader(3), lists.training_loader(3), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("ordered", [True, False])
def test_the_order_of_items_stays_or_is_drawn_anew_in_each_epoch(tmp_path, ordered):
    source = write_lists(tmp_path / "a.jsonl", [[f"i{at}" for at in range(16)]])
    data = {**ALL, "ordered": ordered, "batch_size": 1, "shuffle": False}
    task = made(experiment_of(source, data=data, task={"shrink_windows": False}))
    rows = [task.training_loader(epoch).tokens[0, 3:-3].tolist() for epoch in range(3)]
    assert [sorted(row) for row in rows] == 3 * [list(range(16))]
    assert len({tuple(row) for row in rows}) == (1 if ordered else 3)
    batch = task.training_loader(0)
    np.testing.assert_array_equal(batch.left[0], np.minimum(3, np.arange(16)))


def test_titles_are_the_words_and_items_without_one_are_told(tmp_path):
    source = write_lists(tmp_path / "a.jsonl", [["1", "2"], ["2", "3"]])
    (tmp_path / "titles.tsv").write_text("item\tname\n1\tToy Story (1995)\n2\tHeat (1995)\n")
    titles = {"title_source": str(tmp_path / "titles.tsv"), "title_column": "name"}
    told = []
    task = made(experiment_of(source, data={**ALL, **titles}), tell=told.append)
    assert task.words == ("Heat (1995)", "Toy Story (1995)", "3")
    (line,) = told
    assert line.startswith("items of ")
    assert line.endswith("titles.tsv, which stay as they are: 1")


def test_two_kinds_of_items_that_never_meet_come_to_lie_apart(tmp_path):
    task = made(experiment_of(write_lists(tmp_path / "a.jsonl", draw_baskets()), data=ALL))
    params = task.init(jax.random.key(0))["params"]
    params = train_model(task.loss, params, task.training_loader, steps=150, optimizer=AdamConfig(learning_rate=0.04))
    vectors = task.vectors({"params": params}).vectors
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    kind = np.array([item in KINDS[0] for item in task.words])
    same = kind[:, None] == kind
    assert cosines[same].min() > cosines[~same].max() + 0.1


def test_what_gives_nothing_to_learn_is_told(tmp_path):
    source = write_lists(tmp_path / "a.jsonl", [["a", "b"], ["c"], ["b"]])
    with pytest.raises(ConfigError, match=r"data\.min_count is 3, the most frequent item occurs 2 times: lower it"):
        made(experiment_of(source, data={**ALL, "min_count": 3}))
    with pytest.raises(InputError, match=r"the train split cannot be used: no sentence has two known words"):
        _ = made(experiment_of(source, data={**ALL, "min_count": 2})).training_loader
    with pytest.raises(InputError, match=r"the split 'test' has no basket with a known item, data\.split is"):
        made(experiment_of(source, data={"split": (0.8, 0.2, 0.0), "test_source": str(only(tmp_path, "z"))}))
    other = dataclasses.replace(experiment_of(source), task=LanguageModelingConfig())
    with pytest.raises(ConfigError, match=r"data\.kind is 'baskets'"):
        task_of(other).create(other, Workspace())


def only(folder, item):
    return write_lists(folder / "only.jsonl", [[item]])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"order_column": "t"},
            r"data\.order_column is 't': each row is a basket, give data\.basket_column or leave it",
        ),
        ({"value_column": "t"}, r"data\.value_column is 't': each row is a basket"),
        ({"basket_column": "item"}, r"data\.basket_column is 'item': that column holds the items, name another one"),
        ({"basket_column": "b", "separator": ","}, r"data\.separator is ',': each row is one item of data\.basket_co"),
        ({"item_column": ""}, r"data\.item_column is '': name the column that holds the items"),
        ({"title_source": "t.csv", "title_column": "item"}, r"data\.title_column is 'item': name the column that hold"),
        ({"split": (0.5, 0.4, 0.0)}, r"data\.split is \(0\.5, 0\.4, 0\.0\): give three shares that add up to 1"),
        ({"validation_source": "b.csv"}, r"data\.validation_source is 'b\.csv': data\.split has a share for"),
        ({"least_value": float("nan")}, r"data\.least_value is nan: give a number from"),
    ],
)
def test_columns_that_do_not_go_together_are_told(fields, message):
    with pytest.raises(ConfigError, match=message):
        BasketsConfig(**fields)


def test_baskets_and_running_text_are_split_by_the_same_rules():
    for section in (BasketsConfig, CorpusConfig):
        config = section(source="a", split=(0.9, 0.1, 0.0), test_source="b")
        assert config.splits == ("train", "validation", "test")
        assert config.sources == ("a", "b")
        assert config.has_validation
        assert config.elsewhere("c") == section(source="c", split=(0.9, 0.1, 0.0))
