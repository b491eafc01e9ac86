"""The layer that reads both ways: the laws, PyTorch and Keras on values and gradients, what is refused."""

import jax
import jax.numpy as jnp
import noncausal_laws
import numpy as np
import pytest
from subjects import perturbed

from jaxseq.nn.bidirectional import Bidirectional, BidirectionalCarry
from jaxseq.nn.recurrent import GRU, LSTM, LSTMCarry, SimpleRNN
from jaxseq.ops.lookup import Lookup


def pair(forward, backward, **options):
    return Bidirectional(forward(4, **options), backward(3, **options))


KINDS = {"lstm": (LSTM, LSTM), "gru_and_simple_rnn": (GRU, SimpleRNN)}
LAYERS = {name: pair(*kinds) for name, kinds in KINDS.items()}
SUBJECTS = {
    name: noncausal_laws.of_bidirectional(name, layer, pair(*KINDS[name], dtype=jnp.bfloat16), features=3)
    for name, layer in LAYERS.items()
}


@pytest.mark.parametrize("law", noncausal_laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
def test_the_laws_hold_both_ways(subject, law):
    law(subject)


@pytest.mark.parametrize("name", LAYERS)
def test_the_backward_layer_is_a_forward_one_that_reads_from_the_end(name):
    noncausal_laws.direction(SUBJECTS[name], LAYERS[name])


@pytest.mark.parametrize("rows", [5, 50])
def test_a_lookup_is_the_vectors_that_it_stands_for(rows):
    rng = np.random.default_rng(0)
    layer, table = LAYERS["lstm"], jnp.asarray(rng.normal(size=(rows, 3)), jnp.float32)
    ids, mask = jnp.asarray(rng.integers(0, rows, (2, 6)), jnp.int32), rng.random((2, 6)) < 0.7
    params = jax.jit(layer.init)(jax.random.key(0), table[ids])["params"]
    assert Lookup(ids, table, 3).is_narrow == (rows == 5)

    def objective(look):
        def total(table):
            outputs, carry = layer.apply({"params": params}, look(table), mask=mask)
            return sum((leaf**2).sum() for leaf in (outputs, *jax.tree.leaves(carry)))

        return jax.jit(jax.value_and_grad(total))(table)

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        objective(lambda table: Lookup(ids, table, 3)),
        objective(lambda table: table[ids]),
    )


@pytest.mark.usefixtures("unchecked")
def test_one_layer_twice_and_a_carry_of_one_direction_are_refused():
    layer = LSTM(4)
    with pytest.raises(ValueError, match="one layer cannot be both directions"):
        Bidirectional(layer, layer)
    x = jnp.zeros((1, 2, 3), jnp.float32)
    params = jax.jit(LAYERS["lstm"].init)(jax.random.key(0), x)
    with pytest.raises(ValueError, match="a carry of LSTMCarry is not of both directions"):
        LAYERS["lstm"].apply(params, x, LSTM(4).initial_carry(1))


# The lengths, a row each. keras#17596, keras#7244, keras#3367, keras#4192: with padding, backward layers began in it or
# lost their final state.
LENGTHS, TIME, DEPTH, WIDTH = (9, 4, 1), 9, 5, 6
RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, TIME, DEPTH)).astype(np.float32)
WEIGHTS = RNG.normal(size=(3, TIME, 2 * WIDTH)).astype(np.float32)
MASK = np.arange(TIME) < np.array(LENGTHS)[:, None]


def ours(layer, params, mask, x=X):
    """Outputs, final states, and gradients of weighted outputs and of the states' squares."""

    def objective(params, x):
        outputs, carry = layer.apply({"params": params}, x, mask=mask)
        return (outputs * WEIGHTS).sum() + sum((part**2).sum() for part in jax.tree.leaves(carry)), (outputs, carry)

    gradients, values = jax.jit(jax.grad(objective, argnums=(0, 1), has_aux=True))(params, x)
    return values, gradients


def close(ours, theirs, what=""):
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-5, atol=1e-5, err_msg=what)


def lstm_step(params, x, state):
    """One step of one row by the formulas of `ops.cells`."""
    h, c = state
    i, f, g, o = jnp.split(x @ params["input_kernel"] + params["bias"] + h @ params["recurrent_kernel"], 4)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru_step(params, x, state):
    (h,) = state
    r, z, n = jnp.split(x @ params["input_kernel"] + params["bias"], 3)
    hr, hz, hn = jnp.split(h @ params["recurrent_kernel"] + params["recurrent_bias"], 3)
    z = jax.nn.sigmoid(z + hz)
    return (z * h + (1 - z) * jnp.tanh(n + jax.nn.sigmoid(r + hr) * hn),)


def by_loop(step, parts, params, x, mask):
    """Outputs and final states of a loop over the real steps of each row alone, there and back."""
    outputs, ends = jnp.zeros((len(x), TIME, 2 * WIDTH)), {"forward": [], "backward": []}
    for row, real in enumerate(mask):
        there = np.flatnonzero(real)
        for columns, name, places in ((slice(WIDTH), "forward", there), (slice(WIDTH, None), "backward", there[::-1])):
            state = (jnp.zeros(WIDTH),) * parts
            for place in places:
                state = step(params[name], x[row, place], state)
                outputs = outputs.at[row, place, columns].set(state[0])
            ends[name].append(jnp.stack(state))
    return outputs, [part for name in ends for part in jnp.stack(ends[name], axis=1)]


PADDINGS = {
    "right": MASK,
    "left": MASK[:, ::-1],
    "anywhere": np.array([list("110101001"), list("011011110"), list("000000000")]) == "1",
}


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("cell", "step"), [(LSTM, lstm_step), (GRU, gru_step)])
def test_padded_batches_equal_a_loop_without_padding_on_values_and_gradients(cell, step, padding):
    """keras#17596, keras#7244, keras#3367, keras#4192; and tf#49738: the outputs of padding are zero."""
    layer, mask = Bidirectional(cell(WIDTH), cell(WIDTH)), PADDINGS[padding]
    params = perturbed(jax.jit(layer.init)(jax.random.key(0), X)["params"], 0.3)

    def objective(params, x):
        outputs, ends = by_loop(jax.jit(step), len(cell.CARRY._fields), params, x, mask)
        return (outputs * WEIGHTS).sum() + sum((part**2).sum() for part in ends), (outputs, ends)

    slopes, (outputs, ends) = jax.grad(objective, argnums=(0, 1), has_aux=True)(params, X)
    (found, carry), gradients = ours(layer, params, mask, np.where(mask[:, :, None], X, np.float32(np.nan)))
    close(found, outputs, "outputs")
    for mine, end in zip(jax.tree.leaves(carry), ends, strict=True):
        close(mine, end, "final state")
    jax.tree_util.tree_map_with_path(lambda path, a, b: close(a, b, str(path)), gradients, slopes)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_padded_batches_equal_pytorchs_packed_ones_on_values_and_gradients(kind):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    peer = getattr(torch.nn, kind)(DEPTH, WIDTH, batch_first=True, bidirectional=True)
    cell = {"LSTM": LSTM, "GRU": GRU, "RNN": SimpleRNN}[kind]

    def ours_of(numbers, direction, *, both_biases):
        end = "_l0" + direction
        own = {"input_kernel": numbers["weight_ih" + end].T, "recurrent_kernel": numbers["weight_hh" + end].T}
        if kind == "GRU":
            return {**own, "bias": numbers["bias_ih" + end], "recurrent_bias": numbers["bias_hh" + end]}
        return {**own, "bias": numbers["bias_ih" + end] + (numbers["bias_hh" + end] if both_biases else 0)}

    def named(numbers, **options):
        return {"forward": ours_of(numbers, "", **options), "backward": ours_of(numbers, "_reverse", **options)}

    weights = {name: p.detach().numpy() for name, p in peer.named_parameters()}
    (outputs, carry), (d_params, d_x) = ours(
        Bidirectional(cell(WIDTH), cell(WIDTH)), named(weights, both_biases=True), MASK
    )
    x = torch.tensor(X, requires_grad=True)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(LENGTHS), batch_first=True)
    theirs, state = peer(packed)
    theirs, _ = torch.nn.utils.rnn.pad_packed_sequence(theirs, batch_first=True, total_length=TIME)
    states = state if isinstance(state, tuple) else (state,)
    ((theirs * torch.tensor(WEIGHTS)).sum() + sum((s**2).sum() for s in states)).backward()
    close(outputs, theirs.detach(), "outputs")
    for direction, mine in enumerate(carry):
        for part, state in zip(mine, states, strict=True):
            close(part, state[direction].detach(), f"final state {direction}")
    close(d_x, x.grad, "gradient of x")
    slopes = named({name: p.grad.numpy() for name, p in peer.named_parameters()}, both_biases=False)
    jax.tree_util.tree_map_with_path(lambda path, a, b: close(a, b, str(path)), d_params, slopes)


@pytest.mark.parametrize("padding", ["right", "left"])
@pytest.mark.parametrize("kind", ["LSTM", "SimpleRNN"])
def test_masked_batches_equal_keras_bidirectional_where_its_tokens_are_real(kind, padding):
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    cell = {"LSTM": LSTM, "SimpleRNN": SimpleRNN}[kind]
    # `zero_output_for_mask` is what jaxseq always does (tf#49738).
    inner = getattr(keras.layers, kind)(WIDTH, return_sequences=True, return_state=True, zero_output_for_mask=True)
    peer = keras.layers.Bidirectional(inner)
    mask = MASK if padding == "right" else MASK[:, ::-1]
    theirs, *states = peer(X, mask=mask)
    parameters = {
        name: dict(
            zip(("input_kernel", "recurrent_kernel", "bias"), (np.asarray(w.value) for w in one.weights), strict=True)
        )
        for name, one in (("forward", peer.forward_layer), ("backward", peer.backward_layer))
    }
    (outputs, carry), _ = ours(Bidirectional(cell(WIDTH), cell(WIDTH)), parameters, mask)
    close(outputs, theirs, "outputs")
    for mine, state in zip(jax.tree.leaves(carry), states, strict=True):
        close(mine, state, "final state")


def test_reading_packed_texts_equals_reading_each_alone():
    layer = LAYERS["lstm"]
    x = jnp.asarray(np.random.default_rng(1).normal(size=(1, 7, 3)), jnp.float32)
    params = jax.jit(layer.init)(jax.random.key(0), x)["params"]
    reset = np.arange(7)[None] == 3
    together, carry = layer.apply({"params": params}, x, reset=reset)
    first, after_first = layer.apply({"params": params}, x[:, :3])
    second, after_second = layer.apply({"params": params}, x[:, 3:])
    close(together, jnp.concatenate([first, second], axis=1))
    expected = BidirectionalCarry(after_second.forward, after_first.backward)
    jax.tree.map(close, carry, expected)
    assert isinstance(carry.backward, LSTMCarry)
