"""Hidden tokens: the shares they must have, never what is special, and the same whatever stands around them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jaxseq.data.draws import MASKS, draws
from jaxseq.data.masking import Masking, chosen_positions, mask_tokens
from jaxseq.errors import InputError

WORDS = 40
SPECIALS = (0, 1, 2, 3)
MASK = 4
CHOICES = ("coin", "number")


def masking_of(**options):
    return Masking(**{"mask_id": MASK, "vocabulary_size": WORDS, "specials": SPECIALS, **options})


def some_tokens(b, t, *, seed=0, lowest=5):
    return np.random.default_rng(seed).integers(lowest, WORDS, (b, t)).astype(np.int32)


def hide(tokens, masking, *, maskable=None, numbers=None, seed=0, epoch=0):
    maskable = np.ones(tokens.shape, bool) if maskable is None else maskable
    numbers = np.arange(len(tokens)) if numbers is None else numbers
    return mask_tokens(tokens, maskable=maskable, masking=masking, numbers=numbers, seed=seed, epoch=epoch)


@st.composite
def texts(draw):
    b, t = draw(st.integers(1, 6)), draw(st.integers(1, 20))
    tokens = some_tokens(b, t, seed=draw(st.integers(0, 999)), lowest=0)
    maskable = np.random.default_rng(draw(st.integers(0, 999))).random((b, t)) < draw(st.sampled_from([0, 0.5, 1]))
    shares = draw(st.sampled_from([(0.8, 0.1), (0, 1), (1, 0), (0, 0), (0.5, 0.5)]))
    masking = masking_of(
        share=draw(st.sampled_from([0, 0.15, 0.5, 1])),
        masked=shares[0],
        random=shares[1],
        choice=draw(st.sampled_from(CHOICES)),
    )
    return tokens, maskable, masking, draw(st.integers(0, 9))


@given(texts())
def test_only_what_may_be_is_hidden_and_never_behind_a_special(made):
    """hf#11155, hf#1395: padding and specials hidden; hf#15342: padding in place of a token; hf#26357: what was to be
    left out chosen again."""
    tokens, maskable, masking, epoch = made
    before = tokens.copy()
    hidden, chosen, targets = hide(tokens, masking, maskable=maskable, epoch=epoch)
    np.testing.assert_array_equal(tokens, before)
    assert (hidden.dtype, chosen.dtype, targets.dtype) == (np.int32, bool, np.int32)
    assert not (chosen & ~maskable).any()
    assert not np.isin(tokens[chosen], (*SPECIALS, MASK)).any()
    np.testing.assert_array_equal(hidden[~chosen], tokens[~chosen])
    np.testing.assert_array_equal(targets, np.where(chosen, tokens, 0))
    assert not np.isin(hidden[chosen], SPECIALS).any()
    allowed = maskable & ~np.isin(tokens, (*SPECIALS, MASK))
    assert (chosen.sum(axis=1) <= masking.most(allowed.sum(axis=1))).all()
    if masking.share == 1:
        np.testing.assert_array_equal(chosen, allowed)
    if masking.masked == 1:
        assert (hidden[chosen] == MASK).all()
    if masking.masked + masking.random == 0:
        np.testing.assert_array_equal(hidden, tokens)


@given(texts(), st.data())
def test_a_text_has_the_same_hidden_in_any_batch_and_any_padding(made, data):
    tokens, maskable, masking, epoch = made
    b, t = tokens.shape
    numbers = np.array(data.draw(st.lists(st.integers(0, 10**9), min_size=b, max_size=b)))
    whole = hide(tokens, masking, maskable=maskable, numbers=numbers, epoch=epoch)
    order = np.array(data.draw(st.permutations(range(b))))[: data.draw(st.integers(1, b))]
    more = data.draw(st.integers(0, 9))
    # What stands in padding is not looked at, not even ids that there are none of.
    padded = np.pad(tokens[order], ((0, 0), (0, more)), constant_values=WORDS + 5)
    part = hide(
        padded,
        masking,
        maskable=np.pad(maskable[order], ((0, 0), (0, more))),
        numbers=numbers[order],
        epoch=epoch,
    )
    for one, other in zip(part, whole, strict=True):
        np.testing.assert_array_equal(one[:, :t], other[order])
    assert not part.chosen[:, t:].any()
    assert (part.tokens[:, t:] == WORDS + 5).all()


def test_epochs_and_seeds_draw_anew_and_equal_texts_differ():
    tokens = np.tile(some_tokens(1, 200), (2, 1))
    found = [hide(tokens, masking_of(), seed=seed, epoch=epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert len({row.tobytes() for masked in found for row in masked.chosen}) == 6
    again = hide(tokens, masking_of())
    assert all((a == b).all() for a, b in zip(again, found[0], strict=True))


def test_of_the_tokens_a_share_is_chosen_by_coins_of_their_own():
    tokens = some_tokens(4000, 100)
    chosen = hide(tokens, masking_of()).chosen
    assert stats.binomtest(int(chosen.sum()), chosen.size, 0.15).pvalue > 1e-3
    counts = np.bincount(chosen.sum(axis=1), minlength=101)
    grouped = np.array([counts[:9].sum(), *counts[9:23], counts[23:].sum()])
    chances = stats.binom.pmf(np.arange(101), 100, 0.15)
    wanted = np.array([chances[:9].sum(), *chances[9:23], chances[23:].sum()])
    assert stats.chisquare(grouped, wanted * len(tokens)).pvalue > 1e-3
    assert stats.chisquare(chosen.sum(axis=0)).pvalue > 1e-3  # all columns alike


def test_neighbours_in_a_text_in_a_batch_and_in_time_are_chosen_independently():
    tokens = some_tokens(2000, 100)
    chosen, later = (hide(tokens, masking_of(), epoch=epoch).chosen for epoch in (0, 1))
    pairs = ((chosen[:, 1:], chosen[:, :-1]), (chosen[1:], chosen[:-1]), (chosen, later))
    for one, other in pairs:
        table = [[int(((one == a) & (other == b)).sum()) for a in (False, True)] for b in (False, True)]
        assert stats.chi2_contingency(table).pvalue > 1e-3


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("shares", [(0.8, 0.1), (0.5, 0.3)])
def test_of_the_chosen_so_many_are_masked_replaced_and_kept(choice, shares):
    """hf#21803, hf#17377: a collator that draws the next kind from what is left, misread as 80/10/10 of all."""
    tokens = some_tokens(4000, 100)
    masking = masking_of(choice=choice, masked=shares[0], random=shares[1])
    hidden, chosen, targets = hide(tokens, masking)
    given, truth = hidden[chosen], targets[chosen]
    found = [(given == MASK).sum(), ((given != MASK) & (given != truth)).sum(), (given == truth).sum()]
    others = len(masking.replacements)
    by_chance = shares[1] / others  # of the tokens that may stand in, one is the token itself
    wanted = np.array([shares[0], shares[1] - by_chance, 1 - sum(shares) + by_chance])
    assert stats.chisquare(found, wanted * chosen.sum()).pvalue > 1e-3
    drawn = given[(given != MASK) & (given != truth)]
    assert stats.chisquare(np.bincount(drawn, minlength=WORDS)[5:]).pvalue > 1e-3
    # What stands in tells nothing of the token itself: every pair of two comes up alike.
    table = np.zeros((WORDS, WORDS))
    np.add.at(table, (truth[(given != MASK) & (given != truth)], drawn), 1)
    off = ~np.eye(WORDS, dtype=bool)[5:, 5:]
    assert stats.chisquare(table[5:, 5:][off]).pvalue > 1e-3


@given(st.integers(1, 300), st.sampled_from([0.15, 0.5]), st.integers(0, 99))
def test_a_fixed_number_is_the_share_rounded_and_one_at_the_least(count, share, epoch):
    chosen = hide(some_tokens(3, count), masking_of(choice="number", share=share), epoch=epoch).chosen
    assert chosen.sum(axis=1).tolist() == [max(1, int(share * count + 0.5))] * 3


def test_a_fixed_number_chooses_all_columns_alike():
    chosen = hide(some_tokens(6000, 30), masking_of(choice="number")).chosen
    assert stats.chisquare(chosen.sum(axis=0)).pvalue > 1e-3
    table = chosen.T.astype(float) @ chosen
    together = table[np.triu_indices(30, 1)] / len(chosen)
    np.testing.assert_allclose(together, 5 * 4 / (30 * 29), atol=0.01)  # drawn without putting back


@given(texts())
def test_chosen_are_the_lowest_numbers_drawn(made):
    tokens, maskable, masking, epoch = made
    chosen = hide(tokens, masking, maskable=maskable, epoch=epoch).chosen
    for row, (bits, may, found) in enumerate(
        zip(
            draws(range(len(tokens)), 2 * tokens.shape[1], seed=0, epoch=epoch, stream=MASKS)[:, ::2].tolist(),
            maskable & ~np.isin(tokens, (*SPECIALS, MASK)),
            chosen,
            strict=True,
        )
    ):
        ranked = sorted((number, at) for at, number in enumerate(bits) if may[at])
        if masking.choice == "coin":
            ranked = [(number, at) for number, at in ranked if number / 2**64 < masking.share]
        most = int(masking.most(may.sum()))
        assert sorted(at for _, at in ranked[:most]) == np.flatnonzero(found).tolist(), row


def test_the_limit_of_a_text_is_seldom_met():
    """Beyond three standard deviations: one of 800 chosen tokens is let go, in texts of 60 and more one of 3,500."""
    masking = masking_of()
    for count in (*range(1, 130), 254, 510):
        most = int(masking.most(count))
        places = np.arange(count + 1)
        lost = (np.maximum(places - most, 0) * stats.binom.pmf(places, count, 0.15)).sum()
        assert lost / (0.15 * count) < (1 / 800 if count < 60 else 1 / 3500)
    counts = np.arange(600)
    for choice in CHOICES:
        most = masking_of(choice=choice).most(counts)
        assert (np.diff(most) >= 0).all()
        assert (most <= counts).all()
    assert masking.most([14, 62, 126, 510]).tolist() == [7, 18, 31, 101]
    assert masking_of(choice="number").most([14, 62, 126, 510]).tolist() == [2, 9, 19, 77]


def test_a_met_limit_holds():
    tokens = some_tokens(60_000, 12)
    most = int(masking_of().most(12))
    counts = hide(tokens, masking_of()).chosen.sum(axis=1)
    assert counts.max() == most  # and the chance of more than it, of some of these texts, is:
    assert stats.binom.sf(most, 12, 0.15) * len(tokens) > 10


@pytest.mark.parametrize("choice", CHOICES)
def test_where_nothing_can_be_chosen_nothing_is(choice):
    for masking, tokens, maskable in (
        (masking_of(choice=choice, share=0), some_tokens(2, 5), None),
        (masking_of(choice=choice), np.full((2, 5), 3, np.int32), None),
        (masking_of(choice=choice), some_tokens(2, 5), np.zeros((2, 5), bool)),
    ):
        hidden, chosen, targets = hide(tokens, masking, maskable=maskable)
        assert not chosen.any()
        assert not targets.any()
        np.testing.assert_array_equal(hidden, tokens)
        positions, there = chosen_positions(chosen, 3)
        assert not positions.any()
        assert not there.any()


@given(st.integers(1, 6), st.integers(1, 12), st.integers(0, 99))
def test_positions_are_the_columns_chosen_one_behind_the_other(b, t, seed):
    chosen = np.random.default_rng(seed).random((b, t)) < 0.4
    most = int(chosen.sum(axis=1).max()) + seed % 3
    positions, there = chosen_positions(chosen, most)
    assert positions.shape == there.shape == (b, most)
    assert positions.dtype == np.int32
    for row, columns, real in zip(chosen, positions, there, strict=True):
        assert columns[real].tolist() == np.flatnonzero(row).tolist()
        assert not columns[~real].any()
    if chosen.any():
        with pytest.raises(ValueError, match="tokens of a row are chosen, and there is room for"):
            chosen_positions(chosen, int(chosen.sum(axis=1).max()) - 1)


def test_what_masking_cannot_be_is_told():
    def refusal(**options):
        with pytest.raises(InputError) as caught:
            masking_of(**options)
        return str(caught.value)

    assert refusal(share=15) == "share of masking is 15: give a share from 0 to 1"
    assert refusal(masked=0.8, random=0.3) == "masked and random are 0.8 and 0.3: they add up to 1 at the most"
    assert refusal(choice="dice") == "choice of masking is 'dice': give coin or number"
    assert refusal(mask_id=40) == "the id of a mask is 40: ids go from 0 to 39"
    assert refusal(specials=(0, -1)) == "the id of a special token is -1: ids go from 0 to 39"
    assert refusal(specials=tuple(range(40))).startswith("each id is that of a special token: none is left")
    assert masking_of(specials=tuple(range(40)), random=0.0).replacements.tolist() == []
