"""Batches of pairs: every pair once, shifted once, in few shapes, all of it a function of the step."""

import collections

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jaxseq.data import PairLoader, choose_shapes, join_sequences
from jaxseq.errors import InputError

START, END = 7, 8


@st.composite
def made(draw):
    """Lengths of pairs without start and end, and options of a loader that has room for them."""
    counts = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30))
    sizes = draw(
        st.one_of(
            st.fixed_dictionaries({"batch_size": st.integers(1, 6)}),
            st.fixed_dictionaries({"batch_tokens": st.integers(20, 60)}),
        )
    )
    number = draw(st.integers(1, 5))
    return counts, number, {"seed": draw(st.integers(0, 9)), "shuffle": draw(st.booleans()), **sizes}


def tokens_of(counts):
    """Pairs whose tokens tell pair, side and position."""
    sources = [[1000 * (at + 1) + i for i in range(s)] + [END] for at, (s, _) in enumerate(counts)]
    targets = [[START, *(1000 * (at + 1) + 500 + i for i in range(t)), END] for at, (_, t) in enumerate(counts)]
    return sources, targets


def loader_of(counts, number=3, **options):
    sources, targets = map(join_sequences, tokens_of(counts))
    shapes = choose_shapes(sources.lengths, targets.lengths - 1, count=number, multiple=2)
    return PairLoader(sources, targets, shapes=shapes, **options)


def rows_of(ids, mask):
    return [row[kept].tolist() for row, kept in zip(ids, mask, strict=True)]


@given(made=made(), epoch=st.integers(0, 2))
def test_every_pair_comes_once_an_epoch_whole_and_shifted_by_one_token(made, epoch):
    counts, number, options = made
    loader = loader_of(counts, number, **options)
    sources, targets = tokens_of(counts)
    seen = []
    for index in range(loader.steps_per_epoch):
        step = epoch * loader.steps_per_epoch + index
        batch, pairs = loader(step), loader.rows(step)
        b, s = batch.source.shape
        assert (b, (s, batch.inputs.shape[1])) in loader.shapes
        assert [array.dtype for array in batch] == [np.int32, bool, np.int32, np.int32, bool]
        assert batch.targets.shape == batch.mask.shape == batch.inputs.shape
        none = [[]] * (b - len(pairs))
        assert rows_of(batch.source, batch.source_mask) == [*(sources[at] for at in pairs), *none]
        assert rows_of(batch.inputs, batch.mask) == [*(targets[at][:-1] for at in pairs), *none]
        assert rows_of(batch.targets, batch.mask) == [*(targets[at][1:] for at in pairs), *none]
        for ids, mask in ((batch.source, batch.source_mask), (batch.inputs, batch.mask), (batch.targets, batch.mask)):
            assert not ids[~mask].any()
            assert (np.diff(mask.astype(int), axis=1) <= 0).all()  # padding stands behind
        seen += pairs.tolist()
    assert sorted(seen) == list(range(len(counts)))
    assert loader.left_out == ""
    if not options["shuffle"]:
        assert [loader.rows(index).tolist() for index in range(loader.steps_per_epoch)] == [
            loader.rows(index + loader.steps_per_epoch).tolist() for index in range(loader.steps_per_epoch)
        ]


@given(made=made())
def test_without_filling_up_every_row_has_a_pair_and_the_others_are_told(made):
    counts, number, options = made
    assume(loader_of(counts, number, **options).batch_size <= len(counts))
    loader = loader_of(counts, number, pad=False, **options)
    batches = [loader(step) for step in range(loader.steps_per_epoch)]
    assert all(batch.source_mask[:, 0].all() and batch.mask[:, 0].all() for batch in batches)
    short = len(counts) - sum(len(batch.source) for batch in batches)
    which = "other ones each time" if options["shuffle"] else "the last"
    assert loader.left_out == (f"{short} of {len(counts)} pairs (fewer than a batch; {which})" if short else "")
    cells = sum(batch.source.size + batch.inputs.size for batch in batches)
    read = sum(batch.source_mask.sum() + batch.mask.sum() for batch in batches)
    if not short:
        assert loader.padding == pytest.approx(1 - read / cells)


def test_the_first_token_is_the_first_target_so_that_nothing_is_shifted_twice():
    batch = loader_of([(1, 2)], 1, batch_size=1)(0)
    assert batch.inputs.tolist() == [[START, 1500, 1501]]
    assert batch.targets.tolist() == [[1500, 1501, END]]


def test_a_batch_follows_from_the_step_and_epochs_differ():
    counts = [(number % 7, number % 5) for number in range(60)]
    one, other = (loader_of(counts, batch_size=4, seed=5) for _ in range(2))
    steps = [*range(3 * one.steps_per_epoch)]
    expected = {step: one(step) for step in steps}
    for step in reversed(steps):
        assert all((a == b).all() for a, b in zip(other(step), expected[step], strict=True))
    firsts = [tuple(one.rows(epoch * one.steps_per_epoch).tolist()) for epoch in range(3)]
    assert len(set(firsts)) == 3
    assert tuple(loader_of(counts, batch_size=4, seed=6).rows(0).tolist()) != firsts[0]
    shapes = [expected[step].source.shape for step in steps[: one.steps_per_epoch]]
    assert len(set(shapes)) > 1
    assert shapes != sorted(shapes)  # shapes are shuffled, too


def test_rows_fill_the_budget_and_are_shared_by_devices():
    counts = [(number % 12, number % 10) for number in range(300)]
    loader = loader_of(counts, batch_tokens=200, multiple=4)
    assert len(loader.shapes) == 3
    for rows, (s, t) in loader.shapes:
        assert rows % 4 == 0
        assert rows * (s + t) <= 200 < (rows + 4) * (s + t)
    assert collections.Counter(len(loader(step).source) for step in range(loader.steps_per_epoch)).keys() == {
        rows for rows, _ in loader.shapes
    }


def test_what_does_not_fit_is_refused_in_a_line():
    sources, targets = map(join_sequences, tokens_of([(3, 2), (5, 4)]))

    def refusal(**options):
        with pytest.raises(InputError) as caught:
            PairLoader(sources, targets, **{"shapes": [(6, 5)], "batch_size": 2, **options})
        return str(caught.value)

    assert refusal(shapes=[(4, 3)]) == (
        "pair 2 has 6 and 5 tokens, and the largest shape is (4, 3): leave it out, or give one that has room for it"
    )
    assert refusal(shapes=[(6, 5), (5, 9)]).endswith("each with room for all before it")
    assert refusal(shapes=[]).startswith("shapes are []")
    assert refusal(multiple=4) == "batch_size is 2: give a multiple of 4"
    assert refusal(batch_size=None, batch_tokens=10) == (
        "batch_tokens is 10: 1 of 6 and 5 tokens need 11, give as many or lower the length"
    )
    assert refusal(batch_size=3, pad=False).startswith("a batch of 3 pairs is more than the 2 there are: lower")
    with pytest.raises(InputError, match="there are no pairs"):
        PairLoader(join_sequences([]), join_sequences([]), shapes=[(1, 1)], batch_size=1)
