"""Tables of word vectors, and vectors that are means of many rows, against plain loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.models import VectorTables, WordParts

PARTS = WordParts(np.array([0, 7, 3, 1, 2, 5, 5, 4]), np.array([0, 3, 4, 8]), 9)
TOKENS = np.array([[2, 0, 1, 1, 0], [1, 1, 0, 2, 2]], np.int32)
THERE = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 0, 1]], bool)


def made(most_parts, there=THERE):
    model = VectorTables(3, 4, PARTS, most_parts)
    variables = model.init(jax.random.key(0), TOKENS)

    def read(variables):
        return model.apply(variables, TOKENS, there=there, method="inputs")

    return variables, jax.jit(read)


def by_loop(table, word):
    rows = PARTS.rows[PARTS.offsets[word] : PARTS.offsets[word + 1]]
    return np.mean([table[row] for row in rows], axis=0)


@pytest.mark.parametrize("most_parts", [9, 30], ids=["just enough", "more"])
def test_a_word_is_the_mean_of_its_rows(most_parts):
    variables, read = made(most_parts)
    table = variables["params"]["input"]["table"]
    assert table.shape == (9, 4)
    vectors = read(variables)
    for b, t in zip(*np.nonzero(THERE), strict=True):
        np.testing.assert_allclose(vectors[b, t], by_loop(table, TOKENS[b, t]), rtol=1e-5, atol=1e-7)
    assert not vectors[~THERE].any()


def test_rows_of_words_that_are_there_have_the_whole_gradient_as_in_fasttext_and_no_other_has_any():
    variables, read = made(30)
    direction = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)
    gradient = jax.grad(lambda variables: (read(variables) * direction).sum())(variables)["params"]["input"]["table"]
    wanted = np.zeros((9, 4))
    for b, t in zip(*np.nonzero(THERE), strict=True):
        rows = PARTS.rows[PARTS.offsets[TOKENS[b, t]] : PARTS.offsets[TOKENS[b, t] + 1]]
        for row in rows:
            wanted[row] += direction[b, t]
    np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-6)
    assert not wanted[[6, 8]].any()


def test_without_parts_a_word_has_one_row_and_output_vectors_begin_as_zeros():
    model = VectorTables(3, 4, dtype=jnp.bfloat16)
    variables = model.init(jax.random.key(0), TOKENS)
    inputs, outputs = model.apply(variables, TOKENS)
    table = variables["params"]["input"]["table"]
    assert (np.abs(table) <= 0.5 / 4).all()
    assert table.std() > 0.03
    np.testing.assert_array_equal(inputs, table[TOKENS].astype(jnp.bfloat16))
    assert not outputs.any()
    assert variables["params"]["output"]["table"].shape == (3, 4)
    assert jax.tree.map(np.shape, variables["params"]) == {"input": {"table": (3, 4)}, "output": {"table": (3, 4)}}


def test_parts_are_equal_by_content():
    same = WordParts(PARTS.rows.copy(), PARTS.offsets.copy(), 9)
    assert (same, hash(same)) == (PARTS, hash(PARTS))
    assert WordParts(PARTS.rows, PARTS.offsets, 10) != PARTS
    assert WordParts(PARTS.rows[::-1], PARTS.offsets, 9) != PARTS
    assert repr(PARTS) == "WordParts(3 words of 9 rows)"
