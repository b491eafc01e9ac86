"""Random bits by number: a published generator's, independent of what else is drawn, and balanced."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jaxseq.data.draws import draws, happens, limit_of, places
from jaxseq.data.shuffling import mix

GOLDEN = 0x9E3779B97F4A7C15
NUMBERS = st.lists(st.integers(0, 2**40), min_size=1, max_size=12)


def test_the_generator_gives_the_published_numbers_of_splitmix64():
    # The first ones from 0 and from 1234567, as given with the reference code and at rosettacode.org.
    counter = np.uint64(GOLDEN) * np.arange(1, 4, dtype=np.uint64)
    assert [hex(number) for number in mix(counter).tolist()] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
    ]
    assert mix(counter + np.uint64(1234567))[:2].tolist() == [6457827717110365317, 3203168211198807973]


@given(NUMBERS, st.integers(0, 9), st.integers(0, 9), st.integers(1, 2), st.data())
def test_what_a_number_draws_depends_on_no_other_nor_on_how_much_is_drawn(numbers, seed, epoch, stream, data):
    options = {"seed": seed, "epoch": epoch, "stream": stream}
    all_of_them = draws(numbers, 7, **options)
    assert all_of_them.dtype == np.uint64
    order = data.draw(st.permutations(range(len(numbers))))
    count = data.draw(st.integers(1, 7))
    np.testing.assert_array_equal(draws([numbers[at] for at in order], count, **options), all_of_them[order, :count])


@given(NUMBERS)
def test_each_number_has_a_generator_of_its_own_that_starts_by_another(numbers):
    first, second = np.random.SeedSequence([3, 4, 1]).generate_state(2, np.uint64).tolist()

    def plain_mix(x):
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
        return x ^ (x >> 31)

    for number, row in zip(numbers, draws(numbers, 3, seed=3, epoch=4, stream=1).tolist(), strict=True):
        start = plain_mix((plain_mix(number ^ first) + second) % 2**64)
        assert row == [plain_mix((start + i * GOLDEN) % 2**64) for i in (1, 2, 3)]


def test_seed_epoch_and_stream_each_change_everything():
    base = {"seed": 0, "epoch": 0, "stream": 1}
    found = [draws(range(50), 4, **base), *(draws(range(50), 4, **{**base, name: 2}) for name in base)]
    assert len(np.unique(np.stack(found))) == 4 * 200


def test_bits_are_balanced_and_neighbours_independent():
    bits = draws(range(4096), 16, seed=0, epoch=0, stream=1)
    ones = np.array([(bits >> np.uint64(at) & np.uint64(1)).sum() for at in range(64)])
    assert stats.chi2.sf((((ones - bits.size / 2) ** 2) / (bits.size / 4)).sum(), 64) > 1e-3
    for one, other in ((bits[1:], bits[:-1]), (bits[:, 1:], bits[:, :-1])):
        cells = 16 * (one >> np.uint64(60)) + (other >> np.uint64(60))
        assert stats.chisquare(np.bincount(cells.ravel().astype(int), minlength=256)).pvalue > 1e-3


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_places_have_equal_chances(count):
    bits = draws(range(1000), 40, seed=1, epoch=0, stream=2)
    found = places(bits, count)
    assert found.min() >= 0
    assert found.max() < count
    assert count == 1 or stats.chisquare(np.bincount(found.ravel(), minlength=count)).pvalue > 1e-3
    assert places(np.array([2**64 - 1, 0], np.uint64), [count, count]).tolist() == [count - 1, 0]


def test_a_chance_is_kept_to_its_ends():
    ends = np.array([0, 2**64 - 1], np.uint64)
    assert happens(ends, limit_of(1.0)).tolist() == [True, True]
    assert happens(ends, limit_of(0.0)).tolist() == [False, False]
    bits = draws(range(1000), 40, seed=1, epoch=0, stream=1)
    assert stats.binomtest(int(happens(bits, limit_of(0.3)).sum()), bits.size, 0.3).pvalue > 1e-3
