"""Each token of a sequence once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data.distinct import distinct_tokens
from jaxseq.data.examples import join_sequences


@given(st.lists(st.lists(st.integers(0, 6), max_size=12), max_size=6))
def test_the_first_of_each_token_stays_where_it_stands(sequences):
    found = distinct_tokens(join_sequences(sequences))
    rows = [found.ids[a:b].tolist() for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]
    assert rows == [list(dict.fromkeys(each)) for each in sequences]
    assert (found.ids.dtype, found.offsets.dtype) == (np.int32, np.int64)
