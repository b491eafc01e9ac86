"""Beam search beside all hypotheses there are."""

from functools import partial

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from small_tables import END, LONGEST, SOURCE, VOCABULARY, Table, all_texts, step_of

from jaxseq.decoding.beam import Beam, Rows, Rules
from jaxseq.decoding.protocol import Conditioned
from jaxseq.decoding.search import SOUND, search

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
