from functools import partial

import jax
import jax.numpy as jnp
import laws
import numpy as np
import pytest
import subjects
from small_language_models import transformer_model

from jaxseq.errors import ConfigError
from jaxseq.models import Transformer
from jaxseq.nn import LanguageModel

torch = pytest.importorskip("torch")

SIZE = {"features": 8, "heads": 2, "layers": 2, "mlp_ratio": 2}
MODELS = {
    # Every kind of position, context below, just below and above the laws' 6 steps, biases, both kinds of head.
    "rotary": transformer_model(**SIZE, context=4),
    "learned": transformer_model(**{**SIZE, "layers": 1}, context=5, positions="learned", bias=True),
    "sinusoidal": transformer_model(**{**SIZE, "layers": 1}, context=9, positions="sinusoidal", tied=False),
}
SUBJECTS = {name: subjects.of_model(name, model) for name, model in MODELS.items()}
# Positions and the context reach into these; in the others the models differ in nothing.
OF_POSITIONS = (laws.split, laws.single_steps, laws.mask_and_reset, laws.reset_forgets, laws.nonfinite_carry, laws.loss)


@pytest.mark.parametrize(
    ("name", "law"),
    [(name, law) for name in MODELS for law in laws.LAWS if name == "rotary" or law in OF_POSITIONS],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_the_carry_keeps_its_laws(name, law):
    law(SUBJECTS[name])


def initialised(model: LanguageModel) -> dict:
    return jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 2), jnp.int32))["params"]


def tokens(model: LanguageModel, rows: int, steps: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, model.vocabulary_size, (rows, steps), dtype=np.int32)


class TorchTransformer(torch.nn.Module):
    """The same network from PyTorch's own parts: learned positions, no biases, tied embedding."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        width = model.features
        self.embedding = torch.nn.Embedding(model.vocabulary_size, width)
        self.position_table = torch.nn.Embedding(model.context, width)
        self.blocks = torch.nn.ModuleList(
            torch.nn.TransformerEncoderLayer(
                width,
                model.heads,
                model.mlp_ratio * width,
                dropout=0.0,
                activation="gelu",
                batch_first=True,
                norm_first=True,
                bias=False,
            )
            for _ in range(model.layers)
        )
        self.norm = torch.nn.LayerNorm(width, bias=False)

    def forward(self, tokens):
        length = tokens.shape[1]
        x = self.embedding(tokens) + self.position_table.weight[:length]
        hidden = torch.triu(torch.ones(length, length, dtype=torch.bool), 1)
        for block in self.blocks:
            x = block(x, src_mask=hidden)
        return self.norm(x) @ self.embedding.weight.T

    def load(self, params: dict) -> None:
        """Takes the weights of the JAX model, or pretends its gradients are weights, to compare name by name."""
        state = {
            "embedding.weight": params["embedding"],
            "position_table.weight": params["position_table"],
            "norm.weight": params["norm"]["scale"],
        }
        for i in range(len(self.blocks)):
            block = params[f"block_{i}"]
            state |= {
                f"blocks.{i}.self_attn.in_proj_weight": block["attention"]["input"]["kernel"].T,
                f"blocks.{i}.self_attn.out_proj.weight": block["attention"]["output"]["kernel"].T,
                f"blocks.{i}.linear1.weight": block["feed_forward"]["input"]["kernel"].T,
                f"blocks.{i}.linear2.weight": block["feed_forward"]["output"]["kernel"],
                f"blocks.{i}.norm1.weight": block["attention_norm"]["scale"],
                f"blocks.{i}.norm2.weight": block["feed_forward_norm"]["scale"],
            }
        self.load_state_dict({name: torch.tensor(np.asarray(x)) for name, x in state.items()})


def test_the_whole_model_equals_one_of_torch_parts_on_logits_loss_and_gradients():
    model = transformer_model(size=11, features=16, heads=4, layers=3, context=9, positions="learned")
    params = subjects.perturbed(initialised(model), 0.1)
    ids, targets = tokens(model, 4, 9), tokens(model, 4, 9, seed=1)

    def objective(params):
        tallies, _ = model.apply({"params": params}, ids, targets, method="loss")
        return tallies["loss"].total, tallies

    gradient, tallies = jax.jit(jax.grad(objective, has_aux=True))(params)
    logits, _ = jax.jit(model.apply)({"params": params}, ids)

    peer = TorchTransformer(model.body)
    peer.load(params)
    expected = peer(torch.tensor(ids, dtype=torch.long))
    loss = torch.nn.functional.cross_entropy(
        expected.reshape(-1, 11), torch.tensor(targets.ravel(), dtype=torch.long), reduction="sum"
    )
    loss.backward()
    np.testing.assert_allclose(logits, expected.detach(), atol=1e-5)
    np.testing.assert_allclose(tallies["loss"].total, loss.item(), rtol=1e-6)
    slopes = {name: p.grad.numpy() for name, p in peer.named_parameters()}
    peer.load(gradient)
    for name, have in peer.named_parameters():
        scale = np.abs(slopes[name]).max()
        np.testing.assert_allclose(have.detach() / scale, slopes[name] / scale, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_an_untrained_model_knows_nothing(positions):
    model = transformer_model(size=65, positions=positions)
    ids = tokens(model, 4, 65)
    tallies, _ = jax.jit(partial(model.apply, method="loss"))({"params": initialised(model)}, ids[:, :-1], ids[:, 1:])
    np.testing.assert_allclose(tallies["loss"].total / tallies["loss"].count, np.log(65), rtol=0.02)


def test_the_published_cpu_setting_has_its_number_of_parameters():
    model = transformer_model(size=65, positions="learned")
    params = initialised(model)
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert round((count - params["position_table"].size) / 1e6, 2) == 0.80  # nanoGPT counts without positions


@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_a_token_sees_exactly_as_far_back_as_the_context_wherever_calls_begin(chunk):
    model = transformer_model(features=8, heads=2, layers=1, context=4)
    params = subjects.perturbed(initialised(model), 0.5)
    run = jax.jit(lambda ids, carry: model.apply({"params": params}, ids, carry))

    def last_logits(ids):
        carry = model.initial_carry(1)
        for start in range(0, 24, chunk):
            logits, carry = run(ids[:, start : start + chunk], carry)
        return np.asarray(logits)[0, -1]

    ids = tokens(model, 1, 24)
    reaches = []
    for back in range(8):
        changed = ids.copy()
        changed[0, 23 - back] = (changed[0, 23 - back] + 1) % 7
        reaches.append(not np.allclose(last_logits(changed), last_logits(ids), atol=1e-6))
    assert reaches == [True] * 4 + [False] * 4


@pytest.mark.parametrize("name", MODELS)
def test_decoding_steps_give_the_logits_of_one_call_far_past_the_context(name):
    model = MODELS[name]
    params = subjects.perturbed(initialised(model), 0.3)
    ids = tokens(model, 2, 25)
    expected, _ = jax.jit(model.apply)({"params": params}, ids)
    step, carry = jax.jit(partial(model.decode_step, model.decoding_weights(params))), model.initial_carry(2)
    for i in range(25):
        logits, carry = step(ids[:, i], carry)
        np.testing.assert_allclose(logits, expected[:, i], atol=2e-5)


def test_dropout_acts_in_training_only_and_follows_its_key():
    model = transformer_model(**SIZE, dropout=0.5)
    params, ids = subjects.perturbed(initialised(model), 0.3), tokens(model, 2, 6)

    @partial(jax.jit, static_argnums=0)
    def logits(train, params, ids, key):
        return model.apply({"params": params}, ids, train=train, rngs={"dropout": key})[0]

    def run(train, key):
        return np.asarray(logits(train, params, ids, jax.random.key(key)))

    np.testing.assert_array_equal(run(True, 1), run(True, 1))
    assert (run(True, 1) != run(True, 2)).any()
    without = jax.jit(transformer_model(**SIZE).apply)({"params": params}, ids)[0]
    np.testing.assert_array_equal(run(False, 1), without)


def test_bfloat16_keeps_float32_parameters_and_logits_and_a_bfloat16_cache():
    model = transformer_model(**SIZE, context=4, dtype=jnp.bfloat16)
    params = initialised(model)
    logits, carry = jax.jit(model.apply)({"params": params}, tokens(model, 2, 6))
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype(jnp.float32)}
    assert logits.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(carry.rings)} == {jnp.dtype(jnp.bfloat16)}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"features": 10, "heads": 4}, "model.features is 10: it must be a multiple of model.heads"),
        ({"features": 12, "heads": 4, "positions": "rotary"}, "model.features / model.heads is 3: rotary positions"),
    ],
)
def test_widths_that_cannot_be_shared_are_refused_by_name(fields, message):
    with pytest.raises(ConfigError, match=message):
        initialised(transformer_model(**fields))
