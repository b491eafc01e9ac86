"""Pictures of tensorflow-datasets: small sets that real builders make, read back in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MAKE = """
import io, sys
import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

def png(number):
    out = io.BytesIO()
    Image.fromarray(np.full((4, 5, 3), number, np.uint8)).save(out, "PNG")
    return out.getvalue()

text, image = tfds.features.Text(), tfds.features.Image()
FEATURES = {
    "coco": {"image": image, "image/filename": text,
             "captions": tfds.features.Sequence({"id": tfds.features.Scalar(np.int64), "text": text})},
    "flickr": {"image": image, "captions": tfds.features.Sequence(text), "title": text},
    "languages": {"picture": image, "said": tfds.features.Translation(languages=("de", "en"))},
    "digits": {"image": image, "label": tfds.features.ClassLabel(num_classes=10)},
    "two": {"image": image, "mask": image, "caption": text},
    "empty": {"image": image, "caption": text},
    "texts": {"caption": text},
}

class LittlePictures(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name) for name in FEATURES]

    def _info(self):
        features = tfds.features.FeaturesDict(FEATURES[self.builder_config.name])
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, _):
        return {"train": self._generate_examples("train", 3), "test": self._generate_examples("test", 2)}

    def _generate_examples(self, split, count):
        name = self.builder_config.name
        for i in range(count):
            several = [f" {split} {i} é ", f"more of {i}"]
            captions = several if name == "flickr" else [{"id": n, "text": said} for n, said in enumerate(several)]
            everything = {"image": png(i), "picture": png(i), "mask": png(i), "image/filename": f"{split}_{i}.png",
                          "captions": captions, "title": "t", "caption": "" if name == "empty" else "c",
                          "said": {"de": f"Bild {i}", "en": f"picture {i}"}, "label": 9 - i}
            yield i, {key: everything[key] for key in self.info.features}

for config in FEATURES:
    LittlePictures(config=config, data_dir=sys.argv[1], file_format="array_record").download_and_prepare()
"""

READ = """
import json, sys
from jaxseq.data import read_captions, read_digits
from jaxseq.errors import InputError

answers = []
for source, options in json.loads(sys.argv[1]):
    try:
        if source.endswith("digits"):
            parts = read_digits(source).items()
            answers.append({name: [part.pictures[:, 0, 0].tolist(), part.labels.tolist()] for name, part in parts})
        else:
            found = read_captions(source, **options)
            answers.append([found.names, found.pictures.shape, found.pictures[:, 0, 0, 0].tolist(), found.captions])
    except InputError as error:
        answers.append(str(error))
heavy = [name for name in ("tensorflow", "jax") if name in sys.modules]
print(json.dumps({"answers": answers, "heavy": heavy}))
"""

SET = "tfds:little_pictures/"
SOURCES = {
    "coco": (f"{SET}coco", {}),
    "test": (f"{SET}coco:test", {"size": [2, 3], "channels": 1, "caption_columns": ["captions/text"]}),
    "flickr": (f"{SET}flickr", {}),
    "languages": (f"{SET}languages", {"caption_columns": ["said/en", "said/de"]}),
    "digits": (f"{SET}digits", {}),
    "mask": (f"{SET}two#mask", {}),
    "two": (f"{SET}two", {}),
    "no such picture": (f"{SET}two#photo", {}),
    "several": (f"{SET}languages", {}),
    "unknown": (f"{SET}coco", {"caption_columns": ["captions/korean"]}),
    "empty": (f"{SET}empty", {}),
    "texts": (f"{SET}texts", {}),
    "no split": (f"{SET}coco:nosuch", {}),
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


def test_captions_are_found_by_the_features_there_are(answers):
    names, shape, values, captions = answers["coco"]
    assert sorted(names) == ["train_0.png", "train_1.png", "train_2.png"]
    assert shape == [3, 4, 5, 3]
    numbers = [int(name[6]) for name in names]
    assert values == numbers
    assert captions == [[["", f"train {i} é"], ["", f"more of {i}"]] for i in numbers]
    names, _, values, captions = answers["flickr"]
    assert names == ["train 0", "train 1", "train 2"]
    assert captions == [[["", f"train {i} é"], ["", f"more of {i}"]] for i in values]


def test_a_split_a_size_and_a_feature_can_be_asked_for(answers):
    names, shape, _, captions = answers["test"]
    assert sorted(names) == ["test_0.png", "test_1.png"]
    assert shape == [2, 2, 3, 1]
    assert {language for each in captions for language, _ in each} == {"captions/text"}
    assert answers["mask"][1] == [3, 4, 5, 3]


def test_translations_are_languages(answers):
    _, _, values, captions = answers["languages"]
    assert captions == [[["said/en", f"picture {i}"], ["said/de", f"Bild {i}"]] for i in values]


def test_pictures_with_classes_are_digits(answers):
    assert list(answers["digits"]) == ["train", "test"]
    for part, count in (("train", 3), ("test", 2)):
        values, labels = answers["digits"][part]
        assert sorted(values) == [[i] for i in range(count)]
        assert labels == [9 - value for (value,) in values]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("two", "has several pictures (image, mask): choose one, tfds:little_pictures/two#image"),
        ("no such picture", "has no picture 'photo', only image, mask: choose one of these"),
        ("several", "has several texts (said/de, said/en): name those that are captions by --data.languages"),
        ("unknown", "has no text 'captions/korean', only captions/text: name others by --data.languages"),
        ("empty", "empty, example 0 has a caption without words (caption): choose another split"),
        ("texts", "little_pictures/texts has no picture among its features: give another data set"),
        ("no split", "Unknown split 'nosuch'"),
    ],
)
def test_what_has_no_captioned_pictures_is_one_clear_line(answers, name, message):
    assert message in answers[name]
    assert "\n" not in answers[name]


def test_tensorflow_is_not_imported(result):
    assert result["heavy"] == []
