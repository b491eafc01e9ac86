"""Beam search beside all hypotheses there are."""

from functools import partial

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from small_tables import END, LONGEST, SOURCE, VOCABULARY, Table, all_texts, step_of

from jaxseq.decoding.beam import Beam, Rows, Rules
from jaxseq.decoding.protocol import Conditioned
from jaxseq.decoding.search import SOUND, search
from jaxseq.errors import InputError

EVERYTHING = 200
"""More than the 121 hypotheses there are: 3^t that end after t more tokens, 3^4 that are cut."""
PAD = 9


@partial(jax.jit, static_argnames=("size", "n_best", "no_repeat"))
def _search(tables, rules, rows, **options):
    numbers = jnp.arange(len(tables.logits))
    carry = Conditioned(numbers, jnp.zeros_like(numbers), tables.attention[:, 0])
    return search(step_of(tables), tables.logits[:, 0], carry, rules=rules, rows=rows, padding=PAD, **options)


def found(seeds, beam, *, longest=LONGEST, prefix=None, mask=None, spread=2.0, n_best=None):
    """The hypotheses of tables of those seeds. For few programs, penalties and prefixes are always on."""
    drawn = [Table.drawn(seed, spread=spread) for seed in seeds]
    tables = Table(*(jnp.stack(leaves) for leaves in zip(*drawn, strict=True)))
    rules = Rules.of(beam, end=END, capacity=LONGEST, vocabulary_size=VOCABULARY)
    rules = rules._replace(coverage=np.float32(beam.coverage_penalty))
    if rules.forbidden is None:
        rules = rules._replace(forbidden=np.zeros(VOCABULARY, bool))
    prefix = [[]] * len(seeds) if prefix is None else prefix
    mask = np.ones((len(seeds), SOURCE), bool) if mask is None else mask
    rows = Rows.of(len(seeds), max_length=longest, end=END, vocabulary_size=VOCABULARY, prefix=prefix, source_mask=mask)
    rows = rows._replace(prefix=np.pad(rows.prefix, ((0, 0), (0, 4 - rows.prefix.shape[1]))))
    n_best = n_best or beam.n_best
    hypotheses, unusable = _search(tables, rules, rows, size=beam.size, n_best=n_best, no_repeat=beam.no_repeat)
    assert (np.asarray(unusable) == SOUND).all()
    return jax.tree.map(np.asarray, hypotheses), drawn


def texts_of(hypotheses, row):
    return [
        tuple(ids[:n].tolist()) for ids, n in zip(hypotheses.tokens[row], hypotheses.lengths[row], strict=True) if n
    ]


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**20),
    alpha=st.sampled_from([-2.0, -0.5, 0.0, 0.6, 1.0, 3.0]),
    beta=st.sampled_from([0.0, 0.3, 2.0]),
    longest=st.lists(st.integers(1, LONGEST), min_size=3, max_size=3),
    shortest=st.integers(1, 4),
    no_repeat=st.sampled_from([0, 2]),
    prefixes=st.lists(st.lists(st.sampled_from([0, 2, 3]), max_size=2), min_size=3, max_size=3),
    forbidden=st.sampled_from([(), (0,)]),
)
def test_a_beam_as_wide_as_all_hypotheses_finds_what_exhaustive_search_finds(
    seed, alpha, beta, longest, shortest, no_repeat, prefixes, forbidden
):
    beam = Beam(EVERYTHING, 6, alpha, beta, shortest, no_repeat, forbidden)
    prefixes = [prefix[:most] for prefix, most in zip(prefixes, longest, strict=True)]
    mask = np.random.default_rng(seed).random((3, SOURCE)) < 0.7
    seeds = [seed, seed + 1, seed + 2]
    hypotheses, tables = found(seeds, beam, longest=longest, prefix=prefixes, mask=mask)
    for row, table in enumerate(tables):
        texts = all_texts(table, beam, longest=longest[row], prefix=prefixes[row], mask=mask[row])[:6]
        assert texts_of(hypotheses, row) == [text.tokens for text in texts]
        count = len(texts)
        np.testing.assert_allclose(hypotheses.scores[row, :count], [t.score for t in texts], rtol=1e-5, atol=1e-5)
        sums = [text.log_probability for text in texts]
        np.testing.assert_allclose(hypotheses.log_probabilities[row, :count], sums, rtol=1e-5, atol=1e-5)
        assert hypotheses.certified[row, :count].all()
        assert not hypotheses.certified[row, count:].any()
        assert (hypotheses.tokens[row][np.arange(LONGEST) >= hypotheses.lengths[row][:, None]] == PAD).all()


@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**20),
    alpha=st.sampled_from([-2.0, -0.5, 0.0, 0.6, 3.0]),
    beta=st.sampled_from([0.0, 0.3]),
    size=st.sampled_from([1, 2, 3]),
    shortest=st.integers(1, 3),
    longest=st.lists(st.integers(2, LONGEST), min_size=3, max_size=3),
    spread=st.sampled_from([0.5, 2.0, 8.0]),
)
def test_a_certificate_never_lies(seed, alpha, beta, size, shortest, longest, spread):
    """The j-th hypothesis is certified only where it is the j-th best of all there are."""
    beam = Beam(size, size, alpha, beta, shortest)
    hypotheses, tables = found([seed, seed + 1, seed + 2], beam, longest=longest, spread=spread)
    for row, table in enumerate(tables):
        texts = all_texts(table, beam, longest=longest[row])
        scores = {text.tokens: text.score for text in texts}
        for place, tokens in enumerate(texts_of(hypotheses, row)):
            assert hypotheses.scores[row, place] == pytest.approx(scores[tokens], rel=1e-5, abs=1e-5)
            if hypotheses.certified[row, place]:
                assert hypotheses.scores[row, place] == pytest.approx(texts[place].score, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(("alpha", "spread"), [(-8.0, 8.0), (-8.0, 2.0), (3.0, 0.5)])
def test_the_bound_is_that_of_the_penaltys_sign(alpha, spread):
    """hf#20901. Among 200 rows are some that show it where the bound of the other sign is taken."""
    beam = Beam(2, 1, alpha)
    hypotheses, tables = found(range(200), beam, spread=spread)
    best = [all_texts(table, beam, longest=LONGEST)[0].tokens for table in tables]
    is_best = np.array([texts_of(hypotheses, row) == [tokens] for row, tokens in enumerate(best)])
    certified = hypotheses.certified[:, 0]
    assert is_best[certified].all()
    assert certified.any()
    assert not is_best.all()


def test_certificates_are_given_and_withheld_by_narrow_beams():
    hypotheses, _ = found(range(30), Beam(3, 3))
    assert 0 < hypotheses.certified[:, 2].sum() < 30


def plain_beam_search(table, beam, *, longest):
    """The same search, a text at a time in float64 and without a bound: it goes on to the end."""
    logits = table.logits.astype(np.float64)
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    going, complete = [((), 0, 0.0)], []
    for length in range(1, longest + 1):
        candidates = [
            ((*tokens, new), VOCABULARY * number + 1 + new, total + log_probabilities[number, new])
            for tokens, number, total in going
            for new in range(VOCABULARY)
        ]
        candidates.sort(key=lambda candidate: -candidate[2])
        ends = [candidate for candidate in candidates[: beam.size] if candidate[0][-1] == END]
        going = [candidate for candidate in candidates if candidate[0][-1] != END][: beam.size]
        for tokens, _, total in ends + (going if length == longest else []):
            complete.append((tokens, total / ((5 + length) / 6) ** beam.length_penalty))
        if len(ends) == beam.size:
            break
    return sorted(complete, key=lambda text: -text[1])


@pytest.mark.parametrize("alpha", [-2.0, 0.0, 0.6, 3.0])
@pytest.mark.parametrize(("size", "spread"), [(1, 2.0), (3, 0.5), (3, 2.0)])
def test_a_row_stops_where_going_on_would_find_nothing_better(size, spread, alpha):
    """joeynmt#148: not when the best one has ended; xnmt#572: the k best, not the k shortest."""
    beam = Beam(size, 1, alpha)
    seeds = range(100)
    hypotheses, tables = found(seeds, beam, spread=spread)
    for row in seeds:
        expected = plain_beam_search(tables[row], beam, longest=LONGEST)[:1]
        assert texts_of(hypotheses, row) == [tokens for tokens, _ in expected]
        np.testing.assert_allclose(hypotheses.scores[row], [score for _, score in expected], rtol=1e-5)


def test_a_result_depends_neither_on_n_best_nor_on_the_rows_beside_it_nor_on_their_order():
    """onmt#1320, onmt#137, hf#38778."""
    beam, seeds = Beam(3, 3, 0.6, 0.3), list(range(30))
    longest = np.arange(30) % LONGEST + 1
    whole, _ = found(seeds, beam, longest=longest)
    best, _ = found(seeds, beam, longest=longest, n_best=1)
    for one, many in zip(best, whole, strict=True):
        np.testing.assert_array_equal(one, many[:, :1])
    backward, _ = found(seeds[::-1], beam, longest=longest[::-1])
    for one, many in zip(backward, whole, strict=True):
        np.testing.assert_array_equal(one[::-1], many)
    few, _ = found(seeds[4:7], beam, longest=longest[4:7])
    for one, many in zip(few, whole, strict=True):
        np.testing.assert_array_equal(one, many[4:7])


def test_what_stands_behind_the_maximum_length_counts_in_no_length():
    """hf#25455: room for more tokens, and the padding in it, change no score."""
    beam = Beam(3, 3, 1.0)
    hypotheses, _ = found(range(30), beam, longest=3)
    lengths = (hypotheses.tokens != PAD).sum(-1)
    np.testing.assert_array_equal(hypotheses.lengths, lengths)
    assert {1, 2, 3} == set(lengths.ravel())
    np.testing.assert_allclose(hypotheses.scores, hypotheses.log_probabilities / ((5 + lengths) / 6), rtol=1e-6)


def test_a_forced_prefix_gives_distinct_results_that_begin_with_it_and_do_not_end_in_it():
    """fairseq#712, fairseq#3913."""
    prefixes = [[0, 2], [3], []] * 10
    hypotheses, _ = found(range(30), Beam(3, 3), prefix=prefixes)
    for row, prefix in enumerate(prefixes):
        texts = texts_of(hypotheses, row)
        assert len(set(texts)) == 3
        assert all(list(text[: len(prefix)]) == prefix and END not in text[:-1] for text in texts)


def test_there_are_n_best_hypotheses_at_the_maximum_length():
    """onmt#221: nothing may end, and all are cut."""
    hypotheses, _ = found(range(30), Beam(3, 3, forbidden=(END,)))
    assert (hypotheses.lengths == LONGEST).all()
    assert not hypotheses.ended.any()
    assert all(len(set(texts_of(hypotheses, row))) == 3 for row in range(30))


def test_where_there_are_fewer_hypotheses_than_asked_for_the_rest_are_marked():
    hypotheses, _ = found(range(3), Beam(EVERYTHING, 6), longest=1)
    assert (hypotheses.lengths == [[1, 1, 1, 1, 0, 0]] * 3).all()
    assert (hypotheses.scores[:, 4:] == -np.inf).all()
    assert not hypotheses.certified[:, 4:].any()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Beam(0), "a beam of 0 hypotheses finds nothing: give 1"),
        (lambda: Beam(3, 4), "the 4 best of a beam of 3 hypotheses cannot be given"),
        (lambda: Beam(n_best=0), "ask for 1 to 5"),
        (lambda: Beam(length_penalty=float("nan")), "the length penalty is nan"),
        (lambda: Beam(coverage_penalty=-1), "the coverage penalty is -1: give a number above 0"),
        (lambda: Beam(min_length=0), "the minimum length is 0 tokens"),
        (lambda: Beam(no_repeat=-1), "no_repeat is -1"),
        (lambda: rows(max_length=[3, 0]), "the maximum length of row 1 is 0 tokens"),
        (lambda: rows(max_length=[3, 4, 5]), r"maximum lengths of shape \[3\] do not fit 2 rows"),
        (lambda: rows(prefix=[[0]]), "1 prefixes do not fit 2 rows"),
        (lambda: rows(prefix=[[0, 2], [0, 2, 3, 0, 2]]), "the prefix of row 1 has 5 tokens, its longest hypothesis 4"),
        (lambda: rows(prefix=[[], [0, END]]), "the prefix of row 1 holds token 1, which ends a hypothesis"),
        (lambda: rows(prefix=[[7], []]), "the prefix of row 0 holds token 7: the ids go from 0 to 3"),
        (lambda: Rules.of(Beam(), end=4, capacity=2, vocabulary_size=4), "token 4 is to end hypotheses"),
        (lambda: Rules.of(Beam(forbidden=(9,)), end=1, capacity=2, vocabulary_size=4), "token 9 is forbidden"),
    ],
)
def test_what_cannot_be_searched_is_one_line(make, told):
    with pytest.raises(InputError, match=told) as caught:
        make()
    assert "\n" not in str(caught.value)


def rows(max_length=4, prefix=None):
    return Rows.of(2, max_length=max_length, end=END, vocabulary_size=VOCABULARY, prefix=prefix)
