"""`jaxseq draw positions` as a person types it."""

import pytest
from command_line import jaxseq, refused

from jaxseq.reporting.position_pictures import is_positions_picture
from jaxseq.runs import drawing


def test_positions_are_drawn_where_asked_in_the_place_of_an_earlier_picture_alone(tmp_path):
    code, out, err = jaxseq("draw", "positions", folder=tmp_path)
    assert (code, out, err) == (0, "201 positions of 512 features are in positions.png\n", "")
    first = (tmp_path / "positions.png").read_bytes()
    assert is_positions_picture(first[:1000])
    words = ("draw", "positions", "--length", "9", "--features", "7", "--mark", "1", "2", "6")
    assert jaxseq(*words, folder=tmp_path).code == 0
    assert (tmp_path / "positions.png").read_bytes() != first
    (tmp_path / "positions.png").write_bytes(b"mine")
    assert "positions.png is there and is none that jaxseq draw positions drew" in refused(*words, folder=tmp_path)


def test_they_are_those_of_vaswani_et_al_with_a_sine_and_its_cosine_marked(tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(drawing, "positions_picture", lambda codes, **given: drawn.update(given, codes=codes) or b"")
    assert jaxseq("draw", "positions", folder=tmp_path).code == 0
    assert drawn["codes"].shape == (201, 512)
    assert drawn["marked"] == (64, 320)
    # Feature 64 of 256 sines turns by 10,000 ** -(64 / 256) = 0.1 a position.
    sine, cosine = (drawn["codes"][:, feature] for feature in drawn["marked"])
    assert sine[:3] == pytest.approx([0, 0.0998334, 0.1986693], abs=1e-6)
    assert cosine[:3] == pytest.approx([1, 0.9950042, 0.9800666], abs=1e-6)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["heads"], "invalid choice 'heads'"),
        ([], "Missing from jaxseq draw: {positions}"),
        (["positions", "--length", "1"], "--length is 1: give a number from 2 to 5000"),
        (["positions", "--features", "5001"], "--features is 5001"),
        (["positions", "--features", "8", "--mark", "8"], "--mark is 8: the features go from 0 to 7"),
        (["positions", "--output", "out.jpg"], "--output is out.jpg: a picture is a .png file"),
        (["positions", "--output", "nowhere/out.png"], "nowhere/out.png: its directory is not there"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(tmp_path, words, told):
    assert told in refused("draw", *words, folder=tmp_path)
