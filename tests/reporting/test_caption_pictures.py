"""Pictures of where words looked, and the report of a captioner."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from jaxseq.errors import InputError
from jaxseq.metrics.translation import translation_scores
from jaxseq.reporting.caption_pictures import MOST_WORDS, Looked, caption_picture, is_caption_picture
from jaxseq.reporting.captions import Example, PartScores, is_report, report

DRAW = np.random.default_rng(0)
PICTURE = DRAW.integers(0, 256, (16, 24, 3)).astype(np.uint8)


def maps_of(count, rows=2, columns=3):
    maps = DRAW.random((count, rows, columns))
    return maps / maps.sum(axis=(1, 2), keepdims=True)


def pixels_of(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("words", [["a", "dog"], ["칠", "위에", "삼"], ["x"] * MOST_WORDS])
def test_a_png_comes_out_that_is_known_again(words, channels):
    png = caption_picture(PICTURE[..., :channels], [Looked(words, maps_of(len(words)), 8)], name="out.png")
    assert is_caption_picture(png[:1000])
    assert not is_caption_picture(png[:20])
    assert pixels_of(png).std() > 10


def test_several_captions_stand_below_each_other():
    one, both = (
        caption_picture(PICTURE, [Looked(["a", "b"], maps_of(2), 8, "english: a b")] * count, name="out.png")
        for count in (1, 2)
    )
    assert pixels_of(both).shape[0] > 1.8 * pixels_of(one).shape[0]


def test_where_a_word_looked_is_brighter_whatever_the_ground():
    for ground in (0, 128, 255):
        picture = np.full((16, 24, 3), ground, np.uint8)
        maps = np.zeros((1, 2, 3))
        maps[0, 0, 0] = 1
        shown = pixels_of(caption_picture(picture, [Looked(["word"], maps, 8)], name="out.png"))
        other = pixels_of(caption_picture(picture, [Looked(["word"], maps[:, ::-1, ::-1], 8)], name="out.png"))
        changed = np.abs(shown - other).sum(axis=-1) > 30
        assert changed.any()
        rows = np.flatnonzero(changed.any(axis=1))
        upper = changed & (np.arange(len(shown)) < rows.mean())[:, None]
        brighter = shown.sum(axis=-1)[upper] - other.sum(axis=-1)[upper]
        assert brighter.mean() > 30


def test_what_cannot_be_drawn_is_told():
    for maps, words, message in (
        (maps_of(2), ["a"], r"weights of shape \[2, 2, 3\] for 1 words"),
        (maps_of(0), [], "for 0 words"),
        (np.full((1, 2, 3), np.nan), ["a"], "not between 0 and 1"),
        (np.full((1, 2, 3), 2.0), ["a"], "not between 0 and 1"),
        (maps_of(65), ["a"] * 65, "would show 65 words: give captions of at most 64"),
    ):
        with pytest.raises(InputError, match=message):
            caption_picture(PICTURE, [Looked(words, maps, 8)], name="out.png")
    with pytest.raises(InputError, match=r"out\.png would show nothing"):
        caption_picture(PICTURE, [], name="out.png")


def test_words_with_signs_of_a_formula_are_set_as_they_are():
    words = ["$x^2", "$\\alpha$", "a_b"]
    assert caption_picture(PICTURE, [Looked(words, maps_of(3), 8)], name="out.png")


def test_a_report_has_scores_by_language_what_more_there_is_and_examples_by_picture():
    scores = translation_scores(hypotheses=["a dog runs here"], references=["a dog runs here"])
    part = PartScores({"english": scores, "korean": scores}, ["2 distinct captions of 3 pictures"])
    examples = [
        Example("x.png", "english", "a dog\x1b[2J", ("a dog", "the dog", "dog")),
        Example("x.png", "korean", "개", ("개",)),
        Example("y.png", "", "a cat", ("a cat",)),
    ]
    text = report({"unseen": part, "seen": part}, examples, by="by the parameters of step 3, beam 2")
    assert is_report(text.encode()[:1000])
    lines = text.splitlines()
    assert lines[0] == "captions by the parameters of step 3, beam 2"
    assert lines[1].startswith("free-running: ")
    assert lines.index("unseen") < lines.index("seen")
    assert sum(line.startswith("  english BLEU 100.00 (") for line in lines) == 2
    assert text.count("2 distinct captions of 3 pictures") == 2
    assert [line for line in lines if line.startswith("picture ")] == ["picture      x.png", "picture      y.png"]
    assert "english      a dog\\x1b[2J" in lines
    assert "made         a cat" in lines
    assert text.count("  reference") == 4  # two of a caption at the most
    assert "\x1b" not in text


def test_a_png_that_others_drew_is_none_of_ours():
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    assert not is_caption_picture(b"\x89PNG\r\n\x1a\n" + chunk)
