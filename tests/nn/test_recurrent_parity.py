"""The recurrent layers against PyTorch's and Keras's, on values and gradients, masks included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.nn.recurrent import GRU, LSTM, SimpleRNN

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

BATCH, TIME, DEPTH, FEATURES = 3, 17, 5, 6
RNG = np.random.default_rng(0)


def random(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def close(ours, theirs, what=""):
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-5, atol=1e-5, err_msg=what)


def right_padding(lengths):
    return np.arange(TIME)[None, :] < np.asarray(lengths)[:, None]


def ours(layer, params, x, carry, weights, mask):
    """Outputs, carry, and gradients of sum(weights * outputs) + sum of the carry's squares."""

    def objective(params, x, carry):
        outputs, end = layer.apply({"params": params}, x, carry, mask=mask)
        return (outputs * weights).sum() + sum((part**2).sum() for part in end), (outputs, end)

    gradients, values = jax.jit(jax.grad(objective, argnums=(0, 1, 2), has_aux=True))(params, x, carry)
    return values, gradients


TORCH_CELLS = [
    (LSTM(FEATURES), torch.nn.LSTM, 4),
    (GRU(FEATURES), torch.nn.GRU, 3),
    (SimpleRNN(FEATURES), torch.nn.RNN, 1),
]


@pytest.mark.parametrize(("layer", "peer", "gates"), TORCH_CELLS, ids=["lstm", "gru", "rnn"])
@pytest.mark.parametrize("lengths", [(17, 17, 17), (17, 4, 1)], ids=["full", "padded"])
def test_layer_equals_pytorch_on_values_and_gradients(layer, peer, gates, lengths):
    torch.manual_seed(0)
    theirs = peer(DEPTH, FEATURES, batch_first=True)
    numbers = {name: p.detach().numpy() for name, p in theirs.named_parameters()}
    params = {
        "input_kernel": numbers["weight_ih_l0"].T,
        "recurrent_kernel": numbers["weight_hh_l0"].T,
        "bias": numbers["bias_ih_l0"],
    }
    if isinstance(layer, GRU):
        params["recurrent_bias"] = numbers["bias_hh_l0"]
    else:
        params["bias"] = params["bias"] + numbers["bias_hh_l0"]
    x, weights, mask = random(BATCH, TIME, DEPTH), random(BATCH, TIME, FEATURES), right_padding(lengths)
    start = [random(BATCH, FEATURES) for _ in layer.CARRY._fields]

    tx = torch.tensor(x, requires_grad=True)
    ts = [torch.tensor(part[None], requires_grad=True) for part in start]
    packed = torch.nn.utils.rnn.pack_padded_sequence(tx, list(lengths), batch_first=True)
    packed_out, end = theirs(packed, tuple(ts) if len(ts) > 1 else ts[0])
    outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(packed_out, batch_first=True, total_length=TIME)
    ends = end if isinstance(end, tuple) else (end,)
    ((outputs * torch.tensor(weights)).sum() + sum((part**2).sum() for part in ends)).backward()

    (out, carry), (d_params, d_x, d_carry) = ours(layer, params, x, layer.CARRY(*start), weights, mask)
    close(out, outputs.detach())
    for mine, their in zip(carry, ends, strict=True):
        close(mine, their[0].detach())
    close(d_x, tx.grad, "input")
    for mine, their in zip(d_carry, ts, strict=True):
        close(mine, their.grad[0], "initial carry")
    close(d_params["input_kernel"], theirs.weight_ih_l0.grad.T, "input kernel")
    close(d_params["recurrent_kernel"], theirs.weight_hh_l0.grad.T, "recurrent kernel")
    close(d_params["bias"], theirs.bias_ih_l0.grad, "bias")
    if isinstance(layer, GRU):
        close(d_params["recurrent_bias"], theirs.bias_hh_l0.grad, "recurrent bias")


def update_before_reset(x):
    """Keras's gate order from ours, or ours from Keras's: the first two of three blocks change places."""
    a, b, c = np.split(np.asarray(x), 3, axis=-1)
    return np.concatenate([b, a, c], axis=-1)


KERAS_CELLS = [
    (LSTM(FEATURES), lambda: keras.layers.LSTM(FEATURES, return_sequences=True, return_state=True)),
    (GRU(FEATURES), lambda: keras.layers.GRU(FEATURES, return_sequences=True, return_state=True)),
    (
        GRU(FEATURES, reset_after=False),
        lambda: keras.layers.GRU(FEATURES, reset_after=False, return_sequences=True, return_state=True),
    ),
    (SimpleRNN(FEATURES), lambda: keras.layers.SimpleRNN(FEATURES, return_sequences=True, return_state=True)),
]
MASKS = {
    "full": np.ones((BATCH, TIME), bool),
    "right": right_padding((17, 9, 1)),
    "left": right_padding((17, 9, 1))[:, ::-1],
    "interior": RNG.random((BATCH, TIME)) < 0.6,
}


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="gradients are taken through Keras's JAX backend")
@pytest.mark.parametrize(("layer", "make"), KERAS_CELLS, ids=["lstm", "gru", "gru_reset_before", "rnn"])
@pytest.mark.parametrize("kind", MASKS)
def test_layer_equals_keras_on_values_and_gradients(layer, make, kind):
    theirs, mask = make(), MASKS[kind]
    x, weights = random(BATCH, TIME, DEPTH), random(BATCH, TIME, FEATURES) * mask[:, :, None]
    theirs.build(x.shape)
    for variable in theirs.trainable_variables:
        variable.assign(random(*variable.shape) * 0.4)
    kernel, recurrent, bias = (np.asarray(v) for v in theirs.trainable_variables)
    is_gru = isinstance(layer, GRU)
    order = update_before_reset if is_gru else np.asarray
    params = {"input_kernel": order(kernel), "recurrent_kernel": order(recurrent)}
    if is_gru and layer.reset_after:
        params["bias"], params["recurrent_bias"] = order(bias)
    else:
        params["bias"] = order(bias)
    start = [random(BATCH, FEATURES) for _ in layer.CARRY._fields]

    def objective(variables, x, start):
        (outputs, *ends), _ = theirs.stateless_call(variables, rest, x, initial_state=start, mask=jnp.asarray(mask))
        return (outputs * weights).sum() + sum((part**2).sum() for part in ends), (outputs, ends)

    variables = [v.value for v in theirs.trainable_variables]
    rest = [v.value for v in theirs.non_trainable_variables]
    slopes = jax.jit(jax.grad(objective, argnums=(0, 1, 2), has_aux=True))
    d_theirs, (outputs, ends) = slopes(variables, jnp.asarray(x), start)
    (out, carry), (d_params, d_x, d_carry) = ours(layer, params, x, layer.CARRY(*start), weights, mask)

    close(out, np.asarray(outputs) * mask[:, :, None])
    for mine, their in zip(carry, ends, strict=True):
        close(mine, their)
    close(d_params["input_kernel"], order(d_theirs[0][0]), "input kernel")
    close(d_params["recurrent_kernel"], order(d_theirs[0][1]), "recurrent kernel")
    d_bias = d_theirs[0][2]
    if is_gru and layer.reset_after:
        close(d_params["bias"], order(d_bias[0]), "bias")
        close(d_params["recurrent_bias"], order(d_bias[1]), "recurrent bias")
    else:
        close(d_params["bias"], order(d_bias), "bias")
    close(d_x, d_theirs[1], "input")
    for mine, their in zip(d_carry, d_theirs[2], strict=True):
        close(mine, their, "initial carry")
