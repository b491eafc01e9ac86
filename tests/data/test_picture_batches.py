"""Batches of pictures and of captions: each once, shifted once, all of it a function of the step."""

import collections

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data import CaptionLoader, PictureLoader, join_sequences
from jaxseq.errors import InputError

START, END = 7, 8


def pictures_of(count):
    """Pictures of which each holds its number."""
    return np.broadcast_to(np.arange(1, count + 1, dtype=np.uint8)[:, None, None, None], (count, 3, 2, 1)).copy()


@given(st.integers(1, 40), st.integers(1, 9), st.booleans(), st.booleans(), st.integers(0, 5))
def test_each_picture_comes_up_once_in_an_epoch(count, batch_size, shuffle, pad, seed):
    if not pad and count < batch_size:
        return
    labels = np.arange(count) * 3
    loader = PictureLoader(pictures_of(count), labels, batch_size=batch_size, shuffle=shuffle, pad=pad, seed=seed)
    assert loader.uniform
    assert loader.steps_per_epoch == (-(-count // batch_size) if pad else count // batch_size)
    left = 0 if pad else count % batch_size
    assert (
        loader.left_out.startswith(f"{left} of {count} pictures (fewer than a batch") if left else not loader.left_out
    )
    epochs = []
    for epoch in range(2):
        seen = []
        for step in range(epoch * loader.steps_per_epoch, (epoch + 1) * loader.steps_per_epoch):
            batch = loader(step)
            assert batch.pictures.shape == (batch_size, 3, 2, 1)
            assert batch.pictures.dtype == np.uint8
            assert batch.labels.dtype == np.int32
            assert (np.sort(batch.valid)[::-1] == batch.valid).all()
            assert not batch.pictures[~batch.valid].any()
            assert not batch.labels[~batch.valid].any()
            numbers = batch.pictures[batch.valid][:, 0, 0, 0].astype(int) - 1
            assert (batch.pictures[batch.valid] == batch.pictures[batch.valid][:, :1, :1]).all()
            np.testing.assert_array_equal(batch.labels[batch.valid], 3 * numbers)
            np.testing.assert_array_equal(loader.rows(step), numbers)
            again = loader(step)
            assert all(np.array_equal(one, other) for one, other in zip(batch, again, strict=True))
            seen += numbers.tolist()
        assert len(seen) == len(set(seen)) == count - left
        epochs.append(seen)
    if not shuffle:
        assert epochs == [list(range(count - left))] * 2


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = []
    for seed in (0, 1):
        loader = PictureLoader(pictures_of(40), batch_size=40, seed=seed)
        orders += [tuple(loader(step).pictures[:, 0, 0, 0].tolist()) for step in (0, 1)]
    assert len(set(orders)) == 4
    assert not loader(0).labels.any()


def test_pictures_that_cannot_be_are_refused():
    with pytest.raises(InputError, match=r"a batch of 9 pictures is more than the 4 there are: lower --data\.batch"):
        PictureLoader(pictures_of(4), batch_size=9)
    with pytest.raises(InputError, match="there are no pictures"):
        PictureLoader(pictures_of(0), batch_size=9)
    with pytest.raises(InputError, match="batch_size is 0"):
        PictureLoader(pictures_of(4), batch_size=0)
    with pytest.raises(TypeError, match=r"pictures are \[n, h, w, c\] uint8, got float64"):
        PictureLoader(pictures_of(4).astype(float), batch_size=2)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"labels are \[4\] integers, got int64 of shape \(3,\)"):
        PictureLoader(pictures_of(4), np.arange(3), batch_size=2)
    with pytest.raises(ValueError, match="step is -1"):
        PictureLoader(pictures_of(4), batch_size=2)(-1)


@st.composite
def captions(draw):
    """Lengths of captions without start and end, the pictures they belong to, and options of a loader."""
    counts = draw(st.lists(st.integers(0, 9), min_size=1, max_size=30))
    places = draw(st.lists(st.integers(0, 5), min_size=len(counts), max_size=len(counts)))
    lengths = sorted({*draw(st.sets(st.integers(1, 9), max_size=3)), 10})
    more = {"batch_size": draw(st.integers(1, 6)), "shuffle": draw(st.booleans()), "seed": draw(st.integers(0, 9))}
    return counts, places, lengths, more


def tokens_of(counts):
    """Captions whose tokens tell caption and position."""
    return [[START, *(100 * (at + 1) + i for i in range(count)), END] for at, count in enumerate(counts)]


def loader_of(counts, places, lengths=(10,), **options):
    return CaptionLoader(
        pictures_of(6), np.array(places), join_sequences(tokens_of(counts)), lengths=lengths, **options
    )


@given(captions())
def test_each_caption_comes_up_once_with_its_picture_shifted_once(made):
    counts, places, lengths, options = made
    loader = loader_of(counts, places, lengths, **options)
    tokens, seen = tokens_of(counts), collections.Counter()
    assert loader.left_out == ""
    for step in range(loader.steps_per_epoch):
        batch = loader(step)
        rows, length = batch.mask.shape
        assert rows == options["batch_size"] == loader.batch_size
        assert length in loader.lengths
        assert batch.pictures.shape == (rows, 3, 2, 1)
        which = loader.rows(step)
        for row in range(rows):
            if row >= len(which):
                assert not any(array[row].any() for array in batch)
                continue
            ids = tokens[which[row]]
            count = len(ids) - 1
            assert batch.mask[row].tolist() == [True] * count + [False] * (length - count)
            assert batch.inputs[row].tolist() == ids[:-1] + [0] * (length - count)
            assert batch.targets[row].tolist() == ids[1:] + [0] * (length - count)
            assert (batch.pictures[row] == places[which[row]] + 1).all()
            seen[int(which[row])] += 1
        assert batch.inputs.dtype == batch.targets.dtype == np.int32
        assert batch.pictures.dtype == np.uint8
    assert seen == collections.Counter(range(len(counts)))
    assert loader.uniform == (len(loader.lengths) == 1)


@given(captions())
def test_without_padding_all_batches_are_full(made):
    counts, places, lengths, options = made
    if len(counts) < options["batch_size"]:
        with pytest.raises(InputError, match="captions is more than the"):
            loader_of(counts, places, lengths, pad=False, **options)
        return
    loader = loader_of(counts, places, lengths, pad=False, **options)
    shapes = [loader(step).mask for step in range(loader.steps_per_epoch)]
    assert all(mask[:, 0].all() for mask in shapes)
    short = len(counts) - options["batch_size"] * loader.steps_per_epoch
    assert loader.left_out.startswith(f"{short} of {len(counts)} captions (fewer than a batch") if short else True


def test_captions_that_cannot_be_are_refused():
    with pytest.raises(InputError, match=r"caption 2 has 6 tokens and batches have lengths of \[3, 4\]: leave it out"):
        loader_of([1, 5, 2], [0, 0, 1], (4, 3), batch_size=2)
    with pytest.raises(InputError, match="there are no captions"):
        loader_of([], [], batch_size=2)
    with pytest.raises(InputError, match="batch_size is 3: give a multiple of 2"):
        loader_of([1] * 9, [0] * 9, batch_size=3, multiple=2)
    with pytest.raises(ValueError, match="places are"):
        loader_of([1, 2], [0, 6], batch_size=2)
    with pytest.raises(ValueError, match="its start and its end at least"):
        CaptionLoader(pictures_of(1), np.zeros(1, int), join_sequences([[START]]), lengths=[3], batch_size=1)
