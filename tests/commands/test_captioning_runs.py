"""Runs of captioning by the commands: they go on exactly, are measured in parts, and caption pictures."""

import json
import shutil
import zipfile

import numpy as np
import pytest
from command_line import jaxseq, refused
from PIL import Image
from pulled_plug import assert_goes_on_exactly
from small_captioners import squares, write_squares

from jaxseq.data.picture_batches import CaptionLoader
from jaxseq.errors import InputError
from jaxseq.reporting.caption_pictures import is_caption_picture
from jaxseq.runs import load_run
from jaxseq.runs.captioning import caption_run
from jaxseq.tasks.capabilities import CaptionOptions

OWN = [
    *("--task.kind", "captioning", "--data.kind", "captions", "--data.source", "squares", "--model.kind", "captioner"),
    *("--data.languages", "english", "korean", "--data.split", "0.6", "0.2", "0.2", "--data.batch-size", "8"),
    *("--data.lengths", "1", "--task.longest", "8", "--task.beam", "2", "--task.examples", "1"),
    *("--train.steps", "16", "--train.evaluate-every", "8", "--train.metric", "exact"),
]
SMALL = [
    "--model.filters",
    "6",
    "--model.poolings",
    "1",
    "--model.features",
    "12",
    "--model.embedding",
    "6",
    "--model.cell",
    "gru",
]
WHOLE = [*OWN, *SMALL, "--model.output-dropout", "0.1", "--optimizer.learning-rate", "0.02"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where commands are typed: captioned squares, and a finished run runs/whole."""
    folder = tmp_path_factory.mktemp("captions")
    write_squares(folder / "squares", 60)
    write_squares(folder / "others", 6, seed=5)
    outcome = jaxseq("train", *WHOLE, "--name", "whole", "--train.devices", "2", folder=folder)
    assert outcome.code == 0, outcome.err
    assert "pictures of 8 x 8 x 3, read as 4 x 4 cells" in outcome.out
    assert "\ntest\n  english BLEU " in outcome.out
    assert "distinct captions in korean of" in outcome.out
    assert "jaxseq caption runs/whole picture.png" in outcome.out
    return folder


def captioned(folder, *words):
    code, out, err = jaxseq("caption", "runs/whole", *words, folder=folder)
    assert (code, err) == (0, "")
    return out.splitlines()


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(folder):
    words = [*WHOLE, "--train.devices", "2", "--task.examples", "0"]
    assert_goes_on_exactly(words, loader=CaptionLoader, whole="whole", folder=folder)
    one, other = (
        {line for line in (folder / "runs" / name / "metrics.csv").read_text().splitlines() if "validation" in line}
        for name in ("whole", "parts")
    )
    assert one == other
    assert len(one) == 2


def test_what_a_run_has_written_by_itself_is_in_its_columns_and_its_table(folder):
    head = (folder / "runs/whole/metrics.csv").read_text().splitlines()[0].split(",")
    assert {"loss", "accuracy", "bleu", "chrf", "exact", "right", "distinct"} <= set(head)
    code, out, err = jaxseq("evaluate", "runs/whole", "--split", "test", "--json", folder=folder)
    assert (code, err) == (0, "")
    measured = json.loads(out)["test"]
    assert {"chrf_english", "chrf_korean", "exact_korean", "distinct_english"} <= set(measured)
    table = jaxseq("evaluate", "runs/whole", "--split", "test", folder=folder).out
    assert "test, free-running, beam 2" in table
    assert "chrF korean" in table
    for name in ("captions.txt", "attention.png"):
        assert (folder / "runs/whole" / name).is_file()


def test_other_pictures_are_measured_by_what_the_run_keeps(folder):
    write_squares(folder / "more", 40, seed=8)
    words = ("runs/whole", "--source", "more", "--split", "test", "--json")
    code, out, err = jaxseq("evaluate", *words, folder=folder)
    assert (code, err) == (0, "")
    assert set(json.loads(out)) == {"test"}
    for path in (folder / "more").glob("*.png"):
        Image.open(path).resize((9, 9)).save(path)
    told = refused("evaluate", *words, folder=folder)
    assert "pictures in more are 9 x 9, and the model reads 8 x 8 x 3: give such" in told
    (folder / "squares/000.png").rename(folder / "000.png")
    try:
        assert "names the picture 000.png, which is not in squares" in refused("evaluate", "runs/whole", folder=folder)
        shutil.copy(folder / "squares/001.png", folder / "squares/000.png")
        assert "squares has changed since runs/whole was trained on it" in refused(
            "evaluate", "runs/whole", folder=folder
        )
    finally:
        (folder / "000.png").replace(folder / "squares/000.png")


def test_the_table_of_layers_is_printed_without_training(folder):
    code, out, err = jaxseq("summary", "runs/whole", folder=folder)
    assert (code, err) == (0, "")
    assert "PictureEncoder" in out


def test_a_line_comes_out_for_each_picture_and_language_as_in_a_script(folder):
    run = folder / "runs/whole"
    lines = captioned(folder, "others/000.png", "others/001.png", "--n-best", "2")
    described = list(
        caption_run(run, [str(folder / "others" / f"00{at}.png") for at in (0, 1)], options=CaptionOptions(n_best=2))
    )
    expected = [
        f"others/00{at}.png  {language}  {one.score:.4f}  {one.text}"
        for at, each in enumerate(described)
        for language, captions in each.captions.items()
        for one in captions
    ]
    assert lines == expected
    assert len(lines) == 8
    plain = captioned(folder, "others/000.png", "--plain", "--language", "korean")
    assert plain == [described[0].captions["korean"][0].text]
    loaded = load_run(run)
    names, pixels, *_ = squares(1, seed=5)[0]
    assert np.array_equal(described[0].picture.pixels, pixels)
    assert names == "000.png"
    assert list(loaded.task.splits()) == ["train", "validation", "test"]


@pytest.mark.parametrize("source", ["others", "others.zip", "others/*.png", "others.zip/*.png"])
def test_folders_archives_and_patterns_stand_for_all_their_pictures(folder, source):
    with zipfile.ZipFile(folder / "others.zip", "w") as archive:
        for path in sorted((folder / "others").iterdir()):
            archive.write(path, path.name)
    told = [json.loads(line) for line in captioned(folder, source, "--json")]
    alone = [json.loads(line) for at in range(6) for line in captioned(folder, f"others/00{at}.png", "--json")]
    assert [each["picture"].rpartition("/")[2] for each in told] == [f"00{at}.png" for at in range(6)]
    for one, other in zip(told, alone, strict=True):
        assert list(one["captions"]) == ["english", "korean"]
        for language in one["captions"]:
            (made,), (same,) = one["captions"][language], other["captions"][language]
            assert made["text"] == same["text"]
            assert made["score"] == pytest.approx(same["score"], abs=1e-4)
            assert {"text", "score", "log_probability", "certified"} == set(made)


def test_where_words_looked_is_drawn_in_the_place_of_an_earlier_picture_alone(folder, tmp_path):
    for path in ("squares", "others"):
        shutil.copytree(folder / path, tmp_path / path)
    shutil.copytree(folder / "runs", tmp_path / "runs")
    captioned(tmp_path, "others/000.png", "--attention", "out.png")
    first = (tmp_path / "out.png").read_bytes()
    assert is_caption_picture(first[:1000])
    captioned(tmp_path, "others/001.png", "--attention", "out.png", "--language", "english")
    assert (tmp_path / "out.png").read_bytes() != first
    (tmp_path / "out.png").write_bytes(b"mine")
    message = refused("caption", "runs/whole", "others/000.png", "--attention", "out.png", folder=tmp_path)
    assert "out.png is there and is none that jaxseq caption drew" in message


def test_what_is_transparent_is_put_on_white(folder):
    picture = squares(1, seed=5)[0][1]
    alpha = np.where((picture == 255).all(axis=-1), 0, 255).astype(np.uint8)
    hidden = np.where(alpha[..., None] == 0, 7, picture).astype(np.uint8)  # whatever lies under it
    Image.fromarray(np.concatenate([hidden, alpha[..., None]], axis=-1), "RGBA").save(folder / "alpha.png")
    (one,), (other,) = (
        captioned(folder, name, "--language", "english", "--plain") for name in ("alpha.png", "others/000.png")
    )
    assert one == other


def test_pictures_of_another_size_are_resized_where_those_trained_on_were(folder):
    large = Image.fromarray(squares(1, seed=5)[0][1]).resize((16, 16))
    large.save(folder / "large.png")
    told = refused("caption", "runs/whole", "large.png", folder=folder)
    assert "picture large.png is 16 x 16, and the run learned from 8 x 8 as they are: give one of that size" in told
    words = [*WHOLE, "--data.size", "8", "8", "--train.steps", "2", "--name", "resized", "--task.examples", "0"]
    assert jaxseq("train", *words, folder=folder).code == 0
    code, out, err = jaxseq("caption", "runs/resized", "large.png", folder=folder)
    assert (code, err) == (0, "")
    assert out.count("large.png") == 2


@pytest.fixture(scope="module")
def odd(folder):
    """Files that are no pictures, or damaged."""
    good = (folder / "others/000.png").read_bytes()
    (folder / "cut.png").write_bytes(good[:60])
    (folder / "text.png").write_text("no picture")
    (folder / "empty.png").write_bytes(b"")
    (folder / "nothing").mkdir()
    with zipfile.ZipFile(folder / "out.zip", "w") as archive:
        archive.writestr("../out.png", good)
    return folder


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("cut.png", "picture cut.png is damaged"),
        ("text.png", "picture text.png is no picture of a format that is read, or damaged"),
        ("empty.png", "picture empty.png is empty"),
        ("nowhere.png", "nowhere.png"),
        ("nowhere", "nowhere is not there: give as PICTURE a folder"),
        ("nothing", "nothing holds no picture"),
        ("no*.gif", "no*.gif matches no picture"),
        ("out.zip", "../out.png"),
        ("others/000.png --language german", "the language is 'german', and captions were learned in english, korean"),
        ("others/000.png --beam 0", "beam is 0: give 1 or more"),
        ("others/000.png --n-best 3", "the 3 best of a beam of 2 hypotheses cannot be given"),
        ("others/000.png --beam 2 --n-best 3", "n-best is 3, above the beam of 2"),
        ("others/000.png --max-length 0", "max-length is 0: give 1 or more"),
        ("others/000.png --length-penalty nan", "length-penalty is nan: give a number"),
        ("others/000.png --plain --json", "both --plain and --json are given"),
        ("others/000.png --attention out.jpg", "--attention is out.jpg: a picture is a .png file"),
        ("others --attention new.png", "--attention draws the words of one picture"),
        ("", "no picture is given"),
    ],
)
def test_what_cannot_be_is_one_line(odd, words, told):
    assert told in refused("caption", "runs/whole", *words.split(), folder=odd)


def test_a_picture_that_is_damaged_ends_a_list_after_those_before_it(odd):
    code, _, err = jaxseq("caption", "runs/whole", "others/000.png", "cut.png", folder=odd)
    assert code == 2
    assert err.startswith("error: picture cut.png is damaged")
    with pytest.raises(InputError, match=r"picture .* is damaged"):
        list(caption_run(odd / "runs/whole", [str(odd / "cut.png")]))


def test_a_run_without_attention_draws_nothing_and_one_that_captions_nothing_says_so(folder):
    words = [*WHOLE, "--model.attention", "none", "--train.steps", "2", "--name", "blind"]
    assert jaxseq("train", *words, folder=folder).code == 0
    assert not (folder / "runs/blind/attention.png").exists()
    told = refused("caption", "runs/blind", "others/000.png", "--attention", "new.png", folder=folder)
    assert "the model has no attention: leave --attention out" in told or "no caption has a word" in told
    assert "the model in runs/whole generates no text: use `jaxseq caption`" in refused(
        "sample", "runs/whole", folder=folder
    )
