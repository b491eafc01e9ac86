"""Labelled data sets of tensorflow-datasets: one that a real builder makes, read back in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MAKE = """
import sys
import numpy as np
import tensorflow_datasets as tfds

class LittleReviews(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name) for name in ("plain", "scored")]

    def _info(self):
        features = {
            "plain": {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names=["neg", "pos"])},
            "scored": {
                "review": tfds.features.Text(),
                "stars": tfds.features.Scalar(np.int64),
                "mood": tfds.features.Text(),
                "weight": tfds.features.Scalar(np.float32),
            },
        }[self.builder_config.name]
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, _):
        return {name: self._generate_examples(name) for name in ("train", "test", "unsupervised", "valid")}

    def _generate_examples(self, split):
        for i in range(4 if split == "train" else 2):
            everything = {"text": f"{split} {i} é", "label": -1 if split == "unsupervised" else i % 2,
                          "review": f"{split} {i}", "stars": 10 - i, "mood": " glad " if i else "sad", "weight": 0.5}
            yield i, {name: everything[name] for name in self.info.features}

for config in ("plain", "scored"):
    LittleReviews(config=config, data_dir=sys.argv[1], file_format="array_record").download_and_prepare()
"""

READ = """
import json, sys
from jaxseq.data import read_labelled
from jaxseq.errors import InputError

answers = []
for source, options in json.loads(sys.argv[1]):
    try:
        parts = read_labelled(source, **options)
        answers.append({name: sorted(zip(part.texts, part.labels)) for name, part in parts.items()})
    except InputError as error:
        answers.append(str(error))
heavy = [name for name in ("tensorflow", "jax") if name in sys.modules]
print(json.dumps({"answers": answers, "heavy": heavy}))
"""

PLAIN, SCORED = "tfds:little_reviews/plain", "tfds:little_reviews/scored"
SOURCES = {
    "default": (PLAIN, {}),
    "split": (f"{PLAIN}:train[:50%]", {"test_source": f"{PLAIN}:test"}),
    "unlabelled": (f"{PLAIN}:unsupervised", {}),
    "numbers": (f"{SCORED}#review", {"label_column": "stars"}),
    "words": (SCORED, {"text_column": "review", "label_column": "mood"}),
    "no label": (SCORED, {"text_column": "review"}),
    "wrong label": (SCORED, {"text_column": "review", "label_column": "weight"}),
    "several texts": (SCORED, {"label_column": "stars"}),
    "no split": (f"{PLAIN}:nosuch", {}),
}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    root = Path(__file__).parents[2]
    environment = {**os.environ, "TFDS_DATA_DIR": str(folder), "PYTHONPATH": str(root), "TQDM_DISABLE": "1"}
    subprocess.run([sys.executable, "-c", MAKE, str(folder)], check=True, env=environment, capture_output=True)
    arguments = [sys.executable, "-W", "error", "-c", READ, json.dumps(list(SOURCES.values()))]
    done = subprocess.run(arguments, check=True, env=environment, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def answers(result):
    return dict(zip(SOURCES, result["answers"], strict=True))


def test_splits_are_parts_and_labels_the_names_of_classes(answers):
    train = [[f"train {i} é", ["neg", "pos"][i % 2]] for i in range(4)]
    valid, test = ([[f"{name} 0 é", "neg"], [f"{name} 1 é", "pos"]] for name in ("valid", "test"))
    assert answers["default"] == {"train": train, "validation": valid, "test": test}
    assert list(answers["default"]) == ["train", "validation", "test"]


def test_a_split_that_is_asked_for_is_all_there_is(answers):
    assert len(answers["split"]["train"]) == 2
    assert answers["split"]["test"] == answers["default"]["test"]
    assert list(answers["split"]) == ["train", "test"]


def test_other_features_can_be_chosen(answers):
    assert answers["numbers"]["train"] == [[f"train {i}", str(10 - i)] for i in range(4)]
    assert answers["words"]["train"] == [[f"train {i}", "glad" if i else "sad"] for i in range(4)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unlabelled", "unsupervised: example 0 has no label ('label' is -1): choose another split"),
        (
            "no label",
            "little_reviews/scored has no feature 'label', only mood, review, stars, weight: name that of the",
        ),
        ("wrong label", "the feature 'weight' is no label: name another one as --data.label-column"),
        ("several texts", "has several texts (mood, review): choose one, tfds:little_reviews/scored#mood"),
        ("no split", "Unknown split 'nosuch'"),
    ],
)
def test_what_has_no_labels_is_one_clear_line(answers, name, message):
    assert message in answers[name]
    assert "\n" not in answers[name]


def test_tensorflow_is_not_imported(result):
    assert result["heavy"] == []
