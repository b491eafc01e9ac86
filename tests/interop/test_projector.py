"""The files of TensorBoard's projector, read as it reads them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.interop.projector import projector_files

WORDS = ["the", "", " ", "a\tb", "a\nb", "뉴욕", "\udcff", "\u2028", "new york", "é"]


def contents(words, vectors):
    return {name: b"".join(pieces).decode() for name, pieces in projector_files(words, vectors).items()}


def test_there_is_a_line_for_every_word_and_none_is_blank():
    """A projector leaves out blank lines, and all labels behind one would be wrong."""
    found = contents(WORDS, np.ones((10, 3), np.float32))
    lines = found["metadata.tsv"].split("\n")
    assert lines == ["the", "''", "' '", "'a\\tb'", "'a\\nb'", "뉴욕", "'\\udcff'", "'\\u2028'", "new york", "é", ""]
    assert found["vectors.tsv"] == "1\t1\t1\n" * 10


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=4))
def test_the_numbers_come_back_to_the_bit(numbers):
    vectors = np.array([numbers] * 2, np.float32)
    text = contents(["a", "b"], vectors)["vectors.tsv"]
    rows = [[float(cell) for cell in line.split("\t")] for line in text.splitlines()]
    np.testing.assert_array_equal(np.array(rows, np.float32), vectors)


def test_more_rows_than_are_written_at_a_time_are_all_there():
    vectors = np.arange(5000, dtype=np.float32)[:, None]
    found = contents([f"w{i}" for i in range(5000)], vectors)
    assert [float(line) for line in found["vectors.tsv"].split()] == vectors[:, 0].tolist()
    assert found["metadata.tsv"].split() == [f"w{i}" for i in range(5000)]


def test_the_configuration_names_the_files():
    found = contents(["a"], np.ones((1, 1), np.float32))
    config = found["projector_config.pbtxt"]
    for name in set(found) - {"projector_config.pbtxt"}:
        assert f'path: "{name}"' in config
