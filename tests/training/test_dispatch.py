"""Several batches in one call."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data import RowLoader, WindowLoader
from jaxseq.training.dispatch import stack_batches

IDS = np.arange(98) % 7
LOADERS = [
    RowLoader(IDS, length=5, batch_size=4, document_starts=[0, 31]),
    WindowLoader(IDS, length=5, batch_size=4, pad=True, document_starts=[0, 31]),
]


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(LOADERS), st.integers(0, 60), st.integers(1, 12), st.integers(0, 3))
def test_stacked_batches_are_those_of_the_loader_and_zeros_after_them(loader, step, count, more):
    stacked = stack_batches(loader, step, count, count + more)
    for index in range(count):
        for array, wanted in zip(stacked, loader(step + index), strict=True):
            np.testing.assert_array_equal(array[index], wanted)
            assert array.dtype == wanted.dtype
    assert not any(array[count:].any() for array in stacked)
    assert all(len(array) == count + more for array in stacked)
