"""Flax Linen as its guides write it: nn.RNN over nn.OptimizedLSTMCell or nn.GRUCell, nn.MultiHeadDotProductAttention,
one jitted step, optax.adam. What JAX gives without anything that jaxseq adds.

Flax's GRU has two biases fewer than that of PyTorch and Keras, so its parameters are not quite as many.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from benchmarks.workers import prediction
from benchmarks.workers.arrays import read_arrays
from benchmarks.workers.serve import Job, serve
from benchmarks.works import Model, Work


class Recurrent(nn.Module):
    """tokens [b, t], carry -> (logits [b, t, v], carry)."""

    model: Model

    @nn.compact
    def __call__(self, tokens: jax.Array, carry: Any, *, train: bool) -> tuple[jax.Array, Any]:
        model = self.model
        table = nn.Embed(model.vocabulary, model.embedding) if model.embedding else None
        x = table(tokens) if table else jax.nn.one_hot(tokens, model.vocabulary)
        kind = nn.OptimizedLSTMCell if model.family == "lstm" else nn.GRUCell
        after = []
        for state in carry:
            x = nn.Dropout(model.dropout, broadcast_dims=(1,), deterministic=not train)(x)
            state, x = nn.RNN(kind(model.features), return_carry=True)(x, initial_carry=state)
            after.append(state)
        return table.attend(x) if table and model.tied else nn.Dense(model.vocabulary)(x), after

    def initial_carry(self, batch: int) -> list[Any]:
        zeros = jnp.zeros((batch, self.model.features))
        return [(zeros, zeros) if self.model.family == "lstm" else zeros] * self.model.layers


def _as_keras(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Keras's embedding, so that all classifiers learn alike."""
    return jax.random.uniform(key, shape, dtype, -0.05, 0.05)


class Classifier(nn.Module):
    """tokens [b, t], 0 behind the text, carry -> (logits [b], carry as it came); lengths tell what is padding."""

    model: Model

    @nn.compact
    def __call__(self, tokens: jax.Array, carry: Any, *, train: bool) -> tuple[jax.Array, Any]:
        model = self.model
        lengths = (tokens != 0).sum(1)
        x = nn.Embed(model.vocabulary, model.embedding, embedding_init=_as_keras)(tokens)
        kind = nn.OptimizedLSTMCell if model.family == "lstm" else nn.GRUCell
        states = ()
        for _ in range(model.layers):
            directions = [nn.RNN(kind(model.features)) for _ in range(model.directions)]
            layer = nn.Bidirectional(*directions) if model.directions == 2 else directions[0]
            state, x = layer(x, seq_lengths=lengths, return_carry=True)
            states = state if model.directions == 2 else (state,)
        h = [state[1] if model.family == "lstm" else state for state in states]
        return nn.Dense(1)(jnp.concatenate(h, axis=-1))[:, 0], carry

    def initial_carry(self, batch: int) -> list[Any]:
        del batch
        return []


class Transformer(nn.Module):
    """tokens [b, t] -> (logits [b, t, v], carry as it came), the output layer tied to the embedding."""

    model: Model

    @nn.compact
    def __call__(self, tokens: jax.Array, carry: Any, *, train: bool) -> tuple[jax.Array, Any]:
        model, normal = self.model, nn.initializers.normal(0.02)
        options = {"use_bias": False, "kernel_init": normal}
        drop = nn.Dropout(model.dropout, deterministic=not train)
        embedding = nn.Embed(model.vocabulary, model.features, embedding_init=normal)
        positions = self.param("positions", normal, (model.context, model.features))
        x = drop(embedding(tokens) + positions[: tokens.shape[1]])
        mask = nn.make_causal_mask(tokens)
        for _ in range(model.layers):
            y = nn.LayerNorm(use_bias=False)(x)
            attention = nn.MultiHeadDotProductAttention(model.heads, dropout_rate=model.dropout, **options)
            x = x + drop(attention(y, mask=mask, deterministic=not train))
            y = nn.Dense(4 * model.features, **options)(nn.LayerNorm(use_bias=False)(x))
            x = x + drop(nn.Dense(model.features, **options)(nn.gelu(y, approximate=False)))
        return embedding.attend(nn.LayerNorm(use_bias=False)(x)), carry

    def initial_carry(self, batch: int) -> list[Any]:
        del batch
        return []


class Training:
    """One training step a call."""

    units_per_call = 1

    def __init__(self, work: Work, folder: Path) -> None:
        assert work.model is not None
        self.inputs, self.targets = (np.load(folder / f"{name}.npy") for name in ("inputs", "targets"))
        label = work.model.label
        kind = Transformer if work.model.family == "transformer" else Classifier if label else Recurrent
        module = kind(work.model)
        self.initial = module.initial_carry(work.batch)
        self.key = jax.random.key(0)
        params = module.init(self.key, self.inputs[0], self.initial, train=False)["params"]
        self.parameters = sum(x.size for x in jax.tree.leaves(params))
        clipped = optax.chain(optax.clip_by_global_norm(0.25), optax.sgd(1.0))
        optimizer = clipped if work.optimizer == "sgd" else optax.adam(1e-3)
        self.state = (params, optimizer.init(params))
        self.carried, self.carry, self.count = work.carried, self.initial, 0

        def loss_fn(params: Any, carry: Any, inputs: Any, targets: Any, key: Any) -> tuple[jax.Array, Any]:
            logits, carry = module.apply({"params": params}, inputs, carry, train=True, rngs={"dropout": key})
            if label:
                return optax.sigmoid_binary_cross_entropy(logits, targets).mean(), carry
            return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean(), carry

        @jax.jit
        def step(state: Any, carry: Any, inputs: Any, targets: Any, key: Any, count: Any) -> tuple[Any, Any, Any]:
            params, opt_state = state
            key = jax.random.fold_in(key, count)
            (loss, carry), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, carry, inputs, targets, key)
            updates, opt_state = optimizer.update(grads, opt_state, params)
            return (optax.apply_updates(params, updates), opt_state), carry, loss

        self.step = step

    def _step(self) -> jax.Array:
        i = self.count % len(self.inputs)
        carry = self.carry if i and self.carried else self.initial
        self.state, self.carry, loss = self.step(
            self.state, carry, self.inputs[i], self.targets[i], self.key, self.count
        )
        self.count += 1
        return loss

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self._step()
        jax.block_until_ready(self.state)

    def losses(self, steps: int) -> list[float]:
        return [float(self._step()) for _ in range(steps)]


class Generation:
    """One call samples `time` characters for each of `batch` texts: a jitted step in a Python loop."""

    units_per_call = 1

    def __init__(self, work: Work) -> None:
        assert work.model is not None
        module = Recurrent(work.model)
        self.work, self.initial = work, module.initial_carry(work.batch)
        tokens = jnp.zeros((work.batch, 1), jnp.int32)
        self.params = module.init(jax.random.key(0), tokens, self.initial, train=False)["params"]
        self.parameters = sum(x.size for x in jax.tree.leaves(self.params))

        @jax.jit
        def step(params: Any, tokens: Any, carry: Any, key: Any) -> tuple[Any, Any, Any]:
            key, now = jax.random.split(key)
            logits, carry = module.apply({"params": params}, tokens[:, None], carry, train=False)
            return jax.random.categorical(now, logits[:, -1]), carry, key

        self.step = step

    def run(self, calls: int) -> None:
        for _ in range(calls):
            tokens, carry, key = jnp.zeros(self.work.batch, jnp.int32), self.initial, jax.random.key(0)
            drawn = []
            for _ in range(self.work.time):
                tokens, carry, key = self.step(self.params, tokens, carry, key)
                drawn.append(tokens)
            np.asarray(jnp.stack(drawn, 1))


def loaded(weights: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The parameters of `benchmarks.data.weights`, as `Classifier` has them: a kernel for each gate."""

    def cell(direction: str) -> dict[str, Any]:
        arrays = [np.split(weights[f"{direction}_{part}"], 4, axis=-1) for part in ("input", "recurrent", "bias")]
        gates = list(zip("ifgo", *arrays, strict=True))
        into = {f"i{gate}": {"kernel": kernel} for gate, kernel, _, _ in gates}
        return into | {f"h{gate}": {"kernel": kernel, "bias": bias} for gate, _, kernel, bias in gates}

    return {
        "Embed_0": {"embedding": weights["embedding"]},
        "OptimizedLSTMCell_0": cell("forward"),
        "OptimizedLSTMCell_1": cell("backward"),
        "Dense_0": {"kernel": weights["head_kernel"], "bias": weights["head_bias"]},
    }


class Prediction(prediction.Prediction):
    """One jitted function on batches of texts that are about as long, lengths given to nn.RNN."""

    def __init__(self, work: Work, folder: Path) -> None:
        super().__init__(work, folder)
        assert work.model is not None
        module = Classifier(work.model)
        self.params = jax.device_put(loaded(read_arrays(folder / "weights.npz")))
        self.parameters = sum(x.size for x in jax.tree.leaves(self.params))
        self.apply = jax.jit(lambda params, x: nn.sigmoid(module.apply({"params": params}, x, [], train=False)[0]))

    def predict(self, batches: list[np.ndarray]) -> Sequence[np.ndarray]:
        return [np.asarray(one) for one in [self.apply(self.params, batch) for batch in batches]]


def device_peak() -> int:
    return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)


def build(work: Work, folder: Path, device: str) -> Job:
    if work.kind == "predict":
        return Prediction(work, folder)
    return Training(work, folder) if work.kind == "train" else Generation(work)


if __name__ == "__main__":
    serve(build, packages=("jax", "flax"), device_peak=device_peak)
