"""The mean of the last tokens' vectors: the laws of the carry, and a plain loop."""

import jax
import jax.numpy as jnp
import laws
import numpy as np
import pytest
import subjects

from jaxseq.models import WindowBag
from jaxseq.nn import LanguageModel, VocabularyHead

SIZE = 7
MODELS = {
    "window_bag": WindowBag(SIZE, features=3, window=3, hidden=4),
    "window_of_one": WindowBag(SIZE, features=3, window=1, hidden=0),
}
SUBJECTS = [
    subjects.of_model(name, LanguageModel(body, VocabularyHead(SIZE)), scale=1.0) for name, body in MODELS.items()
]


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_the_carry_keeps_its_laws(subject, law):
    law(subject)


def test_features_are_the_mean_of_the_vectors_there_are_and_a_layer_on_it():
    body = MODELS["window_bag"]
    tokens = np.array([[1, 5, 2, 2, 6]])
    params = subjects.perturbed(body.init(jax.random.key(0), tokens)["params"], 1.0)
    features, carry = body.apply({"params": params}, tokens)
    for at in range(5):
        mean = np.mean([params["embedding"][token] for token in tokens[0, max(0, at - 2) : at + 1]], axis=0)
        expected = np.maximum(mean @ params["hidden"]["kernel"] + params["hidden"]["bias"], 0)
        np.testing.assert_allclose(features[0, at], expected, rtol=1e-5, atol=1e-6)
    assert carry.tokens.tolist() == [[2, 6]]


def test_parameters_are_those_of_the_embedding_model_of_2001_words():
    model = LanguageModel(WindowBag(2001), VocabularyHead(2001))
    params = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, 1), jnp.int32)))["params"]
    sizes = [sum(leaf.size for leaf in jax.tree.leaves(params[name])) for name in ("embedding", "hidden", "head")]
    assert sizes == [16_008, 72, 18_009]
