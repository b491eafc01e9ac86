"""Examples by their numbers in batches."""

import numpy as np
import pytest

from jaxseq.data import NumberedLoader
from jaxseq.errors import InputError


def squares(numbers):
    """What is given is [number, its square], the class whether it is odd."""
    return np.stack([numbers, numbers**2], axis=1).astype(np.float32), numbers % 2


def test_every_example_comes_up_once_in_an_epoch_with_its_class():
    loader = NumberedLoader(squares, 20, batch_size=6, seed=3, pad=True)
    assert (loader.steps_per_epoch, loader.left_out) == (4, "")
    for epoch in range(2):
        batches = [loader(step) for step in range(4 * epoch, 4 * epoch + 4)]
        assert all(batch.inputs.shape == (6, 2) and batch.labels.dtype == np.int32 for batch in batches)
        numbers = np.concatenate([batch.inputs[batch.valid, 0] for batch in batches])
        assert sorted(numbers) == list(range(20))
        for batch in batches:
            np.testing.assert_array_equal(batch.inputs[:, 1], batch.inputs[:, 0] ** 2)
            np.testing.assert_array_equal(batch.labels[batch.valid], batch.inputs[batch.valid, 0] % 2)
            assert not batch.inputs[~batch.valid].any()
            assert not batch.labels[~batch.valid].any()
    assert [*loader.rows(0)] != [*loader.rows(4)]


def test_a_batch_follows_from_its_step_and_rows_say_which_it_holds():
    one, other = (NumberedLoader(squares, 20, batch_size=6, seed=3) for _ in range(2))
    for step in (7, 0, 7):
        np.testing.assert_array_equal(one(step).inputs, other(step).inputs)
        np.testing.assert_array_equal(one(step).inputs[:, 0], one.rows(step))
    assert one.left_out == "2 of 20 examples (fewer than a batch; other ones each time)"


def test_in_order_they_come_as_they_are_numbered():
    loader = NumberedLoader(squares, 5, batch_size=3, shuffle=False, pad=True)
    np.testing.assert_array_equal(np.concatenate([loader(0).inputs, loader(1).inputs])[:, 0], [0, 1, 2, 3, 4, 0])
    np.testing.assert_array_equal(loader(1).valid, [True, True, False])


def test_more_in_a_batch_than_there_are_is_refused():
    with pytest.raises(InputError, match=r"a batch of 6 examples is more than the 5 there are: lower --data\.batch"):
        NumberedLoader(squares, 5, batch_size=6)
