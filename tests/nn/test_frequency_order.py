"""The check that ids are sorted by frequency (wangzhegeek/EGES#13: log-uniform assumes it, and nothing looked)."""

import numpy as np
import pytest

from jaxseq.errors import InputError
from jaxseq.nn.frequency_order import require_frequency_order


def test_counts_that_never_rise_are_in_order_ties_and_zeros_included():
    require_frequency_order(np.array([9, 9, 4, 1, 1, 0]))
    require_frequency_order(np.array([3]))


def test_reserved_ids_may_stand_anywhere():
    require_frequency_order(np.array([0, 50, 70, 60, 0, 9]), reserved=(0, 1, 4))


def test_the_first_id_out_of_order_is_named_with_its_count_in_one_line():
    with pytest.raises(InputError) as caught:
        require_frequency_order(np.array([0, 9, 3, 4, 8]), reserved=(0,), names=["<pad>", "the", "of", "and", "to"])
    message = str(caught.value)
    assert "id 3 ('and') was seen 4 times in training, more than id 2 ('of'), 3 times" in message
    assert "\n" not in message


def test_an_id_is_compared_with_the_last_before_it_that_is_not_reserved():
    with pytest.raises(InputError, match="id 2 was seen 8 times in training, more than id 0, 5 times"):
        require_frequency_order(np.array([5, 9, 8]), reserved=(1,))
