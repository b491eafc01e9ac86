"""Encoder-decoders against PyTorch's, with the same weights: values and gradients."""

import jax
import numpy as np
import pytest

from jaxseq.config import Seq2SeqConfig, Seq2SeqTransformerConfig
from jaxseq.tasks.translation.encoder_decoders import build_encoder_decoder

torch = pytest.importorskip("torch")

VOCABULARY, SOURCE, TARGET = 9, 5, 4
RNG = np.random.default_rng(0)
SOURCES = RNG.integers(0, VOCABULARY, (3, SOURCE), np.int32)
SOURCE_MASK = np.arange(SOURCE) < np.array([[5], [3], [2]])
INPUTS, TARGETS = RNG.integers(0, VOCABULARY, (2, 3, TARGET), np.int32)
MASK = np.arange(TARGET) < np.array([[4], [2], [3]])


def ours(model, scale: float = 0.4):
    """Parameters, the mean loss, and its gradient."""
    params = model.init(jax.random.key(0), SOURCES, INPUTS)["params"]
    params = jax.tree.map(lambda x: scale * RNG.normal(size=x.shape).astype(np.float32), params)

    def loss(params):
        masks = {"source_mask": SOURCE_MASK, "mask": MASK}
        tally = model.apply({"params": params}, SOURCES, INPUTS, TARGETS, **masks, train=True, method="loss")["loss"]
        return tally.total / tally.count

    return params, *jax.jit(jax.value_and_grad(loss))(params)


def leaves_of(params):
    """The same tree of PyTorch's leaves."""
    return jax.tree.map(lambda x: torch.tensor(np.asarray(x), requires_grad=True), params)


def compare(loss, slopes, leaves, theirs):
    theirs.backward()
    np.testing.assert_allclose(loss, theirs.item(), rtol=2e-5)
    paths = jax.tree_util.tree_leaves_with_path(slopes)
    for (path, have), leaf in zip(paths, jax.tree.leaves(leaves), strict=True):
        want = np.zeros_like(have) if leaf.grad is None else leaf.grad.numpy()
        np.testing.assert_allclose(have, want, atol=2e-5, err_msg=jax.tree_util.keystr(path))


def cross_entropy(logits, smoothing: float = 0.0):
    targets = torch.tensor(np.where(MASK, TARGETS, -100)).long()
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), label_smoothing=smoothing)


def attention(module, own):
    """PyTorch's multi-head attention as a function of leaves."""

    def call(query, key, **masks):
        if "input" in own:
            weight, bias = own["input"]["kernel"].T, own["input"]["bias"]
        else:
            weight = torch.cat([own[name]["kernel"].T for name in ("query", "key", "value")])
            bias = torch.cat([own[name]["bias"] for name in ("query", "key", "value")])
        parameters = {"in_proj_weight": weight, "in_proj_bias": bias}
        parameters |= {"out_proj.weight": own["output"]["kernel"].T, "out_proj.bias": own["output"]["bias"]}
        return torch.func.functional_call(module, parameters, (query, key, key), {**masks, "need_weights": False})[0]

    return call


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_transformer_is_pytorchs_layers_with_its_label_smoothing(norm):
    features, heads = 8, 2
    config = Seq2SeqTransformerConfig(features=features, layers=1, heads=heads, mlp_ratio=2, norm=norm, dropout=0.0)
    model = build_encoder_decoder(config, vocabulary_size=VOCABULARY, start_token=0, label_smoothing=0.1)
    params, loss, slopes = ours(model)
    own = leaves_of(params)
    multi_head = torch.nn.MultiheadAttention(features, heads, batch_first=True)

    def codes(length):  # the formula of the paper, sines before cosines
        angles = np.arange(length)[:, None] * 10_000.0 ** (-np.arange(features // 2) / (features // 2))
        return torch.tensor(np.concatenate([np.sin(angles), np.cos(angles)], axis=1), dtype=torch.float32)

    def normed(x, weights):
        return torch.nn.functional.layer_norm(x, (features,), weights["scale"], weights["bias"])

    def branch(x, block, name, layer):
        norms = block[f"{name}_norm"]
        return x + layer(normed(x, norms)) if norm == "pre" else normed(x + layer(x), norms)

    def feed_forward(block):
        first, second = block["feed_forward"]["input"], block["feed_forward"]["output"]
        return lambda x: torch.relu(x @ first["kernel"] + first["bias"]) @ second["kernel"].T + second["bias"]

    def embedded(ids):
        return own["embedding"][torch.tensor(ids).long()] * features**0.5 + codes(ids.shape[1])

    def finished(x, stack):
        return normed(x, stack["final_norm"]) if norm == "pre" else x

    padding = torch.tensor(~SOURCE_MASK)
    block = own["encoder"]["block_0"]
    look = attention(multi_head, block["attention"])
    memory = branch(embedded(SOURCES), block, "attention", lambda x: look(x, x, key_padding_mask=padding))
    memory = finished(branch(memory, block, "feed_forward", feed_forward(block)), own["encoder"])
    block = own["decoder"]["block_0"]
    back, cross = attention(multi_head, block["attention"]), attention(multi_head, block["cross_attention"])
    later = torch.tensor(np.triu(np.ones((TARGET, TARGET), bool), 1))
    x = branch(embedded(INPUTS), block, "attention", lambda x: back(x, x, attn_mask=later))
    x = branch(x, block, "cross_attention", lambda x: cross(x, memory, key_padding_mask=padding))
    x = finished(branch(x, block, "feed_forward", feed_forward(block)), own["decoder"])
    compare(loss, slopes, own, cross_entropy(x @ own["embedding"].T, smoothing=0.1))


@pytest.mark.parametrize(("kind", "fed"), [("additive", True), ("general", False), ("none", False)])
def test_the_recurrent_ones_are_a_plain_loop_of_pytorchs_operations(kind, fed):
    config = Seq2SeqConfig(
        features=6, embedding=4, layers=2, attention=kind, use_scale=kind != "none", input_feeding=fed
    )
    model = build_encoder_decoder(config, vocabulary_size=VOCABULARY, source_vocabulary=VOCABULARY, start_token=0)
    params, loss, slopes = ours(model)
    own = leaves_of(params)

    def step(weights, x, state):
        gates = x @ weights["input_kernel"] + weights["bias"] + state[0] @ weights["recurrent_kernel"]
        i, f, g, o = gates.chunk(4, dim=-1)
        c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    rows = []
    for row, length in enumerate(SOURCE_MASK.sum(axis=1)):
        states, source = [(torch.zeros(6), torch.zeros(6))] * 2, []
        for token in SOURCES[row, :length]:
            x = own["source_embedding"][int(token)]
            for i in range(2):
                states[i] = step(own["encoder"][f"layer_{i}"], x, states[i])
                x = states[i][0]
            source.append(x)
        source, vector, logits = torch.stack(source), torch.zeros(6), []
        for token in INPUTS[row]:
            x = own["embedding"][int(token)]
            x = torch.cat([x, vector]) if fed else x
            for i in range(2):
                states[i] = step(own["decoder"][f"layer_{i}"], x, states[i])
                x = states[i][0]
            if kind != "none":
                look = own["decoder"]["look"]
                keys = source @ look["key_kernel"]
                if kind == "additive":
                    scores = torch.tanh(x @ look["query_kernel"] + keys) @ look["scale"]
                else:
                    scores = keys @ x * look["scale"]
                gathered = torch.softmax(scores, dim=0) @ source
                x = vector = torch.tanh(torch.cat([gathered, x]) @ own["decoder"]["combine_kernel"])
            logits.append(x @ own["head"]["kernel"] + own["head"]["bias"])
        rows.append(torch.stack(logits))
    compare(loss, slopes, own, cross_entropy(torch.stack(rows)))
