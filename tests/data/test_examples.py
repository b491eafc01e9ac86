"""Batches of labelled sequences: every example once, rows as Keras pads them, all of it a function of the step."""

import collections

import keras
import numpy as np
import pytest
from bytecode import instructions
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data import ExampleLoader, choose_lengths, join_sequences
from jaxseq.errors import InputError

SIDES = st.sampled_from(["pre", "post"])


@st.composite
def options(draw):
    """Options of a loader, and the lengths of sequences to give it."""
    counts = draw(st.lists(st.integers(0, 9), min_size=1, max_size=40))
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    sizes = draw(
        st.one_of(
            st.fixed_dictionaries({"batch_size": st.integers(1, 6)}),
            st.fixed_dictionaries({"batch_tokens": st.integers(9, 40)}),
        )
    )
    others = {"padding": draw(SIDES), "truncating": draw(SIDES), "shuffle": draw(st.booleans())}
    return counts, {"lengths": lengths, "seed": draw(st.integers(0, 9)), **sizes, **others}


def data_of(counts):
    """Sequences whose tokens tell example and position, and a label that tells the example."""
    sequences = [1000 * (number + 1) + np.arange(count) for number, count in enumerate(counts)]
    return sequences, np.arange(len(counts)) + 1


def loader_of(counts, **options):
    sequences, labels = data_of(counts)
    return ExampleLoader(join_sequences(sequences), labels, **options)


def epoch_of(loader, epoch=0):
    return [loader(epoch * loader.steps_per_epoch + index) for index in range(loader.steps_per_epoch)]


@settings(deadline=None, max_examples=200)
@given(made=options(), epoch=st.integers(0, 3))
def test_every_example_comes_once_an_epoch_as_keras_pads_and_truncates_it(made, epoch):
    counts, chosen = made
    sequences, _ = data_of(counts)
    loader = loader_of(counts, **chosen)
    seen = []
    for index, batch in enumerate(epoch_of(loader, epoch)):
        rows, length = batch.inputs.shape
        assert (rows, length) in loader.shapes
        assert [array.shape for array in batch] == [(rows, length), (rows, length), (rows,), (rows,)]
        assert [array.dtype for array in batch] == [np.int32, bool, np.int32, bool]
        numbers = loader.rows(epoch * loader.steps_per_epoch + index)
        assert batch.valid.tolist() == [True] * len(numbers) + [False] * (rows - len(numbers))
        assert batch.labels.tolist() == [*(numbers + 1), *[0] * (rows - len(numbers))]
        sides = {"padding": chosen["padding"], "truncating": chosen["truncating"]}
        given_rows = [sequences[number] for number in numbers] + [[]] * (rows - len(numbers))
        padded = keras.utils.pad_sequences(given_rows, maxlen=length, **sides)
        np.testing.assert_array_equal(batch.inputs, padded)
        np.testing.assert_array_equal(batch.mask, padded > 0)  # tokens here are above 0
        longest = max(chosen["lengths"])
        assert all(min(counts[number], longest) <= length for number in numbers)
        seen.extend(numbers.tolist())
    assert sorted(seen) == list(range(len(counts)))
    assert loader.uniform == (len(loader.shapes) == 1)
    assert loader.lengths == tuple(length for _, length in loader.shapes)
    assert set(loader.lengths) <= set(chosen["lengths"])
    assert loader.batch_size == max(rows for rows, _ in loader.shapes)
    assert len({length for _, length in loader.shapes}) == len(loader.shapes)


@settings(deadline=None, max_examples=60)
@given(made=options())
def test_a_batch_depends_on_its_step_alone(made):
    counts, chosen = made
    loader = loader_of(counts, **chosen)
    steps = 3 * loader.steps_per_epoch
    forward = [loader(step) for step in range(steps)]
    for step in np.random.default_rng(0).permutation(steps).tolist():
        for one, other in zip(forward[step], loader_of(counts, **chosen)(step), strict=True):
            np.testing.assert_array_equal(one, other)
        for one, other in zip(forward[step], loader(step), strict=True):
            np.testing.assert_array_equal(one, other)


@settings(deadline=None, max_examples=60)
@given(made=options())
def test_without_padding_less_than_a_batch_is_left_out_and_told(made):
    counts, chosen = made
    padded = loader_of(counts, **chosen)
    rows = padded(0).inputs.shape[0] if padded.uniform else None
    try:
        loader = loader_of(counts, **chosen, pad=False)
    except InputError as error:
        assert "more than the" in str(error)  # noqa: PT017 (no error is right, too)
        return
    seen = np.concatenate([loader.rows(step) for step in range(loader.steps_per_epoch)]).tolist()
    assert len(set(seen)) == len(seen)
    assert all(batch.valid.all() for batch in epoch_of(loader))
    missing = len(counts) - len(seen)
    assert rows is None or missing < rows
    assert (f"{missing} of {len(counts)} examples (fewer than a batch; " in loader.left_out) == (missing > 0)
    longest = max(chosen["lengths"])
    lost = sum(max(count - longest, 0) for count in counts)
    assert (f"{lost} of {sum(counts)} tokens" in loader.left_out) == (lost > 0)


@given(counts=st.lists(st.integers(0, 9), min_size=1, max_size=30), batch_size=st.integers(1, 5))
def test_in_an_evaluation_examples_come_in_order(counts, batch_size):
    loader = loader_of(counts, lengths=[9], batch_size=batch_size, shuffle=False)
    for epoch in range(2):
        steps = range(epoch * loader.steps_per_epoch, (epoch + 1) * loader.steps_per_epoch)
        assert np.concatenate([loader.rows(step) for step in steps]).tolist() == list(range(len(counts)))
    batches = epoch_of(loader)
    assert all(batch.valid.all() for batch in batches[:-1])
    bucketed = loader_of(counts, lengths=[3, 9], batch_size=1, shuffle=False)
    order = np.concatenate([bucketed.rows(step) for step in range(len(counts))]).tolist()
    assert order == sorted(range(len(counts)), key=lambda number: counts[number] > 3)


def test_an_epoch_mixes_lengths_and_neighbours():
    counts = np.random.default_rng(0).integers(0, 64, 4000)
    loader = loader_of(counts, lengths=[16, 32, 48, 64], batch_size=10)
    lengths = [batch.inputs.shape[1] for batch in epoch_of(loader)]
    assert lengths != sorted(lengths)
    # Were they in blocks, four steps in five would have the length of the step before; at random one in four has.
    assert np.mean(np.array(lengths[1:]) == lengths[:-1]) < 0.4
    first, second = (
        [tuple(loader.rows(epoch * loader.steps_per_epoch + index)) for index in range(loader.steps_per_epoch)]
        for epoch in range(2)
    )
    assert not set(first) & set(second)
    places = [place for numbers in first for place in np.diff(numbers)]
    assert np.mean(np.array(places) > 0) == pytest.approx(0.5, abs=0.05)
    other = loader_of(counts, lengths=[16, 32, 48, 64], batch_size=10, seed=1)
    assert tuple(other.rows(0)) not in first


def test_every_place_of_an_epoch_is_as_likely_for_every_example():
    """Chi-square over epochs: the step at which an example comes up, each of its length."""
    counts = [2] * 6 + [8] * 6
    loader = loader_of(counts, lengths=[2, 8], batch_size=2)
    table = np.zeros((12, loader.steps_per_epoch))
    epochs = 3000
    for step in range(epochs * loader.steps_per_epoch):
        table[loader.rows(step), step % loader.steps_per_epoch] += 1
    expected = epochs / loader.steps_per_epoch
    chi_square = ((table - expected) ** 2 / expected).sum()
    assert chi_square < 12 * 5 + 6 * np.sqrt(2 * 12 * 5)


def test_few_of_a_length_go_along_with_the_next():
    loader = loader_of([1, 1, 1, 5, 5, 9, 9, 9], lengths=[1, 5, 9], batch_size=4, shuffle=False)
    assert loader.shapes == ((4, 5), (4, 9))
    assert [loader.rows(step).tolist() for step in range(2)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    alone = loader_of([1, 1, 9, 9], lengths=[1, 9], batch_size=2, pad=False)
    assert alone.shapes == ((2, 1), (2, 9))
    # The one long text is left out, and does not come up truncated among the short ones.
    short = loader_of([1, 1, 9], lengths=[1, 9], batch_size=2, pad=False)
    assert short.lengths == (1,)
    assert short.left_out == "1 of 3 examples (fewer than a batch; other ones each time)"
    assert all(sorted(short.rows(step)) == [0, 1] for step in range(20))


def test_a_budget_of_tokens_gives_short_texts_more_rows():
    loader = loader_of([3] * 50 + [9] * 50, lengths=[3, 9], batch_tokens=80, multiple=4)
    assert loader.shapes == ((24, 3), (8, 9))
    assert not loader.uniform
    assert all(batch.inputs.size <= 80 for batch in epoch_of(loader))


def test_padding_neighbours_and_lengths_change_no_row():
    counts = np.random.default_rng(1).integers(0, 30, 200)
    rows = []
    for lengths in ([30], choose_lengths(counts, count=4, longest=30)):
        loader = loader_of(counts, lengths=lengths, batch_size=7)
        contents = collections.Counter()
        for batch in epoch_of(loader):
            for inputs, mask, label, valid in zip(*batch, strict=True):
                contents[(tuple(inputs[mask].tolist()), int(label))] += bool(valid)
        rows.append(+contents)
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"lengths": [0], "batch_size": 1}, "lengths[0] is 0: give a number above 0"),
        ({"lengths": [], "batch_size": 1}, "lengths is empty"),
        ({"lengths": [4], "batch_size": 0}, "batch_size is 0: give a number above 0"),
        ({"lengths": [4], "batch_size": 6, "multiple": 4}, "batch_size is 6: give a multiple of 4"),
        ({"lengths": [4], "batch_tokens": 7, "multiple": 2}, "batch_tokens is 7: 2 of length 4 need 8"),
        ({"lengths": [4], "batch_size": 4, "pad": False}, "a batch of 4 examples is more than the 3 there are: lower"),
        ({"lengths": [4], "batch_size": 1, "padding": "left"}, "padding is 'left': give pre or post"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_by_name(chosen, message):
    with pytest.raises(InputError) as caught:
        loader_of([1, 2, 3], **chosen)
    assert message in str(caught.value)


def test_misuse_by_a_program_is_no_input_error():
    sequences, labels = data_of([1, 2])
    joined = join_sequences(sequences)
    with pytest.raises(InputError, match="there are no examples"):
        ExampleLoader(join_sequences([]), np.zeros(0, int), lengths=[1], batch_size=1)
    with pytest.raises(TypeError, match=r"labels are \[2\] integers"):
        ExampleLoader(joined, labels[:1], lengths=[1], batch_size=1)
    with pytest.raises(TypeError, match="got float64"):
        ExampleLoader(joined, labels / 2, lengths=[1], batch_size=1)
    with pytest.raises(ValueError, match="batch_size or batch_tokens"):
        ExampleLoader(joined, labels, lengths=[1])
    with pytest.raises(ValueError, match="steps count from 0"):
        ExampleLoader(joined, labels, lengths=[1], batch_size=1)(-1)


def test_sequences_are_laid_end_to_end():
    joined = join_sequences([[], np.array([7, 8], np.uint8), [9]])
    assert joined.ids.tolist() == [7, 8, 9]
    assert joined.ids.dtype == np.int32
    assert joined.lengths.tolist() == [0, 2, 1]
    with pytest.raises(TypeError):
        join_sequences([np.array([1.5])])


@pytest.mark.parametrize("count", [1, 8], ids=["one length", "eight lengths"])
def test_no_example_of_a_batch_is_cut_by_python(count):
    random = np.random.default_rng(0)
    counts = np.minimum(random.lognormal(5.1, 0.7, 25_000).astype(int), 2500)
    ids, offsets = np.ones(counts.sum(), np.int32), np.concatenate([[0], np.cumsum(counts)])
    joined = join_sequences([])._replace(ids=ids, offsets=offsets)
    labels, lengths = random.integers(0, 2, 25_000), choose_lengths(counts, count=count, longest=400)
    few, many = (ExampleLoader(joined, labels, lengths=lengths, batch_size=rows) for rows in (8, 1024))
    for loader in (few, many):
        loader(0)  # draws the order of the epoch
    assert instructions(lambda: many(1)) < 2 * instructions(lambda: few(1))
