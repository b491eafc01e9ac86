"""The page docs/pictures.md: its example is run, it names options that there are, its counts are those of the data."""

import collections
import re

import pytest
from pages import blocks, read_page
from test_caption_splits import pairs_in

from jaxseq.config import CaptionsConfig, DigitScenesConfig, DigitsConfig
from jaxseq.config.fields import rules_of
from jaxseq.data import read_captions, split_combinations

PAGE = read_page("pictures.md")


def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = blocks(PAGE)
    assert example.count("assert") == 5
    exec(compile(example, "docs/pictures.md", "exec"), {})


def test_it_names_options_that_there_are():
    named = {name.replace("-", "_") for name in re.findall(r"(?:--|`)data\.([a-z_-]+)", PAGE)} - {"kind"}
    assert named <= {*rules_of(CaptionsConfig), *rules_of(DigitScenesConfig), *rules_of(DigitsConfig)}
    assert len(named) > 12


def test_its_counts_of_combinations_are_those_of_the_emoji(data_folder):
    folder = data_folder / "emoji_captions"
    if not folder.is_dir():
        pytest.skip(f"no emoji_captions in {data_folder}")
    table = str(folder / "captions.tsv")
    emoji = read_captions(str(folder / "images.zip"), captions=table, caption_columns=("english",))
    captions = [text for ((_, text),) in emoji.captions]
    alike = collections.Counter(picture.tobytes() for picture in emoji.pictures)
    pairs = {caption: caption.split(": ") for caption in captions if ": " in caption}
    partners = collections.Counter(part for pair in pairs.values() for part in enumerate(pair))
    possible = [
        pairs[caption]
        for caption, picture in zip(captions, emoji.pictures, strict=True)
        if caption in pairs
        and alike[picture.tobytes()] == 1
        and all(partners[part] > 1 for part in enumerate(pairs[caption]))
    ]
    x, y = map(set, zip(*possible, strict=True))
    counts = (
        f"{len(pairs):,} combinations of the emoji {len(possible):,} may be, of {len(x)} things X and {len(y)} desc"
    )
    assert counts in " ".join(PAGE.split())
    splits = split_combinations(emoji, (0.8, 0.1, 0.1), language="english")
    train, held = len(splits["train"]["train"].names), len(splits["validation"]["validation"].names)
    assert f"gives {train:,} pictures to train on, {held} for validation" in " ".join(PAGE.split())
    unseen, seen = (len(part.names) for part in splits["test"].values())
    assert f"{unseen} that are *unseen*, and {seen} that are *seen*" in " ".join(PAGE.split())
    one = [y for _, y in pairs_in(splits["test"]["unseen"], "english") if re.fullmatch(r"[a-z-]+ skin tone", y)]
    assert f"Of {unseen} combinations to test {len(one)} have one skin tone" in " ".join(PAGE.split())
