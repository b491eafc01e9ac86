import jax
import jax.numpy as jnp
import noncausal_laws
import numpy as np
import pytest

from jaxseq.models.nbsvm import NBSVM

SIZE = 7
RATIOS = np.random.default_rng(0).normal(size=(SIZE, 3)).astype(np.float32)
STATISTICS = {"statistics": {"ratios": jnp.asarray(RATIOS)}}
SUBJECT = noncausal_laws.of_body("nbsvm", NBSVM(SIZE, 3), table=("weights", "table"), collections=STATISTICS)


@pytest.mark.parametrize("law", noncausal_laws.LAWS, ids=lambda law: law.__name__)
def test_the_laws_hold(law):
    law(SUBJECT)


def test_a_token_has_its_weight_times_its_ratio_and_the_weight_the_gradient_of_both():
    table = np.random.default_rng(1).normal(size=(SIZE, 3)).astype(np.float32)
    tokens = np.array([[3, 1, 1, 6], [5, 2, 9, -1], [0, 0, 0, 0]], np.int32)
    mask = np.array([[True] * 4, [True, True, False, False], [False] * 4])
    d = np.random.default_rng(2).normal(size=(3, 4, 3)).astype(np.float32)

    def features(table):
        variables = {"params": {"weights": {"table": table}}, **STATISTICS}
        return NBSVM(SIZE, 3).apply(variables, tokens, mask=mask)[0]

    y, pull = jax.vjp(features, table)
    expected, gradient = np.zeros((3, 4, 3)), np.zeros((SIZE, 3))
    for row, step in zip(*np.nonzero(mask), strict=True):
        token = tokens[row, step]
        expected[row, step] = table[token] * RATIOS[token]
        gradient[token] += d[row, step] * RATIOS[token]
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(pull(d)[0], gradient, rtol=1e-5, atol=1e-6)


def test_ratios_are_no_parameters_and_nothing_is_known_without_them():
    variables = NBSVM(SIZE, 3).init(jax.random.key(0), np.zeros((1, 2), np.int32))
    assert jax.tree.map(np.shape, variables) == {
        "params": {"weights": {"table": (SIZE, 3)}},
        "statistics": {"ratios": (SIZE, 3)},
    }
    assert not any(leaf.any() for leaf in jax.tree.leaves(variables))


@pytest.mark.usefixtures("unchecked")
def test_a_carry_is_refused():
    with pytest.raises(ValueError, match="NBSVM reads every text at once and keeps no carry"):
        SUBJECT.run(SUBJECT.params, np.zeros((1, 2), np.int32), np.zeros((1, 2)), None, None)
