"""Pairs of sentences and single texts, against plain loops over documents whose tokens tell where they are from."""

import collections

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from jaxseq.data.documents import Documents, encode_documents, split_documents
from jaxseq.data.next_sentences import SentencePairs, SingleTexts, _truncated
from jaxseq.errors import InputError

START, SEPARATOR, FIRST = 1, 2, 10
SIZES = st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=7), min_size=1, max_size=6)


def documents_of(sizes) -> Documents:
    """Documents of sentences of these sizes in which no token comes twice: the i-th is 10 + i."""
    sentences = np.cumsum([0, *(size for document in sizes for size in document)])
    bounds = np.cumsum([0, *map(len, sizes)])
    return Documents(np.arange(FIRST, FIRST + sentences[-1], dtype=np.int32), sentences, bounds)


def pairs_of(sizes, *, length=12, **options):
    return SentencePairs(documents_of(sizes), length=length, start_id=START, separator_id=SEPARATOR, **options)


def with_pairs(sizes):
    return len(sizes) > 1 and any(len(document) > 1 for document in sizes)


def taken_apart(tokens, segments, mask):
    """A and B of a row, as places among all tokens; all else in it is checked."""
    size = int(mask.sum())
    assert mask[:size].all()
    assert not tokens[size:].any()
    assert not segments[size:].any()
    row = tokens[:size].tolist()
    middle = row.index(SEPARATOR)
    assert row[0] == START
    assert row[-1] == SEPARATOR
    assert segments[:size].tolist() == [0] * (middle + 1) + [1] * (size - middle - 1)
    return [token - FIRST for token in row[1:middle]], [token - FIRST for token in row[middle + 1 : -1]]


def runs_by_hand(sizes, room):
    """First and last sentence, by document, of runs that go on until they hold `room` tokens."""
    runs = []
    for number, document in enumerate(sizes):
        start = 0
        while len(document) > 1:
            start = min(start, len(document) - 2)
            stop, total = start, 0
            while stop < len(document) and (total < room or stop - start < 2):
                total += document[stop]
                stop += 1
            runs.append((number, start, stop))
            if stop == len(document):
                break
            start = stop - 1 if total > room else stop
    return runs


def cut_by_hand(a, b, room):
    """Google's `truncate_seq_pair`, without its coin: A loses its first tokens, B its last."""
    a, b = list(a), list(b)
    while len(a) + len(b) > room:
        if len(a) > len(b):
            del a[0]
        else:
            b.pop()
    return a, b


@settings(max_examples=150)
@given(SIZES.filter(with_pairs), st.integers(5, 20), st.integers(0, 9), st.integers(0, 3))
def test_b_follows_a_or_is_what_follows_elsewhere_until_the_example_is_full(sizes, length, seed, epoch):
    """NVIDIA/DeepLearningExamples#421: true next sentences labelled random; google-research/bert#125: a label 1 that
    nobody knew the meaning of."""
    documents, pairs = documents_of(sizes), pairs_of(sizes, length=length, seed=seed)
    runs, room = runs_by_hand(sizes, length - 3), length - 3
    assert pairs.lengths.tolist() == [length] * len(runs)
    found = pairs(np.arange(len(runs)), epoch=epoch, length=length)
    assert [array.dtype for array in found] == [np.int32, np.int32, bool, bool]
    ends = documents.sentences.tolist()
    for (document, start, stop), is_next, *row in zip(runs, found.is_next, *found[:3], strict=True):
        a, b = taken_apart(*row)
        base = int(documents.documents[document])
        middle = ends.index(a[-1] + 1)  # A ends where a sentence does
        assert base + start < middle < base + stop
        if is_next:
            whole = range(ends[middle], ends[base + stop])
        else:
            first = ends.index(b[0])  # B begins where a sentence does
            other = int(np.searchsorted(documents.documents, first, side="right")) - 1
            assert other != document
            last, need = first, room - (ends[middle] - ends[base + start])
            while last < documents.documents[other + 1] and (last == first or ends[last] - ends[first] < need):
                last += 1
            whole = range(ends[first], ends[last])
        assert (a, b) == cut_by_hand(range(ends[base + start], ends[middle]), whole, room)


@given(SIZES.filter(with_pairs), st.integers(5, 20))
def test_runs_leave_out_no_sentence_of_a_document_with_two(sizes, length):
    seen = collections.defaultdict(set)
    for document, start, stop in runs_by_hand(sizes, length - 3):
        seen[document] |= set(range(start, stop))
    assert seen == {at: set(range(len(document))) for at, document in enumerate(sizes) if len(document) > 1}
    single = sum(len(document) == 1 for document in sizes)
    assert pairs_of(sizes, length=length).left_out == (
        f"{single} of {len(sizes)} documents as a first part (they have one sentence)" if single else ""
    )


def test_where_another_document_must_be_there_is_one_however_few_there_are():
    """codertimo/BERT-pytorch#110: a large document beside a tiny one; drawn from all, the true next sentence would
    come up nearly always."""
    sizes = [[1] * 50, [1]]
    pairs = pairs_of(sizes, length=7)
    numbers = np.arange(len(pairs.lengths))
    for epoch in range(20):
        found = pairs(numbers, epoch=epoch, length=7)
        for is_next, *row in zip(found.is_next, *found[:3], strict=True):
            a, b = taken_apart(*row)
            assert (b[0] == a[-1] + 1) == is_next
            assert is_next or b == [50]


def test_half_are_next_and_places_are_drawn_with_equal_chances():
    sizes = [[1, 2, 1, 1, 2], [1, 1, 3], [2], [1, 2, 1, 1]]
    documents, pairs = documents_of(sizes), pairs_of(sizes, length=30)
    labels, middles, others = [], collections.Counter(), collections.Counter()
    for epoch in range(4000):
        found = pairs(np.array([0, 1]), epoch=epoch, length=30)
        labels += found.is_next.tolist()
        a, b = taken_apart(*(array[0] for array in found[:3]))
        middles[a[-1] + 1] += 1
        if not found.is_next[0]:
            others[b[0]] += 1
    assert stats.binomtest(sum(labels), len(labels), 0.5).pvalue > 1e-3
    one, other = np.reshape(labels, (-1, 2)).T
    assert (
        stats.chi2_contingency([[sum(one & other), sum(one & ~other)], [sum(~one & other), sum(~one & ~other)]])[1]
        > 1e-3
    )
    assert sorted(middles) == documents.sentences[1:5].tolist()
    assert stats.chisquare(list(middles.values())).pvalue > 1e-3
    assert sorted(others) == documents.sentences[5:-1].tolist()
    assert stats.chisquare(list(others.values())).pvalue > 1e-3


@given(SIZES.filter(with_pairs), st.data())
def test_an_example_follows_from_its_number_seed_and_epoch(sizes, data):
    pairs, again = (pairs_of(sizes, seed=3) for _ in range(2))
    count = len(pairs.lengths)
    whole = pairs(np.arange(count), epoch=2, length=12)
    numbers = np.array(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=8)))
    more = data.draw(st.integers(0, 5))
    for one, other in zip(again(numbers, epoch=2, length=12 + more), whole, strict=True):
        np.testing.assert_array_equal(one[:, :12] if one.ndim == 2 else one, other[numbers])


def test_epochs_and_seeds_differ():
    sizes = [[2] * 40, [3] * 30]
    found = [
        pairs_of(sizes, seed=seed)(np.arange(10), epoch=epoch, length=12) for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert len({texts.tokens.tobytes() for texts in found}) == 3
    assert len({texts.is_next.tobytes() for texts in found}) == 3


def test_the_form_of_an_example_of_wikitext_does_not_tell_whether_b_follows(data_folder):
    text = (data_folder / "wikitext2" / "wiki.valid.tokens").read_text(encoding="utf-8")
    ids = {".": 10}
    documents = encode_documents(
        split_documents([text], "wikitext"),
        lambda texts: [[ids.setdefault(word, len(ids) + 10) for word in text.split()] for text in texts],
    )
    pairs = SentencePairs(documents, length=128, start_id=START, separator_id=SEPARATOR)
    parts = [pairs(np.arange(len(pairs.lengths)), epoch=epoch, length=128) for epoch in range(3)]
    tokens, segments, mask, is_next = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    rows, b = np.arange(len(tokens)), segments.sum(axis=1)
    a = mask.sum(axis=1) - b
    ends = [tokens[rows, at] == 10 for at in (a - 2, a + b - 2)]
    for feature in (a, b, a + b, *ends):
        best = max(abs(((feature <= level) == is_next).mean() - 0.5) for level in np.unique(feature))
        assert best < 0.03
    assert stats.binomtest(int(is_next.sum()), len(is_next), 0.5).pvalue > 1e-3
    assert (mask.mean(), (a + b == 128).mean()) == (pytest.approx(0.99, abs=0.01), pytest.approx(0.97, abs=0.02))


@given(st.integers(1, 30), st.integers(1, 30), st.integers(2, 40))
def test_the_longer_loses_one_token_after_the_other(a, b, room):
    kept = _truncated(np.array([a]), np.array([b]), room)
    assert [int(size[0]) for size in kept] == [len(part) for part in cut_by_hand(range(a), range(b), room)]


@given(SIZES, st.integers(3, 12), st.integers(0, 3))
def test_single_texts_hold_each_token_once_and_end_with_a_sentence_where_they_can(sizes, length, more):
    documents = documents_of(sizes)
    texts = SingleTexts(documents, length=length, start_id=START, separator_id=SEPARATOR)
    count = len(texts.lengths)
    longest = int(texts.lengths.max())
    assert longest <= length
    found = texts(np.arange(count), epoch=0, length=longest + more)
    assert not found.segments.any()
    assert not found.is_next.any()
    assert found.mask.sum(axis=1).tolist() == texts.lengths.tolist()
    read = []
    for row, mask in zip(found.tokens, found.mask, strict=True):
        *head, end = row[mask].tolist()
        assert (head[0], end) == (START, SEPARATOR)
        assert not row[~mask].any()
        first, last = len(read), len(read) + len(head) - 1
        read += head[1:]
        document_end = documents.bounds[np.searchsorted(documents.bounds, first, side="right")]
        within = [at for at in documents.sentences if first < at <= min(first + length - 2, document_end)]
        assert last == (within[-1] if within else first + length - 2)
    assert read == documents.tokens.tolist()


def test_what_cannot_be_is_told():
    with pytest.raises(
        InputError, match="the corpus has 1 document, and a random sentence comes from another one: give"
    ):
        pairs_of([[1, 2, 3]])
    with pytest.raises(InputError, match="no document has two sentences, and a next sentence needs one before it"):
        pairs_of([[1], [2]])
    with pytest.raises(InputError, match="length is 4: two sentences and what marks them need 5 tokens"):
        pairs_of([[1, 2], [2]], length=4)
    with pytest.raises(InputError, match="length is 2: a token and what marks a text need 3"):
        SingleTexts(documents_of([[1]]), length=2, start_id=START, separator_id=SEPARATOR)
