import jax
import noncausal_laws
import numpy as np
import pytest

from jaxseq.models.bag import Bag
from jaxseq.nn.embedding import given_table
from jaxseq.nn.pooling import POOLINGS

SUBJECT = noncausal_laws.of_body("bag", Bag(7, 4), table=("embedding", "table"))


@pytest.mark.parametrize("law", noncausal_laws.LAWS, ids=lambda law: law.__name__)
def test_the_laws_hold(law):
    law(SUBJECT)


def test_its_mean_is_that_of_its_features_on_values_and_gradients():
    table = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    model = Bag(7, 4, given_table(table))
    tokens = np.array([[3, 1, 1, 6], [5, 2, 9, -1], [0, 0, 0, 0]], np.int32)
    mask = np.array([[True] * 4, [True, True, False, False], [False] * 4])
    params = model.init(jax.random.key(0), tokens)
    d = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)

    def in_two(params):
        features, _ = model.apply(params, tokens, mask=mask)
        return POOLINGS["mean"]().apply({}, features, mask=mask)

    def at_once(params):
        return model.apply(params, tokens, mask=mask, method="mean")

    expected = [table[[3, 1, 1, 6]].mean(0), table[[5, 2]].mean(0), np.zeros(4)]
    for mean in (in_two, at_once):
        y, pull = jax.vjp(mean, params)
        np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-7)
        gradient = np.zeros((7, 4), np.float32)
        for row, ids in ((0, [3, 1, 1, 6]), (1, [5, 2])):
            for i in ids:
                gradient[i] += d[row] / len(ids)
        np.testing.assert_allclose(pull(d)[0]["params"]["embedding"]["table"], gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.usefixtures("unchecked")
def test_parameters_of_numpy_as_a_checkpoint_has_them_give_the_same():
    model, tokens = Bag(7, 4), np.array([[3, 1, 1, 6]], np.int32)
    params = model.init(jax.random.key(0), tokens)
    own = model.apply(jax.tree.map(np.asarray, params), tokens, method="mean")
    np.testing.assert_array_equal(own, model.apply(params, tokens, method="mean"))


@pytest.mark.usefixtures("unchecked")
def test_a_carry_is_refused():
    with pytest.raises(ValueError, match="Bag reads every text at once and keeps no carry"):
        SUBJECT.run(SUBJECT.params, np.zeros((1, 2), np.int32), np.zeros((1, 2)), None, None)
