"""What the laws of the carry are checked on, and the ways to run it that the laws compare. See laws.py."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.nn import LanguageModel, TiedHead

Run = Callable[..., tuple[Any, Any]]


class Way(Protocol):
    """A way to run a subject, forward and backward; all take (params, inputs, carry, mask, reset)."""

    def run(self, params: Any, inputs: Any, carry: Any, mask: Any, reset: Any) -> tuple[Any, Any]:
        """Outputs and the new carry."""
        ...

    def pull(self, params: Any, inputs: Any, carry: Any, mask: Any, reset: Any, d: Any) -> tuple[Any, Any, Any]:
        """Gradients of params, inputs and carry, from `d`, those of outputs and new carry; None at integers."""
        ...


class AtOnce:
    """All tokens in one call."""

    def __init__(self, run: Run, *, compiled: bool = True) -> None:
        def pull(params: Any, inputs: Any, carry: Any, mask: Any, reset: Any, d: Any) -> Any:
            floats, rest = partition((params, inputs, carry))
            _, vjp = jax.vjp(lambda floats: partition(run(*_merge(floats, rest), mask, reset))[0], floats)
            return vjp(d)[0]

        self.run = jax.jit(run) if compiled else run
        self.pull = jax.jit(pull) if compiled else pull


class InChunks:
    """The time axis in pieces of these lengths, the carry handed on."""

    def __init__(self, at_once: Way, lengths: tuple[int, ...]) -> None:
        ends = np.cumsum(lengths)
        self.at_once = at_once
        self.pieces = [slice(end - length, end) for end, length in zip(ends, lengths, strict=True)]

    def _forward(self, params: Any, inputs: Any, carry: Any, mask: Any, reset: Any) -> tuple[list[Any], list[Any]]:
        outputs, carries = [], [carry]
        for piece in self.pieces:
            y, carry = self.at_once.run(params, inputs[:, piece], carry, mask[:, piece], reset[:, piece])
            outputs.append(y)
            carries.append(carry)
        return outputs, carries

    def run(self, params: Any, inputs: Any, carry: Any, mask: Any, reset: Any) -> tuple[Any, Any]:
        outputs, carries = self._forward(params, inputs, carry, mask, reset)
        return np.concatenate(outputs, axis=1), carries[-1]

    def pull(self, params: Any, inputs: Any, carry: Any, mask: Any, reset: Any, d: Any) -> tuple[Any, Any, Any]:
        _, carries = self._forward(params, inputs, carry, mask, reset)
        d_outputs, d_carry = d
        d_params, d_inputs = _zeros(params), []
        for piece, before in list(zip(self.pieces, carries[:-1], strict=True))[::-1]:
            pieces = (inputs[:, piece], before, mask[:, piece], reset[:, piece])
            d_here, d_piece, d_carry = self.at_once.pull(params, *pieces, (d_outputs[:, piece], d_carry))
            d_params = plus(d_params, d_here)
            d_inputs.append(d_piece)
        return d_params, jax.tree.map(lambda *leaves: np.concatenate(leaves, axis=1), *d_inputs[::-1]), d_carry


class OneByOne:
    """The oracle: each row alone, each real token alone, a fresh carry at a reset, padding skipped and its output 0."""

    def __init__(self, at_once: Way, initial_carry: Callable[[int], Any]) -> None:
        self.at_once = at_once
        self.initial = initial_carry(1)

    def _forward(self, params: Any, inputs: Any, carry: Any, mask: Any, reset: Any) -> tuple[Any, list[Any], Any]:
        """Outputs, the carry each real token was read with by (row, time), and the new carry."""
        rows, before, after = [], {}, []
        for b in range(len(inputs)):
            here, outputs = row(carry, b), []
            for i in range(inputs.shape[1]):
                here = self.initial if reset[b, i] else here
                y, new = self.at_once.run(params, inputs[b : b + 1, i : i + 1], here, None, None)
                if mask[b, i]:
                    before[b, i], here = here, new
                outputs.append(y if mask[b, i] else np.zeros_like(y))
            rows.append(np.concatenate(outputs, axis=1))
            after.append(here)
        return np.concatenate(rows), before, stack_rows(after)

    def run(self, params: Any, inputs: Any, carry: Any, mask: Any, reset: Any) -> tuple[Any, Any]:
        outputs, _, after = self._forward(params, inputs, carry, mask, reset)
        return outputs, after

    def pull(self, params: Any, inputs: Any, carry: Any, mask: Any, reset: Any, d: Any) -> tuple[Any, Any, Any]:
        _, before, _ = self._forward(params, inputs, carry, mask, reset)
        d_params, d_inputs, d_carries = _zeros(params), _zeros(inputs), []
        for b in range(len(inputs)):
            d_carry = row(d[1], b)
            for i in reversed(range(inputs.shape[1])):
                if mask[b, i]:
                    d_here = (d[0][b : b + 1, i : i + 1], d_carry)
                    arguments = (inputs[b : b + 1, i : i + 1], before[b, i], None, None)
                    d_step, d_input, d_carry = self.at_once.pull(params, *arguments, d_here)
                    d_params = plus(d_params, d_step)
                    if d_inputs is not None:
                        d_inputs[b, i] = d_input[0, 0]
                d_carry = _zeros(self.initial) if reset[b, i] else d_carry
            d_carries.append(d_carry)
        return d_params, d_inputs, stack_rows(d_carries)


def partition(tree: Any) -> tuple[Any, Any]:
    """Float leaves with None elsewhere, and the other leaves with None where floats are."""

    def only(floats: bool) -> Any:
        return jax.tree.map(lambda x: x if jnp.issubdtype(jnp.result_type(x), jnp.inexact) == floats else None, tree)

    return only(True), only(False)


def _merge(floats: Any, rest: Any) -> Any:
    return jax.tree.map(lambda x, y: y if x is None else x, floats, rest, is_leaf=lambda x: x is None)


def _zeros(tree: Any) -> Any:
    return jax.tree.map(np.zeros_like, partition(tree)[0])


# NumPy on what has been computed: each of JAX's operations would be compiled for each shape.


def plus(one: Any, other: Any) -> Any:
    return jax.tree.map(np.add, one, other)


def row(tree: Any, b: int) -> Any:
    """Row b of every leaf, its batch axis kept."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[b : b + 1], tree)


def with_row(array: Any, at: int, value: float) -> np.ndarray:
    """`array` with all of row `at` this value."""
    changed = np.array(array)
    changed[at] = value
    return changed


def stack_rows(rows: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *rows)


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """What the laws are checked on; `of_model` and `of_layer` make one.

    Attributes:
        name: Shown by pytest.
        params: Parameters, far enough from their initial values that all of them matter.
        run: (params, inputs [b, t, ...], carry | None, mask | None, reset | None) -> (outputs [b, t, ...], carry).
        initial_carry: (batch size) -> carry, every leaf with the batch as its leading axis.
        draw: (generator, b, t) -> inputs.
        rubbish: (generator, b, t) -> inputs that padding may hold: NaN, ids out of range.
        spoil: (inputs, place (b, i), value) -> parameters, inputs without and inputs with the value, NaN or infinity,
            at that place; and [...] bool, True in the elements of an output that it reaches everywhere.
        plain: inputs -> the same without what `spoil` spoils, for a carry that remembers its inputs.
        run_bfloat16: `run` computing in bfloat16, where there is such a thing.
        loss: (params, inputs, targets, carry, mask, reset) -> (tallies, carry), for a language model.
        takes_reset: Whether `run` heeds a reset.
        prepare: params -> weights, and
        step: (weights, inputs [b, ...], carry) -> (outputs [b, ...], carry), where single steps can be made.
    """

    name: str
    params: Any
    run: Run
    initial_carry: Callable[[int], Any]
    draw: Callable[[np.random.Generator, int, int], np.ndarray]
    rubbish: Callable[[np.random.Generator, int, int], np.ndarray]
    spoil: Callable[[np.ndarray, tuple[int, int], float], tuple[Any, np.ndarray, np.ndarray, Any]]
    plain: Callable[[np.ndarray], np.ndarray] = lambda inputs: inputs
    run_bfloat16: Run | None = None
    loss: Run | None = None
    takes_reset: bool = True
    prepare: Callable[[Any], Any] | None = None
    step: Run | None = None

    # Compiled once per subject and shape, whatever the number of cases and laws.

    @functools.cached_property
    def at_once(self) -> AtOnce:
        return AtOnce(self.run)

    @functools.cached_property
    def mapped(self) -> AtOnce:
        """Rematerialised, and over one more axis."""
        return AtOnce(jax.vmap(jax.checkpoint(self.run), in_axes=(None, 0, 0, 0, 0)))

    @functools.cached_property
    def in_bfloat16(self) -> AtOnce:
        assert self.run_bfloat16 is not None
        return AtOnce(self.run_bfloat16)

    @functools.cached_property
    def one_step(self) -> Run:
        assert self.step is not None
        return jax.jit(self.step)

    @functools.cached_property
    def tallies(self) -> Run:
        assert self.loss is not None
        return jax.jit(self.loss)

    @functools.cached_property
    def summed_loss(self) -> AtOnce:
        """(tokens, targets) -> summed loss of the model's own `loss`."""
        loss = self.loss
        assert loss is not None

        def run(params: Any, pair: Any, carry: Any, mask: Any, reset: Any) -> tuple[Any, Any]:
            tallies, carry = loss(params, *pair, carry, mask, reset)
            return tallies["loss"].total, carry

        return AtOnce(run)

    @functools.cached_property
    def cross_entropy(self) -> AtOnce:
        """(tokens, targets) -> summed loss by definition, from the logits."""

        def run(params: Any, pair: Any, carry: Any, mask: Any, reset: Any) -> tuple[Any, Any]:
            logits, carry = self.run(params, pair[0], carry, mask, reset)
            nats = -jnp.take_along_axis(jax.nn.log_softmax(logits), pair[1][..., None], axis=-1)[..., 0]
            return jnp.where(mask, nats, 0.0).sum(), carry

        return AtOnce(run)


def of_model(name: str, model: LanguageModel, *, scale: float = 0.3) -> Subject:
    """A language model: tokens [b, t] in, logits [b, t, v] out."""
    size = model.vocabulary_size

    def run(model: Any, params: Any, tokens: Any, carry: Any, mask: Any, reset: Any) -> tuple[Any, Any]:
        return model.apply({"params": params}, tokens, carry, mask=mask, reset=reset)

    def loss(params: Any, tokens: Any, targets: Any, carry: Any, mask: Any, reset: Any) -> tuple[Any, Any]:
        return model.apply({"params": params}, tokens, targets, carry, mask=mask, reset=reset, method="loss")

    params = perturbed(jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 2), jnp.int32))["params"], scale)
    body: Any = model.body
    narrow = model.clone(body=body.clone(dtype=jnp.bfloat16))

    def plain(tokens: np.ndarray) -> np.ndarray:
        return np.where(tokens == size - 1, 0, tokens)

    def spoil(tokens: np.ndarray, place: tuple[int, int], value: float) -> tuple[Any, np.ndarray, np.ndarray, Any]:
        """The last symbol's row of the embedding, or of the weights that a one-hot vector chooses from."""
        tokens = plain(tokens)
        tokens[place] = size - 1
        holder, leaf = (params, "embedding") if "embedding" in params else (params["layer_0"], "input_kernel")
        spoilt = {**holder, leaf: with_row(holder[leaf], size - 1, value)}
        is_tied = isinstance(model.head, TiedHead)
        whole = spoilt if holder is params else {**params, "layer_0": spoilt}
        return whole, tokens, tokens, (np.arange(size) == size - 1) & is_tied

    return Subject(
        name=name,
        params=params,
        spoil=spoil,
        run=functools.partial(run, model),
        initial_carry=model.initial_carry,
        draw=lambda rng, b, t: rng.integers(0, size, (b, t), dtype=np.int32),
        plain=plain,
        rubbish=lambda rng, b, t: rng.choice(np.array([-1, -(2**31), size, 2**31 - 1], np.int32), (b, t)),
        run_bfloat16=functools.partial(run, narrow),
        loss=loss,
        prepare=model.decoding_weights,
        step=model.decode_step,
    )


def of_layer(
    name: str, layer: Any, *, features: int, initial_carry: Callable[[int], Any], scale: float = 0.3
) -> Subject:
    """A Flax module called as layer(x [b, t, features], carry, mask=, reset=) -> (y [b, t, ...], carry)."""

    def run(layer: Any, params: Any, x: Any, carry: Any, mask: Any, reset: Any) -> tuple[Any, Any]:
        return layer.apply({"params": params}, x, carry, mask=mask, reset=reset)

    initial = jax.jit(layer.init)(jax.random.key(0), jnp.zeros((1, 2, features), jnp.float32), None)
    params = perturbed(initial["params"], scale)

    def spoil(x: np.ndarray, place: tuple[int, int], value: float) -> tuple[Any, np.ndarray, np.ndarray, Any]:
        spoilt = x.copy()
        spoilt[place] = value
        return params, x, spoilt, False

    return Subject(
        name=name,
        params=params,
        spoil=spoil,
        run=functools.partial(run, layer),
        initial_carry=initial_carry,
        draw=lambda rng, b, t: rng.normal(size=(b, t, features)).astype(np.float32),
        rubbish=lambda rng, b, t: rng.choice(np.array([np.nan, np.inf, -np.inf], np.float32), (b, t, features)),
        run_bfloat16=functools.partial(run, layer.clone(dtype=jnp.bfloat16)) if hasattr(layer, "dtype") else None,
        prepare=getattr(layer, "prepare", None),
        step=getattr(layer, "step", None),
    )


def perturbed(params: Any, scale: float) -> Any:
    """Parameters moved away from zeros and ones, so that a bias or a scale left out is noticed."""
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(0)
    moved = [np.asarray(leaf) + scale * rng.normal(size=leaf.shape).astype(np.float32) for leaf in leaves]
    return jax.tree.map(jnp.asarray, tree.unflatten(moved))
