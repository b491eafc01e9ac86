"""What there is of memory, against what a piece of work says it holds."""

import numpy as np
import pytest

from jaxseq import memory
from jaxseq.errors import InputError
from jaxseq.memory import Part, require_memory, size_of


@pytest.fixture
def limited(monkeypatch):
    """Sets the bytes that host and device have; None for a device that is the host."""

    def limit(host, device=None):
        monkeypatch.setattr(memory.runtime, "memory_limit", lambda: host)
        monkeypatch.setattr(memory, "_device_limit", lambda: device)

    return limit


def test_what_is_more_than_there_is_is_refused_with_the_largest_part_and_its_remedy(limited):
    parts = [Part("the carry", 10**10, "lower this", on_host=True), Part("batches", 3 * 10**10, "lower that")]
    for enough in ((4 * 10**10, None), (None, None), (10**10, 3 * 10**10)):
        limited(*enough)
        require_memory("training", parts)
    limited(4 * 10**10 - 1)
    with pytest.raises(InputError) as caught:
        require_memory("training", parts)
    told = "training needs at least 40.0 GB of memory, 30.0 GB of it for batches, and there are 40.0 GB: lower that"
    assert str(caught.value) == told
    limited(10**12, 3 * 10**10 - 1)
    with pytest.raises(InputError, match=r"needs at least 30.0 GB of memory, .* and there are 30.0 GB: lower both"):
        require_memory("training", parts, remedy="lower both")
    limited(10**10 - 1, 10**12)
    with pytest.raises(InputError, match=r"10.0 GB of it for the carry, .*: lower this"):
        require_memory("training", parts)


def test_the_size_of_a_tree_is_that_of_its_arrays_whether_they_are_made_or_not():
    arrays = {"a": np.zeros((3, 4), np.float32), "b": [np.zeros(5, np.int8), np.zeros((), np.float64)]}
    assert size_of(arrays) == 48 + 5 + 8
    shapes = {"a": np.broadcast_to(np.float32(0), (2**40, 2**20))}  # strides of 0
    assert size_of(shapes) == 4 * 2**60
    assert size_of({}) == 0
