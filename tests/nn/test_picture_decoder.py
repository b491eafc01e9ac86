"""Models that write about pictures: against PyTorch with the same weights, what may reach what, and single steps."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.config import CaptionerConfig
from jaxseq.decoding.protocol import repeat_rows
from jaxseq.errors import InputError
from jaxseq.models.picture_encoder import PictureEncoder
from jaxseq.nn.picture_decoder import Grid, PictureDecoder
from jaxseq.tasks.captioning.captioners import build_captioner
from jaxseq.tasks.picture_form import PictureForm

VOCABULARY, START, ROWS, TARGET = 11, 1, 3, 5
FORM = PictureForm(8, 12, 3, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
COMMON = {"features": 6, "embedding": 4}
CONFIGS = {
    "gru": CaptionerConfig(filters=(4, 5), poolings=2, cell="gru", **COMMON),
    "lstm, fed, two layers": CaptionerConfig(
        filters=(4, 3), poolings=1, layers=2, input_feeding=True, positions="coordinates", **COMMON
    ),
    "lstm, no positions": CaptionerConfig(filters=(3, 5, 4), poolings=2, use_scale=False, positions="none", **COMMON),
    "gru, blind": CaptionerConfig(filters=(3,), poolings=0, cell="gru", attention="none", **COMMON),
    "gru, general, fed": CaptionerConfig(
        filters=(4,), poolings=1, cell="gru", attention="general", input_feeding=True, **COMMON
    ),
}
RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (ROWS, *FORM.shape)).astype(np.uint8)
TARGETS = RNG.integers(2, VOCABULARY, (ROWS, TARGET), np.int32)
INPUTS = np.concatenate([np.full((ROWS, 1), START, np.int32), TARGETS[:, :-1]], axis=1)
MASK = np.arange(TARGET) < np.array([[5], [4], [2]])

families = pytest.mark.parametrize("name", CONFIGS)


@functools.cache
def model_of(name: str) -> PictureDecoder:
    return build_captioner(CONFIGS[name], form=FORM, vocabulary_size=VOCABULARY, start_token=START)


@functools.cache
def params_of(name: str) -> dict:
    params = model_of(name).init(jax.random.key(0), PICTURES, INPUTS)["params"]
    return jax.tree.map(lambda x: x + 0.2 * RNG.normal(size=x.shape).astype(np.float32), params)


@functools.cache
def compiled(name: str):
    return jax.jit(
        lambda params, pictures, inputs, mask: model_of(name).apply({"params": params}, pictures, inputs, mask=mask)
    )


def logits_of(name: str, pictures=PICTURES, inputs=INPUTS, mask=MASK) -> np.ndarray:
    return np.asarray(compiled(name)(params_of(name), pictures, inputs, mask))


@functools.cache
def stepping(name: str):
    model = model_of(name)
    return jax.jit(lambda params, pictures, begin: model.start(params, pictures, begin=begin)), jax.jit(
        model.decode_step
    )


@pytest.mark.parametrize("name", ["gru", "lstm, fed, two layers", "lstm, no positions", "gru, blind"])
def test_it_is_a_plain_loop_of_pytorchs_operations_values_and_gradients(name):
    torch = pytest.importorskip("torch")
    config, model, params = CONFIGS[name], model_of(name), params_of(name)

    def loss(params):
        tallies = model.apply({"params": params}, PICTURES, INPUTS, TARGETS, mask=MASK, train=True, method="loss")
        return tallies["loss"].total, tallies

    (total, tallies), slopes = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
    own = jax.tree.map(lambda x: torch.tensor(np.asarray(x), requires_grad=True), params)
    encoder, decoder = own["encoder"], own["decoder"]

    def lstm(weights, x, state):
        gates = x @ weights["input_kernel"] + weights["bias"] + state[0] @ weights["recurrent_kernel"]
        i, f, g, o = gates.chunk(4, dim=-1)
        c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def gru(weights, x, state):
        r, z, n = (x @ weights["input_kernel"] + weights["bias"]).chunk(3, dim=-1)
        own_r, own_z, own_n = (state[0] @ weights["recurrent_kernel"] + weights["recurrent_bias"]).chunk(3, dim=-1)
        r, z = torch.sigmoid(r + own_r), torch.sigmoid(z + own_z)
        return ((1 - z) * torch.tanh(n + r * own_n) + z * state[0],)

    x = torch.tensor(PICTURES).float() / 255
    x = ((x - torch.tensor(FORM.mean)) / torch.tensor(FORM.deviation)).permute(0, 3, 1, 2)
    for number in range(len(config.filters)):
        layer = encoder["stack"][f"conv_{number}"]
        x = torch.relu(torch.nn.functional.conv2d(x, layer["kernel"].permute(3, 2, 0, 1), layer["bias"], padding=1))
        x = torch.nn.functional.max_pool2d(x, 2) if number < config.poolings else x
    rows, columns = x.shape[2:]
    grid = x.permute(0, 2, 3, 1).reshape(ROWS, rows * columns, -1)
    if config.positions == "learned":
        grid = grid + encoder["positions"]
    elif config.positions == "coordinates":
        places = [[-1 + (2 * i + 1) / rows, -1 + (2 * j + 1) / columns] for i in range(rows) for j in range(columns)]
        grid = grid + torch.tensor(places) @ encoder["position_kernel"]
    states_each = 2 if config.cell == "lstm" else 1
    start = torch.tanh(grid.mean(dim=1) @ encoder["start_kernel"] + encoder["start_bias"])
    start = start.reshape(ROWS, config.layers, states_each, config.features)
    step, losses, hits = lstm if config.cell == "lstm" else gru, 0.0, 0
    for row in range(ROWS):
        states = [tuple(start[row, layer]) for layer in range(config.layers)]
        vector = torch.zeros(config.features)
        for token, target in zip(INPUTS[row][MASK[row]], TARGETS[row][MASK[row]], strict=True):
            x = own["embedding"][int(token)]
            x = torch.cat([x, vector]) if config.input_feeding else x
            for layer in range(config.layers):
                states[layer] = step(decoder[f"layer_{layer}"], x, states[layer])
                x = states[layer][0]
            if config.attention == "additive":
                look = decoder["look"]
                scores = torch.tanh(x @ look["query_kernel"] + grid[row] @ look["key_kernel"])
                scores = scores @ look["scale"] if config.use_scale else scores.sum(dim=-1)
                gathered = torch.softmax(scores, dim=0) @ grid[row]
                x = vector = torch.tanh(torch.cat([gathered, x]) @ decoder["combine_kernel"])
            logits = x @ own["head"]["kernel"] + own["head"]["bias"]
            losses = losses - torch.log_softmax(logits, dim=0)[int(target)]
            hits += int(logits.argmax()) == target
    losses.backward()
    np.testing.assert_allclose(total, losses.item(), rtol=2e-5)
    assert tallies["accuracy"] == (hits, MASK.sum())
    for (path, have), leaf in zip(jax.tree_util.tree_leaves_with_path(slopes), jax.tree.leaves(own), strict=True):
        want = np.zeros_like(have) if leaf.grad is None else leaf.grad.numpy()
        np.testing.assert_allclose(have, want, atol=3e-5, err_msg=jax.tree_util.keystr(path))


@families
def test_a_later_word_changes_no_earlier_logit(name):
    expected = logits_of(name)
    for at in range(1, TARGET):
        other = INPUTS.copy()
        other[:, at] = (other[:, at] + 1) % VOCABULARY
        logits = logits_of(name, inputs=other)
        np.testing.assert_array_equal(logits[:, :at], expected[:, :at])
        assert (logits[0, at] != expected[0, at]).any()


@families
def test_the_picture_of_a_row_is_heard_by_its_first_logit_and_by_no_other_row(name):
    expected = logits_of(name)
    for row in range(ROWS):
        other = PICTURES.copy()
        other[row] = 255 - other[row]
        changed = (logits_of(name, other)[:, 0] != expected[:, 0]).any(axis=-1)
        np.testing.assert_array_equal(changed, np.arange(ROWS) == row)


@families
def test_floats_are_read_as_pictures_that_are_scaled_already(name):
    scaled = (PICTURES / np.float32(255) - np.float32(FORM.mean)) / np.float32(FORM.deviation)
    np.testing.assert_allclose(logits_of(name, scaled.astype(np.float32)), logits_of(name), atol=2e-5)


@families
def test_steps_give_the_logits_of_all_tokens_at_once_whatever_a_row_begins_with(name):
    start, step = stepping(name)
    begin = np.array([START, 3, 7], np.int32)
    inputs = INPUTS.copy()
    inputs[:, 0] = begin
    expected = logits_of(name, inputs=inputs, mask=np.ones_like(MASK))
    weights, logits, carry = start(params_of(name), PICTURES, begin)
    for i in range(TARGET):
        np.testing.assert_allclose(logits, expected[:, i], atol=2e-5)
        if carry.attention is not None:
            np.testing.assert_allclose(carry.attention.sum(axis=1), 1, atol=1e-6)
        logits, carry = step(weights, TARGETS[:, i], carry)
    _, logits, _ = start(params_of(name), PICTURES, None)
    np.testing.assert_allclose(logits, logits_of(name)[:, 0], atol=2e-5)


@families
def test_several_rows_of_a_picture_are_as_if_each_had_it_alone(name):
    start, step = stepping(name)
    weights, _, carry = start(params_of(name), PICTURES, None)
    tokens = RNG.integers(2, VOCABULARY, (2, ROWS, 2), np.int32)
    together, alone = repeat_rows(carry, 2), [carry, carry]
    for drawn in tokens:
        logits, together = step(weights, drawn.reshape(-1), together)
        for k in range(2):
            expected, alone[k] = step(weights, drawn[:, k], alone[k])
            np.testing.assert_allclose(logits.reshape(ROWS, 2, -1)[:, k], expected, atol=2e-5)


@families
def test_what_each_token_looked_at_is_told_where_somebody_asks(name):
    model, variables = model_of(name), {"params": params_of(name)}
    logits, sown = jax.jit(lambda: model.apply(variables, PICTURES, INPUTS, mask=MASK, mutable=["intermediates"]))()
    weights = model.attention_in(sown.get("intermediates", {}))
    if CONFIGS[name].attention == "none":
        assert weights is None
        return
    grid = model.encoder.grid(*FORM.shape[:2])
    assert weights.shape == (ROWS, TARGET, grid.rows * grid.columns)
    np.testing.assert_allclose(np.asarray(weights)[MASK].sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(logits, logits_of(name), atol=1e-6)


@pytest.mark.parametrize(("filters", "poolings"), [((3,), 1), ((3, 4, 2), 2), ((2, 3, 4), 3), ((2, 3), 0)])
@pytest.mark.parametrize("size", [(16, 24), (17, 27)])
def test_what_a_cell_sees_has_its_centre_where_the_grid_says(filters, poolings, size):
    encoder = PictureEncoder(filters=filters, poolings=poolings, channels=1, positions="none", features=2)
    grid = encoder.grid(*size)
    assert grid == Grid(size[0] // 2**poolings, size[1] // 2**poolings, 2**poolings)
    side = 8 * grid.side  # so far from all edges that nothing of what the cell sees is cut off
    pictures = jnp.ones((1, side * 3, side * 3, 1))
    params = encoder.init(jax.random.key(0), pictures)
    params = jax.tree.map(lambda x: jnp.abs(x) + 0.1, params)  # whatever is seen, counts
    large = encoder.grid(side * 3, side * 3)
    row, column = large.rows // 2, large.columns // 2

    def cell(pictures):
        features, _ = encoder.apply(params, pictures)
        return features[0, row * large.columns + column].sum()

    # Max-pooling lets one pixel of equals through; noise makes it another one each time.
    seen = np.zeros(pictures.shape[1:3], bool)
    slope = jax.jit(jax.grad(cell))
    for seed in range(40):
        seen |= (
            np.asarray(slope(pictures + 0.3 * jax.random.uniform(jax.random.key(seed), pictures.shape)))[0, ..., 0] > 0
        )
    for axis, at in ((1, row), (0, column)):
        reached = np.flatnonzero(seen.any(axis=axis))
        assert (reached[0] + reached[-1] + 1) / 2 == (at + 0.5) * grid.side


@pytest.mark.parametrize("positions", ["none", "learned", "coordinates"])
def test_cells_that_see_the_same_are_told_apart_by_positions_alone(positions):
    encoder = PictureEncoder(filters=(3,), poolings=1, channels=1, positions=positions, features=2)
    pictures = np.full((1, 12, 16, 1), 0.7, np.float32)
    features, _ = encoder.apply(encoder.init(jax.random.key(0), pictures), pictures)
    inner = np.asarray(features).reshape(6, 8, 3)[1:-1, 1:-1].reshape(-1, 3)  # those that see no edge
    assert len(np.unique(inner.round(5), axis=0)) == (1 if positions == "none" else len(inner))


def test_a_picture_has_no_mask_and_must_be_large_enough():
    with pytest.raises(ValueError, match="a picture has no mask"):
        model_of("gru").apply({"params": params_of("gru")}, PICTURES, INPUTS, source_mask=np.ones((ROWS, 6), bool))
    with pytest.raises(
        InputError, match=r"pictures of 3 x 12 x 3 are too small for the model: .*lower model\.poolings"
    ):
        build_captioner(CONFIGS["gru"], form=FORM._replace(height=3), vocabulary_size=9, start_token=1)


def test_dropout_of_the_grid_acts_in_training_alone():
    config = CaptionerConfig(filters=(4,), poolings=1, cell="gru", picture_dropout=0.5, **COMMON)
    model = build_captioner(config, form=FORM, vocabulary_size=VOCABULARY, start_token=START)
    variables = model.init(jax.random.key(0), PICTURES, INPUTS)

    def loss(train, key):
        rngs = {"dropout": jax.random.key(key)}
        return model.apply(variables, PICTURES, INPUTS, TARGETS, train=train, rngs=rngs, method="loss")["loss"].total

    assert loss(False, 0) == loss(False, 1)
    assert loss(True, 0) != loss(True, 1)
