"""Data sets of tensorflow-datasets: a small one that a real builder makes, read back in a process of its own."""

import json
import os
import subprocess
import sys
import threading
import urllib.error
from email.message import Message
from pathlib import Path

import pytest

from jaxseq.data import tfds_source
from jaxseq.errors import InputError

MAKE = """
import sys
import numpy as np
import tensorflow_datasets as tfds

class LittlePoems(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name) for name in ("plain", "paired", "numbers")]

    def _info(self):
        text, number = tfds.features.Text(), tfds.features.Scalar(np.int64)
        features = {
            "plain": {"text": text, "title": text, "year": number},
            "paired": {"english": text, "korean": text},
            "numbers": {"year": number},
        }[self.builder_config.name]
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, _):
        return {"train": self._generate_examples("train", 5), "test": self._generate_examples("test", 2)}

    def _generate_examples(self, split, count):
        for i in range(count):
            everything = {"text": f"{split} poem {i} é", "title": f"title {i}", "year": 1600 + i,
                          "english": f"tree {i}", "korean": f"나무 {i}"}
            yield i, {name: everything[name] for name in self.info.features}

for config in ("plain", "paired", "numbers"):
    LittlePoems(config=config, data_dir=sys.argv[1], file_format="array_record").download_and_prepare()
"""

READ = """
import json, sys
from jaxseq.data import read_documents, source_fingerprint, tfds_source
from jaxseq.errors import InputError

answers = {}
for source in sys.argv[1:]:
    try:
        answers[source] = list(read_documents(source))
    except InputError as error:
        answers[source] = str(error)

# A data set that has yet to be prepared: one whose code is at hand and that downloads nothing.
tfds_source._online = lambda: True
import tensorflow_datasets as tfds

class FreshPoem(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.FeaturesDict({"verse": tfds.features.Text()})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, _):
        return {"all_of_it": self._generate_examples()}

    def _generate_examples(self):
        yield 0, {"verse": "fresh"}

class LostPoem(FreshPoem):
    def _split_generators(self, _):
        raise OSError("the host is gone")

answers["fresh"] = list(read_documents("tfds:fresh_poem"))
try:
    list(read_documents("tfds:lost_poem"))
except InputError as error:
    answers["lost"] = str(error)
fingerprints = [source_fingerprint(f"tfds:little_poems/plain:{split}") for split in ("train", "test", "train")]
heavy = [name for name in ("tensorflow", "jax") if name in sys.modules]
print(json.dumps({"answers": answers, "fingerprints": fingerprints, "heavy": heavy}))
"""

PLAIN = "tfds:little_poems/plain"
SOURCES = {
    "default": PLAIN,
    "test": f"{PLAIN}:test",
    "version": f"{PLAIN}:1.0.0:test",
    "both": f"{PLAIN}:train+test",
    "slice": f"{PLAIN}:train[:40%]",
    "title": f"{PLAIN}:test#title",
    "no split": f"{PLAIN}:nosuch",
    "no feature": f"{PLAIN}#year",
    "several": "tfds:little_poems/paired",
    "chosen": "tfds:little_poems/paired:test#korean",
    "no text": "tfds:little_poems/numbers",
    "unknown": "tfds:no_such_data_set_anywhere",
    "malformed": "tfds:",
}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    root = Path(__file__).parents[2]
    environment = {**os.environ, "TFDS_DATA_DIR": str(folder), "PYTHONPATH": str(root), "TQDM_DISABLE": "1"}
    subprocess.run([sys.executable, "-c", MAKE, str(folder)], check=True, env=environment, capture_output=True)
    arguments = [sys.executable, "-W", "error", "-c", READ, *SOURCES.values()]
    done = subprocess.run(arguments, check=True, env=environment, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def answers(result):
    return {name: result["answers"][source] for name, source in SOURCES.items()}


def test_each_example_is_a_document_and_train_the_default_split(answers):
    assert sorted(answers["default"]) == [f"train poem {i} é" for i in range(5)]
    assert sorted(answers["test"]) == sorted(answers["version"]) == ["test poem 0 é", "test poem 1 é"]


def test_splits_take_the_syntax_of_tfds(answers):
    assert answers["both"] == answers["default"] + answers["test"]
    assert answers["slice"] == answers["default"][:2]


def test_another_feature_can_be_chosen(answers):
    assert sorted(answers["title"]) == ["title 0", "title 1"]
    assert sorted(answers["chosen"]) == ["나무 0", "나무 1"]


def test_a_data_set_that_is_not_here_is_fetched_and_prepared(result):
    assert result["answers"]["fresh"] == ["fresh"]


def test_a_data_set_that_cannot_be_fetched_is_one_clear_line(result):
    assert result["answers"]["lost"].startswith("tfds:lost_poem could not be fetched (the host is gone")


def test_tensorflow_is_not_imported(result):
    assert result["heavy"] == []


def test_a_fingerprint_tells_splits_apart(result):
    train, test, again = result["fingerprints"]
    assert train == again != test


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no split", "Unknown split 'nosuch'. Should be one of ['train', 'test']"),
        ("no feature", "the feature 'year' is no text; there are"),
        ("several", "has several texts (english, korean): choose one, tfds:little_poems/paired#english"),
        ("no text", "has no text among its features (year)"),
        ("unknown", "no_such_data_set_anywhere is no data set that tfds can open"),
        ("malformed", "tfds: names no data set"),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(answers, name, message):
    assert message in answers[name]
    assert "\n" not in answers[name]


def test_without_a_network_a_data_set_that_is_not_here_is_refused_before_any_download(tmp_path, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(tfds_source, "_online", lambda: False)
    downloads = []
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", lambda *_a, **_o: downloads.append(1))
    with pytest.raises(InputError) as caught:
        next(tfds_source.read_tfds("tiny_shakespeare"))
    assert not downloads
    assert f"tiny_shakespeare is not in {tmp_path}" in str(caught.value)
    assert "no network to fetch it: give a file as --data.source instead" in str(caught.value)


def test_a_name_server_that_never_answers_counts_as_no_network(monkeypatch):
    decided, gave_up = threading.Event(), threading.Event()

    def silence(*_args, **_options):
        if not decided.wait(60):
            gave_up.set()
        raise OSError

    monkeypatch.setattr("urllib.request.urlopen", silence)
    assert not tfds_source._online(seconds=0.1)
    assert not gave_up.is_set(), "the answer was waited for"
    decided.set()


def test_any_answer_counts_as_a_network(monkeypatch):
    def forbidden(url, **_options):
        raise urllib.error.HTTPError(url, 403, "Forbidden", Message(), None)

    monkeypatch.setattr("urllib.request.urlopen", forbidden)
    assert tfds_source._online()


def test_bytes_that_are_no_utf8_are_named_with_example_and_offset():
    with pytest.raises(InputError, match=r"tfds:poems: example 7 is not valid utf-8: byte 0xe9 at offset 3"):
        tfds_source._text_of({"text": b"caf\xe9"}, "text", "tfds:poems", 7)
