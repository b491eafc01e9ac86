"""The comparison of readers of vectors, on a small file and in this process."""

import numpy as np
import pytest

from benchmarks import vector_files
from benchmarks.vector_files import FORMATS, Reading, ours, row, theirs, write


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of gensim's own
@pytest.mark.parametrize("form", FORMATS)
def test_both_read_the_same_of_what_is_written(tmp_path, form):
    pytest.importorskip("gensim")
    words = write(tmp_path / "vectors", form, megabytes=0.1, width=5)
    assert (tmp_path / "vectors").stat().st_size == pytest.approx(1e5, rel=0.1)
    readings = [who(tmp_path / "vectors", form) for who in (ours, theirs)]
    assert readings[0].digest == readings[1].digest
    assert words > 1000  # each of them once, or the digests would be of fewer


def test_a_difference_is_seen():
    words, vectors = ["a", "b"], np.ones((2, 2), np.float32)
    digests = {vector_files._digest(*each) for each in ((words, vectors), (["a", "c"], vectors), (words, 2 * vectors))}
    assert len(digests) == 3


def test_a_line_has_medians_the_ratio_and_the_greatest_memory():
    gensim = [Reading(seconds, 10, "x") for seconds in (4, 9, 8)]
    own = [Reading(2, megabytes, "x") for megabytes in (5, 7, 6)]
    assert row("text", 100, 1234, (gensim, own)) == "| text | 100 | 1,234 | 8.00 | 2.00 | 4.0 | 10 | 7 |"
