"""The entropy of pixels against SciPy's."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from scipy.special import entr

from jaxseq.data.pixel_entropy import pixel_entropy


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=4)))
def test_it_is_that_of_the_pixels_as_chances(pictures):
    x = pictures / 255
    assert pixel_entropy(pictures) == pytest.approx((entr(x) + entr(1 - x)).mean(), abs=1e-12)


def test_black_and_white_have_none():
    assert pixel_entropy(np.array([[0, 255], [255, 0]], np.uint8)) == 0
