"""Batches of texts with hidden tokens: every text once an epoch, the same whatever its batch, all of it by the step."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jaxseq.data.documents import Documents
from jaxseq.data.lengths import choose_lengths
from jaxseq.data.masked_batches import MaskedLoader
from jaxseq.data.masking import Masking
from jaxseq.data.next_sentences import SentencePairs, SingleTexts
from jaxseq.errors import InputError

START, SEPARATOR, MASK, FIRST = 1, 2, 3, 4
SIZES = st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=5), min_size=1, max_size=8)


def documents_of(sizes) -> Documents:
    """Documents of sentences of these sizes in which no token comes twice."""
    sentences = np.cumsum([0, *(size for document in sizes for size in document)])
    bounds = np.cumsum([0, *map(len, sizes)])
    return Documents(np.arange(FIRST, FIRST + sentences[-1], dtype=np.int32), sentences, bounds)


def source_of(sizes, *, kind="single", length=12, seed=0):
    documents = documents_of(sizes)
    if kind == "single":
        return SingleTexts(documents, length=length, start_id=START, separator_id=SEPARATOR), documents
    return SentencePairs(documents, length=length, start_id=START, separator_id=SEPARATOR, seed=seed), documents


def loader_of(sizes, *, kind="single", number=3, seed=0, share=0.3, choice="coin", **options):
    texts, documents = source_of(sizes, kind=kind, seed=seed)
    vocabulary = FIRST + len(documents.tokens)
    masking = Masking(MASK, vocabulary, (0, START, SEPARATOR), share=share, choice=choice)
    lengths = choose_lengths(texts.lengths, count=number, multiple=2)
    return MaskedLoader(texts, masking, lengths=lengths, seed=seed, **options)


@st.composite
def options(draw):
    sizes = draw(
        st.one_of(
            st.fixed_dictionaries({"batch_size": st.integers(1, 6)}),
            st.fixed_dictionaries({"batch_tokens": st.integers(12, 60)}),
        )
    )
    more = {
        "seed": draw(st.integers(0, 9)),
        "shuffle": draw(st.booleans()),
        "choice": draw(st.sampled_from(["coin", "number"])),
    }
    return {**sizes, **more, "number": draw(st.integers(1, 4)), "kind": draw(st.sampled_from(["single", "pairs"]))}


def as_given(batch):
    """The rows of a batch with the hidden tokens put back."""
    tokens = batch.tokens.copy()
    rows, at = np.nonzero(batch.chosen)
    tokens[rows, batch.positions[rows, at]] = batch.targets[rows, at]
    return tokens


def holds_pairs(sizes):
    return len(sizes) > 1 and any(len(document) > 1 for document in sizes)


@given(SIZES, options(), st.integers(0, 2))
def test_every_text_comes_once_an_epoch_and_its_hidden_tokens_can_be_put_back(sizes, given_options, epoch):
    assume(given_options["kind"] == "single" or holds_pairs(sizes))
    loader = loader_of(sizes, **given_options)
    texts, _ = source_of(sizes, kind=given_options["kind"], seed=given_options["seed"])
    seen = []
    for index in range(loader.steps_per_epoch):
        step = epoch * loader.steps_per_epoch + index
        batch, numbers = loader(step), loader.rows(step)
        (b, t), k = batch.tokens.shape, batch.positions.shape[1]
        assert (b, t, k) in loader.shapes
        assert b <= loader.batch_size
        assert batch.tokens.shape == batch.segments.shape == batch.mask.shape
        assert batch.positions.shape == batch.targets.shape == batch.chosen.shape
        assert [array.dtype for array in batch] == [*[np.int32] * 2, bool, *[np.int32] * 2, bool, bool, bool]
        n = len(numbers)
        wanted = texts(numbers, epoch=epoch, length=t)
        np.testing.assert_array_equal(as_given(batch)[:n], wanted.tokens)
        np.testing.assert_array_equal(batch.segments[:n], wanted.segments)
        np.testing.assert_array_equal(batch.mask[:n], wanted.mask)
        np.testing.assert_array_equal(batch.is_next[:n], wanted.is_next)
        assert batch.valid.tolist() == [True] * n + [False] * (b - n)
        assert not any(array[n:].any() for array in batch)
        assert not np.isin(batch.targets[batch.chosen], (0, START, SEPARATOR, MASK)).any()
        assert not batch.targets[~batch.chosen].any()
        assert not batch.tokens[~batch.mask].any()
        assert (np.diff(batch.chosen.astype(int), axis=1) <= 0).all()
        seen += numbers.tolist()
    assert sorted(seen) == list(range(loader.examples))


def rows_by_text(loader, epoch):
    """What each text's row holds, padding left out."""
    found = {}
    for index in range(loader.steps_per_epoch):
        step = epoch * loader.steps_per_epoch + index
        batch = loader(step)
        for row, number in enumerate(loader.rows(step).tolist()):
            parts = [batch.tokens[row][batch.mask[row]], batch.segments[row][batch.mask[row]]]
            parts += [batch.positions[row][batch.chosen[row]], batch.targets[row][batch.chosen[row]]]
            found[number] = [part.tolist() for part in parts] + [bool(batch.is_next[row])]
    return found


@given(SIZES, options(), options(), st.integers(0, 2))
def test_a_text_is_the_same_in_batches_of_any_size_and_length(sizes, one, other, epoch):
    assume(one["kind"] == "single" or holds_pairs(sizes))
    other = {**other, **{name: one[name] for name in ("seed", "kind", "choice")}}
    assert rows_by_text(loader_of(sizes, **one), epoch) == rows_by_text(loader_of(sizes, **other), epoch)


SOME = [[1 + (3 * i + j) % 5 for j in range(1 + i % 6)] for i in range(40)]


@pytest.mark.parametrize("kind", ["single", "pairs"])
def test_training_draws_anew_in_each_epoch_and_evaluation_never(kind):
    anew, fixed = (loader_of(SOME, kind=kind, batch_size=4, anew=way, shuffle=way) for way in (True, False))
    first = rows_by_text(fixed, 0)
    assert first == rows_by_text(anew, 0)
    assert first == rows_by_text(fixed, 1)
    later = rows_by_text(anew, 1)
    assert later.keys() == first.keys()
    assert sum(later[number] == first[number] for number in first) < len(first) / 2
    for step in range(fixed.steps_per_epoch):
        assert all((a == b).all() for a, b in zip(fixed(step), fixed(step + fixed.steps_per_epoch), strict=True))


def test_a_batch_follows_from_the_step():
    one, other = (loader_of(SOME, batch_tokens=48, seed=5) for _ in range(2))
    steps = [*range(3 * one.steps_per_epoch)]
    expected = [one(step) for step in steps]
    for step in reversed(steps):
        assert all((a == b).all() for a, b in zip(other(step), expected[step], strict=True))
    assert len({tuple(one.rows(epoch * one.steps_per_epoch).tolist()) for epoch in range(3)}) > 1


def test_short_texts_come_in_shorter_rows_with_fewer_columns_to_look_at():
    loader = loader_of(SOME, batch_tokens=96, multiple=2, share=0.15)
    assert not loader.uniform
    assert len(loader.shapes) == 3
    for rows, length, most in loader.shapes:
        assert rows % 2 == 0
        assert rows * length <= 96
        assert most < length
    assert [most for _, _, most in loader.shapes] == sorted(most for _, _, most in loader.shapes)
    single = loader_of(SOME, number=1, batch_size=8)
    assert single.uniform
    assert {(*single(step).tokens.shape, single(step).positions.shape[1]) for step in range(3)} == set(single.shapes)


def test_what_is_left_out_is_told():
    loader = loader_of(SOME, kind="pairs", batch_size=7, pad=False)
    short = loader.examples - 7 * loader.steps_per_epoch
    assert loader.left_out == (
        "7 of 40 documents as a first part (they have one sentence), "
        f"{short} of {loader.examples} texts (fewer than a batch; other ones each time)"
    )
    assert loader_of(SOME, batch_size=7).left_out == ""


def test_what_does_not_fit_is_refused_in_a_line():
    texts, _ = source_of(SOME)
    masking = Masking(MASK, 500, (0, START, SEPARATOR))
    with pytest.raises(InputError, match=r"lengths are \[4, 8\], and a text has 12 tokens: give one with room for it"):
        MaskedLoader(texts, masking, lengths=[4, 8], batch_size=2)
    with pytest.raises(InputError, match="a batch of 999 texts is more than the"):
        MaskedLoader(texts, masking, lengths=[12], batch_size=999, pad=False)
    with pytest.raises(InputError, match=r"lengths\[0\] is 0"):
        MaskedLoader(texts, masking, lengths=[0, 12], batch_size=2)
