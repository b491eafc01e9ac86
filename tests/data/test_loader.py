"""Loaders as pure functions of the step, against plain loops over the corpus."""

import itertools

import numpy as np
import pytest
from bytecode import instructions
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jaxseq.data import RowLoader, WindowLoader, next_token_windows
from jaxseq.errors import InputError

SIZES = st.integers(1, 7)


def corpus(count):
    """Ids that tell their position."""
    return np.arange(count, dtype=np.int32)


def epoch_of(loader, epoch=0):
    return [loader(epoch * loader.steps_per_epoch + index) for index in range(loader.steps_per_epoch)]


def assert_well_formed(loader, batch):
    shape = (loader.batch_size, loader.length)
    assert [array.shape for array in batch] == [shape] * 4
    assert [array.dtype for array in batch] == [np.int32, np.int32, bool, bool]
    np.testing.assert_array_equal(batch.targets[batch.mask], batch.inputs[batch.mask] + 1)
    assert not batch.inputs[~batch.mask].any()
    assert not batch.targets[~batch.mask].any()
    assert not batch.reset[~batch.mask].any()
    assert loader.masked or batch.mask.all()
    assert loader.interior_resets or not batch.reset[:, 1:].any()


@settings(deadline=None, max_examples=60)
@given(rows=SIZES, length=SIZES, extra=st.integers(0, 60), dtype=st.sampled_from(["u1", "<u2", "i4", "i8"]))
def test_in_padded_rows_every_token_but_the_last_is_an_input_exactly_once(rows, length, extra, dtype):
    count = rows + 1 + extra
    loader = RowLoader(corpus(count).astype(dtype), length=length, batch_size=rows, pad=True)
    batches = epoch_of(loader)
    for batch in batches:
        assert_well_formed(loader, batch)
    stretches = [np.concatenate([b.inputs[i][b.mask[i]] for b in batches]) for i in range(rows)]
    assert np.concatenate(stretches).tolist() == list(range(count - 1))
    lengths = [len(stretch) for stretch in stretches]
    assert max(lengths) - min(lengths) <= 1
    assert loader.masked == any(not batch.mask.all() for batch in batches)


@settings(deadline=None, max_examples=60)
@given(rows=SIZES, length=SIZES, extra=st.integers(0, 60))
def test_in_whole_rows_every_token_is_an_input_exactly_once_up_to_the_ragged_tail(rows, length, extra):
    count = rows * length + 1 + extra
    loader = RowLoader(corpus(count), length=length, batch_size=rows)
    batches = epoch_of(loader)
    for batch in batches:
        assert_well_formed(loader, batch)
    stretches = [np.concatenate([batch.inputs[i] for batch in batches]) for i in range(rows)]
    read = np.concatenate(stretches)
    assert read.tolist() == list(range(len(read)))
    assert count - 1 - len(read) < rows * length
    assert not loader.masked


@settings(deadline=None, max_examples=60)
@given(
    kind=st.sampled_from([RowLoader, WindowLoader]),
    length=SIZES,
    parts=st.integers(1, 3),
    each=st.integers(1, 3),
    pad=st.booleans(),
    step=st.integers(0, 9),
    documents=st.sets(st.integers(1, 50)).map(sorted),
)
def test_the_parts_that_processes_read_are_the_batch(kind, length, parts, each, pad, step, documents):
    size = parts * each
    ids = corpus(size * length + 30)
    loader = kind(ids, length=length, batch_size=size, pad=pad, document_starts=documents)
    pieces = [loader.part(step, slice(i * each, (i + 1) * each)) for i in range(parts)]
    for whole, *shares in zip(loader(step), *pieces, strict=True):
        np.testing.assert_array_equal(np.concatenate(shares), whole)


@settings(deadline=None, max_examples=60)
@given(rows=SIZES, length=SIZES, extra=st.integers(0, 60), pad=st.booleans(), epoch=st.integers(0, 3))
def test_a_row_goes_on_where_it_stopped_and_starts_anew_at_each_epoch(rows, length, extra, pad, epoch):
    loader = RowLoader(corpus(rows * length + 1 + extra), length=length, batch_size=rows, pad=pad)
    batches = epoch_of(loader, epoch)
    assert batches[0].reset[:, 0].all()
    assert not any(batch.reset.any() for batch in batches[1:])
    for before, after in itertools.pairwise(batches):
        reached = after.mask[:, 0]
        assert (after.inputs[reached, 0] == before.targets[reached, -1]).all()


@settings(deadline=None, max_examples=60)
@given(
    length=SIZES,
    shift=SIZES,
    batch_size=SIZES,
    extra=st.integers(0, 60),
    seed=st.integers(0, 9),
    epoch=st.integers(0, 9),
)
def test_a_padded_epoch_of_windows_is_a_permutation_of_all_windows(length, shift, batch_size, extra, seed, epoch):
    ids = corpus(length + 1 + extra)
    loader = WindowLoader(ids, length=length, shift=shift, batch_size=batch_size, seed=seed, pad=True)
    batches = epoch_of(loader, epoch)
    for batch in batches:
        assert_well_formed(loader, batch)
        np.testing.assert_array_equal(batch.reset[:, 0], batch.mask[:, 0])
    inputs, _ = next_token_windows(ids, length=length, shift=shift)
    seen = np.concatenate([batch.inputs[batch.mask[:, 0]] for batch in batches])
    assert sorted(seen.tolist()) == inputs.tolist()
    assert all((batch.mask == batch.mask[:, :1]).all() for batch in batches)
    assert loader.windows == len(inputs)
    assert loader.masked == any(not batch.mask.all() for batch in batches)


@settings(deadline=None, max_examples=60)
@given(length=SIZES, shift=SIZES, batch_size=SIZES, extra=st.integers(0, 60))
def test_without_padding_no_window_comes_up_twice_and_less_than_a_batch_is_left_out(length, shift, batch_size, extra):
    ids = corpus(length + 1 + shift * batch_size + extra)
    loader = WindowLoader(ids, length=length, shift=shift, batch_size=batch_size)
    seen = np.concatenate([batch.inputs for batch in epoch_of(loader)])[:, 0].tolist()
    assert len(set(seen)) == len(seen) > loader.windows - batch_size
    assert not loader.masked


def test_unshuffled_windows_come_in_order():
    ids = corpus(50)
    loader = WindowLoader(ids, length=4, shift=3, batch_size=5, shuffle=False)
    inputs, targets = next_token_windows(ids, length=4, shift=3)
    for step, batch in enumerate(epoch_of(loader, epoch=2)):
        np.testing.assert_array_equal(batch.inputs, inputs[5 * step : 5 * step + 5])
        np.testing.assert_array_equal(batch.targets, targets[5 * step : 5 * step + 5])


def test_epochs_and_seeds_have_orders_of_their_own():
    def first_batch(seed, epoch):
        loader = WindowLoader(corpus(2000), length=4, batch_size=64, seed=seed)
        return loader(epoch * loader.steps_per_epoch).inputs.tolist()

    assert first_batch(0, 1) == first_batch(0, 1)
    assert first_batch(0, 1) != first_batch(0, 2)
    assert first_batch(0, 1) != first_batch(1, 1)


MAKERS = {
    "windows": lambda ids: WindowLoader(ids, length=5, shift=2, batch_size=4, seed=3, document_starts=[0, 30, 31]),
    "windows in order": lambda ids: WindowLoader(ids, length=5, batch_size=4, shuffle=False, pad=True),
    "rows": lambda ids: RowLoader(ids, length=5, batch_size=4),
    "padded rows": lambda ids: RowLoader(ids, length=5, batch_size=4, pad=True, document_starts=[0, 17, 40]),
}


@settings(deadline=None, max_examples=25)
@given(kind=st.sampled_from(sorted(MAKERS)), steps=st.lists(st.integers(0, 100), min_size=1, max_size=20))
def test_a_batch_depends_on_its_step_and_not_on_the_calls_before(kind, steps):
    ids = corpus(98)
    used, expected = MAKERS[kind](ids), MAKERS[kind](ids)
    for step in steps:
        batch = used(step)
        batch.inputs[:] = -1  # what a caller does to its batch reaches nobody else
        for array, wanted in zip(used(step), expected(step), strict=True):
            np.testing.assert_array_equal(array, wanted)
    assert ids.tolist() == list(range(98))


def test_arrays_that_never_change_are_shared_and_read_only():
    loader = WindowLoader(corpus(98), length=5, batch_size=4)
    assert loader(0).mask is loader(7).mask
    assert loader(0).reset is loader(7).reset
    assert not loader(0).mask.flags.writeable


@settings(deadline=None, max_examples=60)
@given(starts=st.sets(st.integers(0, 60), max_size=12).map(sorted), kind=st.sampled_from(["rows", "padded", "windows"]))
def test_reset_is_true_exactly_where_documents_start(starts, kind):
    ids = corpus(61)
    if kind == "windows":
        loader = WindowLoader(ids, length=6, batch_size=4, pad=True, document_starts=starts)
    else:
        loader = RowLoader(ids, length=6, batch_size=4, pad=kind == "padded", document_starts=starts)
    interior = False
    for step, batch in enumerate(epoch_of(loader)):
        assert_well_formed(loader, batch)
        expected = np.isin(batch.inputs, starts) & batch.mask
        if step == 0 or kind == "windows":
            expected[:, 0] = batch.mask[:, 0]
        np.testing.assert_array_equal(batch.reset, expected)
        interior |= bool(batch.reset[:, 1:].any())
    assert loader.interior_resets or not interior
    assert loader.interior_resets == any(0 < start < 60 for start in starts)


@st.composite
def loaders(draw):
    """A loader of any kind over a corpus that tells positions, with documents or without; and where these start."""
    count = draw(st.integers(2, 90))
    starts = sorted(draw(st.sets(st.integers(0, count - 1), max_size=8)))
    sizes = {"length": draw(SIZES), "batch_size": draw(SIZES), "pad": draw(st.booleans()), "document_starts": starts}
    try:
        if draw(st.booleans()):
            return RowLoader(corpus(count), **sizes), starts
        shift, shuffle, seed = draw(st.integers(1, 12)), draw(st.booleans()), draw(st.integers(0, 9))
        return WindowLoader(corpus(count), shift=shift, shuffle=shuffle, seed=seed, **sizes), starts
    except InputError:
        assume(False)


@settings(deadline=None, max_examples=300)
@given(drawn=loaders(), epoch=st.integers(0, 3))
def test_every_batch_keeps_every_promise_of_its_class_and_its_loader(drawn, epoch):
    loader, starts = drawn
    batches = epoch_of(loader, epoch)
    for index, batch in enumerate(batches):
        assert_well_formed(loader, batch)
        anew = np.zeros(batch.mask.shape, bool)
        anew[:, 0] = index == 0 or not loader.carried
        np.testing.assert_array_equal(batch.reset, batch.mask & (anew | np.isin(batch.inputs, starts)))
        for row in batch.inputs[batch.mask[:, 0]]:
            np.testing.assert_array_equal(row[row > 0][1:], row[row > 0][:-1] + 1)
    assert loader.masked == any(not batch.mask.all() for batch in batches)
    if loader.carried:
        for before, after in itertools.pairwise(batches):
            reached = after.mask[:, 0]
            assert before.mask[reached].all()
            np.testing.assert_array_equal(after.inputs[reached, 0], before.targets[reached, -1])


@settings(deadline=None, max_examples=200)
@given(drawn=loaders())
def test_what_an_epoch_leaves_out_is_said(drawn):
    loader, _ = drawn
    read: set[int] = set()
    windows = 0
    for batch in epoch_of(loader):
        read |= {*batch.inputs[batch.mask].tolist(), *batch.targets[batch.mask].tolist()}
        windows += int(batch.mask[:, 0].sum())
    count = loader._cutter.count
    if loader.carried:
        tail = count - len(read)
        assert loader.left_out == (f"the last {tail} of {count} tokens (fewer than a batch)" if tail else "")
        return
    short = loader.windows - windows
    assert (f"{short} of {loader.windows} windows (fewer than a batch; " in loader.left_out) == (short > 0)
    if short == 0:
        tail, gaps = count - 1 - max(read), max(read) + 1 - len(read)
        assert (f"the last {tail} of {count} tokens (no whole window)" in loader.left_out) == (tail > 0)
        assert gaps == 0 or f"{gaps // (loader.windows - 1)} tokens between neighbouring windows" in loader.left_out
    if len(read) == count:
        assert "token" not in loader.left_out
    if len(read) < count:
        assert loader.left_out


def test_loaders_read_a_memory_map_without_copying_it(tmp_path):
    np.save(tmp_path / "ids.npy", corpus(1000).astype(np.uint16))
    mapped = np.load(tmp_path / "ids.npy", mmap_mode="r")
    for loader in (WindowLoader(mapped, length=9, batch_size=8), RowLoader(mapped, length=9, batch_size=8)):
        assert np.shares_memory(loader._cutter._windows, mapped)
        assert_well_formed(loader, loader(3))


def test_a_corpus_of_a_billion_tokens_takes_no_memory_for_its_order():
    ids = np.broadcast_to(np.uint8(7), 10**9)
    loader = WindowLoader(ids, length=100, batch_size=32)
    assert loader.steps_per_epoch == (10**9 - 100) // 32
    assert (loader(loader.steps_per_epoch * 5 - 1).inputs == 7).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: WindowLoader(corpus(57), length=100, batch_size=1),
            "window length 100 needs at least 101 tokens, the corpus has 57: lower --data.length or add text",
        ),
        (
            lambda: RowLoader(corpus(57), length=100, batch_size=1),
            "window length 100 needs at least 101 tokens, the corpus has 57: lower --data.length or add text",
        ),
        (
            lambda: RowLoader(corpus(57), length=10, batch_size=8),
            "8 rows of window length 10 need at least 81 tokens, the corpus has 57: lower --data.batch-size",
        ),
        (lambda: RowLoader(corpus(8), length=10, batch_size=8, pad=True), "8 rows need at least 9 tokens"),
        (lambda: RowLoader(corpus(0), length=10, batch_size=8), "the corpus has 0"),
        (
            lambda: WindowLoader(corpus(57), length=50, batch_size=8),
            "a batch of 8 windows is more than the 7 in the corpus: lower --data.batch-size or add text",
        ),
        (lambda: WindowLoader(corpus(57), length=-5, batch_size=8), "length is -5: give a number above 0"),
        (lambda: WindowLoader(corpus(57), length=5, batch_size=8, shift=0), "shift is 0: give a number above 0"),
        (lambda: RowLoader(corpus(57), length=5, batch_size=-8), "batch_size is -8: give a number above 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_by_name(make, message):
    with pytest.raises(InputError) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_misuse_by_a_program_is_no_input_error():
    with pytest.raises(TypeError, match="token ids are"):
        RowLoader(np.zeros(50), length=5, batch_size=2)
    with pytest.raises(ValueError, match="steps count from 0"):
        RowLoader(corpus(50), length=5, batch_size=2)(-1)


@pytest.mark.parametrize(
    "make",
    [
        lambda ids, rows: WindowLoader(ids, length=12, batch_size=rows),
        lambda ids, rows: RowLoader(ids, length=30, batch_size=rows),
        lambda ids, rows: RowLoader(ids, length=10, batch_size=rows, document_starts=range(0, 500_000, 100)),
    ],
    ids=["windows", "rows", "rows with documents"],
)
def test_no_row_of_a_batch_is_cut_by_python(make):
    ids = np.tile(np.arange(39, dtype=np.uint8), 13_000)
    few, many = make(ids, 8), make(ids, 1024)
    for loader in (few, many):
        loader(0)  # draws the order of the epoch
    assert instructions(lambda: many(1)) < 2 * instructions(lambda: few(1))
