"""Which devices share a batch."""

import jax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.errors import InputError
from jaxseq.training.devices import choose_devices


@settings(deadline=None, max_examples=50)
@given(requested=st.integers(0, 4), batch_size=st.integers(1, 40))
def test_devices_get_equal_shares_and_as_many_work_as_can(requested, batch_size):
    most = min(requested or max(1, batch_size // 4), len(jax.devices()))
    parallel, note = choose_devices(min(requested, len(jax.devices())), batch_size)
    assert batch_size % parallel.mesh.size == 0
    assert not any(batch_size % more == 0 for more in range(parallel.mesh.size + 1, most + 1))
    assert (note is None) == (parallel.mesh.size == most)


def test_more_devices_than_there_are_is_refused():
    with pytest.raises(InputError, match=r"train\.devices is 99, there are \d+: ask for fewer, or 0 for all"):
        choose_devices(99, 198)


def test_a_small_batch_is_not_spread_thin_unless_asked_for():
    assert choose_devices(0, 4)[0].mesh.size == 1
    assert choose_devices(0, 7) == (choose_devices(1, 7)[0], None)
    assert choose_devices(2, 4)[0].mesh.size == min(2, len(jax.devices()))
