"""Words and their neighbours in batches, against plain loops and the chances they must have."""

import collections
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data.examples import Sequences, join_sequences
from jaxseq.data.word_windows import WordWindowLoader
from jaxseq.errors import InputError

SIZES = st.lists(st.integers(0, 12), min_size=1, max_size=8).filter(lambda sizes: max(sizes) > 1)
DRAW = np.random.default_rng(0)


def sentences_of(sizes) -> Sequences:
    """Sentences of these lengths in which no word occurs twice."""
    ends = np.cumsum(sizes)
    return join_sequences([np.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)])


def loader_of(sentences, *, chances=None, window=3, length=4, batch_size=2, **options):
    if chances is None:
        chances = np.ones(int(sentences.ids.max(initial=0)) + 1)
    return WordWindowLoader(sentences, chances=chances, window=window, length=length, batch_size=batch_size, **options)


def an_epoch(loader, epoch=0):
    return [loader(epoch * loader.steps_per_epoch + step) for step in range(loader.steps_per_epoch)]


def rows_of(batches):
    """(centres with the words before and behind each, the row's number) of rows that are not empty."""
    rows = []
    for batch in batches:
        window = (batch.tokens.shape[1] - batch.left.shape[1]) // 2
        for tokens, left, right, count, draw in zip(*batch, strict=True):
            assert not left[count:].any()
            assert not right[count:].any()
            assert not tokens[count + 2 * window :].any()
            cells = []
            for at in range(window, window + count):
                near = [tokens[at - left[at - window] : at], tokens[at + 1 : at + 1 + right[at - window]]]
                cells.append((int(tokens[at]), *(side.tolist() for side in near)))
            if cells:
                rows.append((cells, int(draw)))
    return rows


@settings(max_examples=60)
@given(SIZES, st.integers(1, 5), st.integers(1, 7), st.integers(1, 3), st.floats(0.2, 1), st.integers(0, 9))
def test_every_word_that_stays_has_its_neighbours_among_those_of_its_sentence(
    sizes, window, length, batch_size, chance, seed
):
    sentences = sentences_of(sizes)
    chances = np.where(np.arange(len(sentences.ids)) % 2, 1.0, chance)
    options = {"window": window, "length": length, "batch_size": batch_size, "shuffle": False, "seed": seed}
    cells = [cell for row, _ in rows_of(an_epoch(loader_of(sentences, chances=chances, **options))) for cell in row]
    words = [word for word, _, _ in cells]
    assert words == sorted(set(words))  # each once, in the order of the text
    assert set(range(1, len(sentences.ids), 2)) <= set(words)  # what is always kept
    sentence_of = np.searchsorted(sentences.offsets, words, side="right")
    for at, (_, before, behind) in enumerate(cells):
        first, last = (int(np.searchsorted(sentence_of, sentence_of[at], side)) for side in ("left", "right"))
        reach = max(len(before), len(behind))
        assert reach <= window
        cut = len(before) < reach, len(behind) < reach
        assert before == words[max(first, at - reach) : at]
        assert behind == words[at + 1 : min(last, at + 1 + reach)]
        if reach == 0:
            assert last - first == 1
        assert not all(cut)


def test_a_sentence_of_any_length_is_used_to_its_end():
    """gensim leaves out what comes behind the 10,000th word of a sentence (gensim#2880, #2583)."""
    sentences = sentences_of([25_000])
    rows = rows_of(an_epoch(loader_of(sentences, length=128, batch_size=16)))
    cells = {word: (before, behind) for row, _ in rows for word, before, behind in row}
    assert sorted(cells) == list(range(25_000))
    for word in (9_999, 10_000, 20_000):
        assert cells[word][0][-1] == word - 1
        assert cells[word][1][0] == word + 1


def test_an_epoch_has_as_many_batches_as_every_other_and_all_of_one_shape():
    ids = DRAW.integers(0, 20, 3000).astype(np.int32)
    sentences = Sequences(ids, np.array([0, 1000, 3000]))
    loader = loader_of(sentences, chances=np.linspace(0.1, 1, 20), length=16, batch_size=4)
    kept = set()
    for epoch in range(12):
        batches = an_epoch(loader, epoch)
        assert {tuple(leaf.shape for leaf in batch) for batch in batches} == {((4, 22), (4, 16), (4, 16), (4,), (4,))}
        kept.add(sum(int(batch.centres.sum()) for batch in batches))
    assert len(kept) > 6  # each epoch keeps others
    assert max(kept) <= loader.steps_per_epoch * 64
    assert min(kept) > (loader.steps_per_epoch - 5) * 64  # what is empty are the last rows


def test_words_stay_with_their_chances_and_windows_reach_evenly():
    stats = pytest.importorskip("scipy.stats")
    ids = np.tile(np.arange(4, dtype=np.int32), 20_000)
    sentences = Sequences(ids, np.array([0, len(ids)]))
    chances = np.array([0.05, 0.3, 0.75, 1.0])
    loader = loader_of(sentences, chances=chances, window=5, length=256, batch_size=8, shuffle=False, seed=3)
    words, reach = [], []
    for batch in an_epoch(loader):
        inside = np.arange(256) < batch.centres[:, None]
        words.append(batch.tokens[:, 5:-5][inside])
        reach.append(np.maximum(batch.left, batch.right)[inside])
    # The last word is always kept, and closes a group of those before it; each subset has its chance.
    stream = np.concatenate(words)
    groups = np.split(stream, np.flatnonzero(stream == 3) + 1)[:-1]
    assert len(groups) == 20_000
    subsets = np.bincount([int((2 ** group[:-1]).sum()) for group in groups], minlength=8)
    members = np.arange(8)[:, None] >> np.arange(3) & 1
    wanted = np.where(members, chances[:3], 1 - chances[:3]).prod(axis=1) * 20_000
    assert stats.chisquare(subsets, wanted).pvalue > 1e-4
    reached = np.bincount(np.concatenate(reach), minlength=6)[1:]
    assert stats.chisquare(reached).pvalue > 1e-4


def test_the_rows_of_an_epoch_are_the_same_whatever_the_batches():
    """So that a loss hangs neither on batches nor on workers (gensim#2743)."""
    ids = DRAW.integers(0, 9, 700).astype(np.int32)
    sentences = Sequences(ids, np.array([0, 100, 101, 700]))
    options = {"chances": np.linspace(0.4, 1, 9), "length": 8, "seed": 5}
    for epoch in (0, 3):
        found = [
            sorted(rows_of(an_epoch(loader_of(sentences, batch_size=size, **options), epoch))) for size in (1, 4, 50)
        ]
        assert found[0] == found[1] == found[2]
    others = sorted(rows_of(an_epoch(loader_of(sentences, batch_size=4, **{**options, "seed": 6}))))
    assert others != sorted(rows_of(an_epoch(loader_of(sentences, batch_size=4, **options))))


def test_windows_that_do_not_shrink_reach_as_far_as_they_can():
    sentences = sentences_of([9, 1, 3])
    rows = rows_of(an_epoch(loader_of(sentences, shrink=False, shuffle=False)))
    cells = [cell for row, _ in rows for cell in row]
    for start, end in ((0, 9), (9, 10), (10, 13)):
        for word in range(start, end):
            before, behind = list(range(max(start, word - 3), word)), list(range(word + 1, min(end, word + 4)))
            assert cells[word] == (word, before, behind)


@settings(max_examples=40)
@given(SIZES, st.integers(1, 5), st.floats(0.3, 1), st.integers(0, 9))
def test_sets_keep_their_words_and_other_sets_the_place(sizes, window, chance, seed):
    sentences = sentences_of(sizes)
    options = {"chances": np.full(len(sentences.ids), chance), "window": window, "shuffle": False, "seed": seed}
    sets, lists = (loader_of(sentences, ordered=ordered, **options) for ordered in (False, True))
    found, wanted = ([cell for row, _ in rows_of(an_epoch(each)) for cell in row] for each in (sets, lists))
    set_of = np.searchsorted(sentences.offsets, [word for word, _, _ in found], side="right")
    assert (np.diff(set_of) >= 0).all()
    assert sorted(word for word, _, _ in found) == [word for word, _, _ in wanted]
    assert [(len(before), len(behind)) for _, before, behind in found] == [
        (len(before), len(behind)) for _, before, behind in wanted
    ]
    for at, (word, before, behind) in enumerate(found):
        for near in (*before, *behind):
            assert np.searchsorted(sentences.offsets, near, side="right") == set_of[at]
            assert near != word


def test_each_epoch_has_every_order_of_a_set_as_often():
    stats = pytest.importorskip("scipy.stats")
    loader = loader_of(sentences_of([3] * 400), ordered=False, shuffle=False, length=64, batch_size=4)
    orders = collections.Counter()
    for epoch in range(10):
        words = [cell[0] for row, _ in rows_of(an_epoch(loader, epoch)) for cell in row]
        orders.update(tuple(word - at for word in words[at : at + 3]) for at in range(0, 1200, 3))
    assert set(orders) == set(itertools.permutations(range(3)))
    assert stats.chisquare(list(orders.values())).pvalue > 1e-4


def test_sets_that_are_smaller_than_a_window_are_all_their_pairs():
    sentences = sentences_of([4, 1, 6])
    rows = rows_of(an_epoch(loader_of(sentences, ordered=False, shrink=False, window=5), 3))
    found = sorted((word, other) for row, _ in rows for word, *sides in row for side in sides for other in side)
    groups = [range(4), range(4, 5), range(5, 11)]
    assert found == [(word, other) for group in groups for word in group for other in group if other != word]
    assert loader_of(sentences, ordered=False, shrink=False, window=5).pairs(3) == len(found) == 4 * 3 + 6 * 5


def test_a_step_is_the_same_in_any_order_and_for_any_loader():
    sentences = sentences_of([30, 2, 50])
    one, other = (loader_of(sentences, chances=np.full(82, 0.6), seed=2) for _ in range(2))
    steps = 3 * one.steps_per_epoch
    ahead = [one(step) for step in range(steps)]
    for step in reversed(range(steps)):
        for batch in (one(step), other(step)):
            for leaf, wanted in zip(batch, ahead[step], strict=True):
                np.testing.assert_array_equal(leaf, wanted)
    with pytest.raises(ValueError, match="steps count from 0"):
        one(-1)


def test_rows_come_in_another_order_in_each_epoch_where_they_are_shuffled():
    sentences = sentences_of([400])
    for shuffle in (False, True):
        loader = loader_of(sentences, shuffle=shuffle, batch_size=5)
        firsts = [[row[0][0] for row, _ in rows_of(an_epoch(loader, epoch))] for epoch in (0, 1)]
        assert sorted(firsts[0]) == sorted(firsts[1]) == list(range(0, 400, 4))
        assert (firsts[0] == firsts[1]) is not shuffle
        assert (firsts[0] == sorted(firsts[0])) is not shuffle


@settings(max_examples=40)
@given(SIZES, st.integers(1, 3), st.integers(1, 9), st.integers(0, 40), st.floats(0.3, 1), st.booleans())
def test_where_words_have_parts_a_row_ends_before_there_are_too_many(sizes, window, length, spare, chance, ordered):
    sentences = sentences_of(sizes)
    pieces = DRAW.integers(1, 7, len(sentences.ids))
    most = int(pieces.max()) * (2 * window + 1) + spare
    options = {"window": window, "length": length, "chances": np.full(len(pieces), chance), "shuffle": False}
    options["ordered"] = ordered
    loader = loader_of(sentences, pieces=pieces, most_pieces=most, **options)
    for epoch in (0, 1):
        batches = an_epoch(loader, epoch)
        for batch in batches:
            around = np.arange(length + 2 * window) < (batch.centres + 2 * window)[:, None]
            assert (np.where(around, pieces[batch.tokens], 0).sum(axis=1)[batch.centres > 0] <= most).all()
        words = [cell[0] for row, _ in rows_of(batches) for cell in row]
        words = words if ordered else sorted(words)
        assert words == sorted(set(words))
        if chance == 1:
            assert words == list(range(len(sentences.ids)))


def test_what_gives_no_pair_or_no_batch_is_told():
    with pytest.raises(InputError, match=r"no sentence has two known words: give more text, or lower data\.min_count"):
        loader_of(sentences_of([1, 1, 0, 1]))
    with pytest.raises(InputError, match="length is 0: give a number above 0"):
        loader_of(sentences_of([5]), length=0)
    with pytest.raises(InputError, match="window is 256: give 255 or fewer"):
        loader_of(sentences_of([5]), window=256)
    with pytest.raises(InputError, match="a row of 20 parts of words is too short for a word of 3 and its neighbours"):
        loader_of(sentences_of([5]), pieces=np.full(5, 3), most_pieces=20)
