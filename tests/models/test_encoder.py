"""The Transformer encoder: the laws, PyTorch's own encoder, what is refused."""

from functools import partial

import jax
import jax.numpy as jnp
import noncausal_laws
import numpy as np
import pytest
import subjects

from jaxseq.errors import ConfigError, InputError
from jaxseq.models.encoder import TransformerEncoder

SIZE = {"vocabulary_size": 7, "features": 8, "heads": 2, "layers": 2, "mlp_ratio": 2}
MODELS = {
    "rotary": TransformerEncoder(**SIZE),
    "learned": TransformerEncoder(**{**SIZE, "layers": 1}, positions="learned", context=6, bias=False),
    "sinusoidal": TransformerEncoder(**{**SIZE, "layers": 1}, positions="sinusoidal"),
    "post": TransformerEncoder(**{**SIZE, "layers": 1}, positions="learned", context=6, segments=2, norm="post"),
}
SUBJECTS = {
    name: noncausal_laws.of_body(name, model, table=("embedding",), scale=0.2) for name, model in MODELS.items()
}


@pytest.mark.parametrize("law", noncausal_laws.LAWS, ids=lambda law: law.__name__)
def test_the_laws_hold(law):
    law(SUBJECTS["rotary"])


@pytest.mark.parametrize("name", ["learned", "sinusoidal", "post"])
def test_padding_reaches_nothing_whatever_tells_the_positions(name):
    noncausal_laws.mask_and_reset(SUBJECTS[name])


@pytest.mark.parametrize("name", MODELS)
def test_every_token_sees_every_other_of_its_text_and_knows_their_order(name):
    model, params = MODELS[name], SUBJECTS[name].params
    tokens, mask = np.array([[1, 2, 3, 4, 0]], np.int32), np.array([[True, True, False, True, True]])
    run = jax.jit(lambda tokens: model.apply({"params": params}, tokens, mask=mask)[0])

    def change(other):
        return np.abs(np.asarray(run(np.array([other], np.int32)) - run(tokens))).max(-1)[0]

    assert change([1, 2, 6, 4, 0]).max() == 0
    for other in ([5, 2, 3, 4, 0], [1, 2, 3, 4, 5], [2, 1, 3, 4, 0]):
        assert (change(other)[mask[0]] > 1e-4).all()


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_with_padding_it_equals_pytorchs_encoder_on_values_and_gradients(norm):
    torch = pytest.importorskip("torch")
    size = {"vocabulary_size": 11, "features": 16, "heads": 4, "layers": 2, "context": 9}
    model = TransformerEncoder(**size, positions="learned", segments=2, norm=norm, epsilon=1e-3)
    tokens = np.random.default_rng(0).integers(0, 11, (3, 9), dtype=np.int32)
    mask = np.arange(9) < np.array([9, 5, 1])[:, None]
    segments = np.random.default_rng(2).integers(0, 2, tokens.shape, dtype=np.int32)
    d = np.random.default_rng(1).normal(size=(3, 9, 16)).astype(np.float32) * mask[..., None]
    params = subjects.perturbed(jax.jit(model.init)(jax.random.key(0), tokens)["params"], 0.1)

    def objective(params):
        features, _ = model.apply({"params": params}, tokens, segments=np.where(mask, segments, 99), mask=mask)
        return (features * d).sum(), features

    gradient, features = jax.jit(jax.grad(objective, has_aux=True))(params)
    assert not np.asarray(features)[~mask].any()

    layers = [
        torch.nn.TransformerEncoderLayer(
            16, 4, 64, 0.0, "gelu", layer_norm_eps=1e-3, batch_first=True, norm_first=norm == "pre"
        )
        for _ in range(2)
    ]
    peer = torch.nn.ModuleDict({"blocks": torch.nn.ModuleList(layers), "norm": torch.nn.LayerNorm(16, 1e-3)})
    tables = {
        name: torch.tensor(np.asarray(params[name]), requires_grad=True)
        for name in ("embedding", "position_table", "segment_table")
    }
    peer.load_state_dict(as_torch(torch, params))
    words, parts = (torch.tensor(ids, dtype=torch.long) for ids in (tokens, segments))
    x = tables["embedding"][words] + tables["position_table"] + tables["segment_table"][parts]
    x = peer["norm"](x) if norm == "post" else x
    for layer in layers:
        x = layer(x, src_key_padding_mask=torch.tensor(~mask))
    x = peer["norm"](x) if norm == "pre" else x
    (x * torch.tensor(d)).sum().backward()
    np.testing.assert_allclose(np.asarray(features)[mask], x.detach().numpy()[mask], atol=1e-5)
    slopes = as_torch(torch, gradient)
    pairs = [(name, slopes[name], p.grad.numpy()) for name, p in peer.named_parameters()]
    pairs += [(name, gradient[name], table.grad.numpy()) for name, table in tables.items()]
    for name, mine, theirs in pairs:
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(np.asarray(mine) / scale, theirs / scale, atol=2e-5, err_msg=name)


def as_torch(torch, params):
    """The weights, or gradients as if they were weights, by PyTorch's names."""
    state = {"norm.weight": params["norm"]["scale"], "norm.bias": params["norm"]["bias"]}
    for i in range(2):
        block = params[f"block_{i}"]
        attention, wide = block["attention"], block["feed_forward"]
        state |= {
            f"blocks.{i}.self_attn.in_proj_weight": attention["input"]["kernel"].T,
            f"blocks.{i}.self_attn.in_proj_bias": attention["input"]["bias"],
            f"blocks.{i}.self_attn.out_proj.weight": attention["output"]["kernel"].T,
            f"blocks.{i}.self_attn.out_proj.bias": attention["output"]["bias"],
            f"blocks.{i}.linear1.weight": wide["input"]["kernel"].T,
            f"blocks.{i}.linear1.bias": wide["input"]["bias"],
            f"blocks.{i}.linear2.weight": wide["output"]["kernel"],
            f"blocks.{i}.linear2.bias": wide["output"]["bias"],
        }
        for theirs, mine in (("norm1", "attention_norm"), ("norm2", "feed_forward_norm")):
            state |= {
                f"blocks.{i}.{theirs}.weight": block[mine]["scale"],
                f"blocks.{i}.{theirs}.bias": block[mine]["bias"],
            }
    return {name: torch.tensor(np.asarray(x)) for name, x in state.items()}


def test_dropout_acts_in_training_only_and_follows_its_key():
    model = TransformerEncoder(**SIZE, dropout=0.5)
    params, tokens = SUBJECTS["rotary"].params, np.array([[1, 2, 3]], np.int32)

    @partial(jax.jit, static_argnums=0)
    def features(train, params, tokens, key):
        return model.apply({"params": params}, tokens, train=train, rngs={"dropout": key})[0]

    def run(train, key):
        return np.asarray(features(train, params, tokens, jax.random.key(key)))

    np.testing.assert_array_equal(run(True, 1), run(True, 1))
    assert (run(True, 1) != run(True, 2)).any()
    np.testing.assert_array_equal(run(False, 1), jax.jit(MODELS["rotary"].apply)({"params": params}, tokens)[0])


def test_what_it_gives_has_the_compute_type_and_parameters_are_float32():
    model = TransformerEncoder(**SIZE, dtype=jnp.bfloat16)
    tokens = np.zeros((1, 3), np.int32)
    params = jax.eval_shape(model.init, jax.random.key(0), tokens)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype(jnp.float32)}
    assert jax.eval_shape(model.apply, params, tokens)[0].dtype == jnp.bfloat16


def test_without_segments_all_is_of_the_first_one():
    model = TransformerEncoder(**SIZE, segments=2, norm="post")
    tokens = np.array([[1, 2, 3]], np.int32)
    params = subjects.perturbed(jax.jit(model.init)(jax.random.key(0), tokens)["params"], 0.1)
    run = jax.jit(lambda **given: model.apply({"params": params}, tokens, **given)[0])
    np.testing.assert_allclose(run(), run(segments=np.zeros_like(tokens)), rtol=1e-5, atol=1e-6)
    assert np.abs(run() - run(segments=np.ones_like(tokens))).max() > 1e-3
    with pytest.raises(ValueError, match="segments are given to an encoder without"):
        jax.eval_shape(MODELS["rotary"].init, jax.random.key(0), tokens, segments=tokens)


@pytest.mark.usefixtures("unchecked")
def test_a_carry_a_reset_and_too_long_a_text_are_refused():
    model, params, tokens = MODELS["learned"], SUBJECTS["learned"].params, np.zeros((2, 6), np.int32)
    features, carry = jax.eval_shape(model.apply, {"params": params}, tokens, model.initial_carry(2))
    assert carry == ()
    assert features.shape == (2, 6, 8)
    with pytest.raises(ValueError, match=r"TransformerEncoder .* keeps no carry: give None or"):
        model.apply({"params": params}, tokens, jnp.zeros((2, 3)))
    with pytest.raises(ValueError, match="a row is one text: give the texts as rows, without reset"):
        model.apply({"params": params}, tokens, reset=np.zeros((2, 6), bool))
    with pytest.raises(InputError, match=r"texts of 7 tokens are longer than model.context \(6\)"):
        model.apply({"params": params}, np.zeros((2, 7), np.int32))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"features": 10, "heads": 4}, "model.features is 10: it must be a multiple of model.heads"),
        ({"features": 12, "heads": 4, "positions": "rotary"}, "model.features / model.heads is 3: rotary positions"),
    ],
)
def test_widths_that_cannot_be_shared_are_refused_by_name(fields, message):
    with pytest.raises(ConfigError, match=message):
        TransformerEncoder(vocabulary_size=7, **fields).init(jax.random.key(0), np.zeros((1, 2), np.int32))


@pytest.mark.usefixtures("unchecked")
def test_positions_of_another_kind_are_refused():
    with pytest.raises(ConfigError, match="model\\.positions is 'relative': choose learned, sinusoidal or rotary"):
        TransformerEncoder(**SIZE, positions="relative").init(jax.random.key(0), np.zeros((1, 2), np.int32))
