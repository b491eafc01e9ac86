"""Heads against their definitions and PyTorch, on values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.nn.heads import BareHead, ClassificationHead, TiedHead, VocabularyHead
from jaxseq.ops import losses

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)


def random(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


KERNEL, BIAS, X = random(5, 11), random(11), random(6, 5)
TARGETS, MASK = RNG.integers(0, 11, 6), np.array([1, 1, 0, 1, 0, 1], bool)
HEADS = {
    "vocabulary": (VocabularyHead(11), {"kernel": KERNEL, "bias": BIAS}, BIAS),
    "bare": (BareHead(11), {"head_kernel": KERNEL}, 0),
    "tied": (TiedHead(11), {"embedding": KERNEL.T}, 0),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_vocabulary_head_s_logits_steps_and_loss_are_those_of_its_kernel(name):
    head, params, bias = HEADS[name]
    expected = X @ KERNEL + bias
    logits = head.apply({"params": params}, X)
    assert logits.dtype == jnp.float32
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(head.step(head.prepare(params), X), expected, rtol=1e-5, atol=1e-6)
    for mask in (None, MASK):
        tallies = head.apply({"params": params}, X, TARGETS, mask, method="cross_entropy")
        wanted = losses.cross_entropy(jnp.asarray(expected), jnp.asarray(TARGETS), mask)
        for have, want in zip(jax.tree.leaves(tallies), jax.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(have, want, rtol=1e-5)


@pytest.mark.parametrize("name", ["vocabulary", "bare"])
def test_a_vocabulary_head_declares_what_it_takes(name):
    head, params, _ = HEADS[name]
    fresh = head.init(jax.random.key(0), X)["params"]
    assert jax.tree.map(jnp.shape, fresh) == jax.tree.map(jnp.shape, params)


def test_in_bfloat16_a_vocabulary_head_gives_float32():
    for head, params, _ in HEADS.values():
        narrow = jnp.asarray(X, jnp.bfloat16)
        exact = head.apply({"params": params}, X)
        for logits in (head.apply({"params": params}, narrow), head.step(head.prepare(params), narrow)):
            assert logits.dtype == jnp.float32
            np.testing.assert_allclose(logits, exact, atol=0.1)


class TorchClassifier(torch.nn.Module):
    def __init__(self, classes: int, hidden: int) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(5, hidden) if hidden else None
        self.output = torch.nn.Linear(hidden or 5, 1 if classes == 2 else classes)

    def forward(self, x):
        return self.output(x if self.hidden is None else torch.relu(self.hidden(x)))

    def params(self, gradients: bool = False) -> dict:
        """Its weights, or the gradients of these, as ours are named."""
        return {
            name: {
                ours: np.asarray((p.grad if gradients else p).detach()).T
                for ours, p in (("kernel", layer.weight), ("bias", layer.bias))
            }
            for name, layer in self.named_children()
        }


@pytest.mark.parametrize("hidden", [0, 4])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_classification_head_equals_pytorch_on_logits_loss_and_gradients(classes, hidden):
    torch.manual_seed(0)
    theirs, head = TorchClassifier(classes, hidden), ClassificationHead(classes, hidden=hidden)
    labels, x = RNG.integers(0, classes, 6), torch.tensor(X, requires_grad=True)
    expected = theirs(x)
    functional, goal = torch.nn.functional, torch.tensor(labels)
    if classes == 2:
        loss = functional.binary_cross_entropy_with_logits(expected[:, 0], goal.float(), reduction="sum")
        expected = functional.pad(expected, (1, 0))
    else:
        loss = functional.cross_entropy(expected, goal, reduction="sum")
    loss.backward()

    def objective(params, x):
        logits = head.apply({"params": params}, x)
        loss, hits = losses.cross_entropy(logits, jnp.asarray(labels))
        return loss.total, (logits, hits)

    params = theirs.params()
    (total, (logits, hits)), gradients = jax.jit(jax.value_and_grad(objective, (0, 1), has_aux=True))(params, X)
    shapes = jax.eval_shape(head.init, jax.random.key(0), X)["params"]
    assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, params)
    np.testing.assert_allclose(logits, expected.detach(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(total, loss.item(), rtol=1e-5)
    assert hits.total == (np.asarray(expected.detach()).argmax(1) == labels).sum()
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        gradients,
        (theirs.params(gradients=True), x.grad.numpy()),
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_row_that_is_not_valid_reaches_neither_loss_nor_gradient_and_one_that_is_does(classes, value):
    head = ClassificationHead(classes, hidden=4)
    params = head.init(jax.random.key(0), X)["params"]
    labels = jnp.asarray(RNG.integers(0, classes, 6))

    @jax.jit
    def of(x, labels, valid):
        def total(params, x):
            loss, hits = losses.cross_entropy(head.apply({"params": params}, x), labels, valid)
            return loss.total, (loss, hits)

        return jax.value_and_grad(total, (0, 1), has_aux=True)(params, x)

    spoilt, wild = X.copy(), labels.at[2].set(2**31 - 1)
    spoilt[2] = value
    expected = of(X, labels, MASK)
    jax.tree.map(np.testing.assert_array_equal, of(spoilt, wild, MASK), expected)
    assert expected[0][1][0].count == 4
    (total, _), (d_params, _) = of(spoilt, labels, np.ones(6, bool))
    assert np.isnan(total)
    assert np.isnan(d_params["output"]["bias"]).all()


def test_dropout_of_a_classification_head_acts_on_what_goes_in_and_in_training_only():
    head = ClassificationHead(3, dropout=0.5)
    params = head.init(jax.random.key(0), X)["params"]

    def run(train, seed):
        return np.asarray(head.apply({"params": params}, X, train=train, rngs={"dropout": jax.random.key(seed)}))

    plain = run(False, 0)
    np.testing.assert_array_equal(plain, ClassificationHead(3).apply({"params": params}, X))
    assert (run(True, 0) != run(True, 1)).any()
    mean = np.mean([run(True, seed) for seed in range(400)], axis=0)
    np.testing.assert_allclose(mean, plain, atol=0.3)


@pytest.mark.parametrize("classes", [2, 5])
def test_without_a_linear_layer_the_features_are_the_logits_but_for_a_bias(classes):
    head = ClassificationHead(classes, linear=False)
    x = X[:, : head.to_learn]
    bias = random(head.to_learn)
    logits = head.apply({"params": {"output": {"bias": bias}}}, x)
    np.testing.assert_array_equal(logits, np.pad(x + bias, ((0, 0), (1 if classes == 2 else 0, 0))))
    with pytest.raises(ValueError, match=rf"3 features are no logits: {classes} classes have {head.to_learn} to learn"):
        head.init(jax.random.key(0), X[:, :3])
