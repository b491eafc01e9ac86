"""Recurrent cells as pure functions: one step forward, and the same step backward by hand.

A cell is three functions over arrays and knows nothing of time, masks or resets; `ops.recurrence` runs it over a
sequence. The backward step takes what the forward step saved and returns the gradient of the gate pre-activations,
so that the weights' gradients can be taken for many steps in one matrix product. An `AutodiffCell` is its step forward
alone.

`projected` is the input's contribution to the gates, bias included. Gates stand side by side in the order of `GATES`;
biases are those of the recurrent product. Matrix products take the kernel's type and add up in float32.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float, Float32

from jaxseq.ops.shapes import Array

Part = Float32[Array, "b f"]
State = tuple[Part, ...]
"""A cell's state; the first part is h, which is also its output."""
Gates = Float32[Array, "b g"]
Saved = Float32[Array, "b _"]
"""What a cell hands from one of its functions to the next, as wide as it likes."""


class RecurrentWeights(NamedTuple):
    """What multiplies the state: a kernel and, where the cell has one, a bias."""

    kernel: Float[Array, "f g"]
    bias: Float[Array, " g"] | None = None


@runtime_checkable
class Cell(Protocol):
    """One kind of recurrent cell."""

    GATES: ClassVar[tuple[str, ...]]
    STATE: ClassVar[tuple[str, ...]]

    def forward(self, weights: RecurrentWeights, projected: Gates, state: State, h: Part) -> tuple[State, Saved]:
        """One step from `state`, with `h` (its first part after recurrent dropout) in the recurrent product.

        Returns the next state and what `backward` wants to know of this step.
        """
        ...

    def backward(
        self, weights: RecurrentWeights, saved: Saved, state: State, h: Part, after: State, d_after: State
    ) -> tuple[Saved, State, Part]:
        """The step's gradient from `d_after`, the gradient of its next state `after`.

        Returns the gradient of the gate pre-activations as `weight_gradient` takes it, of `state` by every
        way but the recurrent product, and of `h`.
        """
        ...

    def weight_gradient(
        self, weights: RecurrentWeights, saved: Saved, h: Part, d_gates: Saved
    ) -> tuple[RecurrentWeights, Gates]:
        """For many steps at once, each as a row: the weights' gradient, and that of `projected`."""
        ...


@dataclass(frozen=True)
class AutodiffCell:
    """A cell that is its step forward alone; the gradients are those of `jax.vjp`, which runs the step again."""

    GATES: ClassVar[tuple[str, ...]]
    STATE: ClassVar[tuple[str, ...]]

    def advance(self, weights: RecurrentWeights, projected: Gates, state: State, h: Part) -> State:
        """The next state; arguments as `Cell.forward` has them."""
        raise NotImplementedError

    def forward(self, weights: RecurrentWeights, projected: Gates, state: State, h: Part) -> tuple[State, Saved]:
        return self.advance(weights, projected, state, h), jnp.concatenate([projected, *state], axis=-1)

    def backward(
        self, weights: RecurrentWeights, saved: Saved, state: State, h: Part, after: State, d_after: State
    ) -> tuple[Saved, State, Part]:
        projected = saved[:, : len(self.GATES) * h.shape[-1]]
        _, pullback = jax.vjp(partial(self.advance, weights), projected, state, h)
        d_projected, d_state, d_h = pullback(d_after)
        return jnp.concatenate([d_projected, *d_after], axis=-1), d_state, d_h

    def weight_gradient(
        self, weights: RecurrentWeights, saved: Saved, h: Part, d_gates: Saved
    ) -> tuple[RecurrentWeights, Gates]:
        width = len(self.GATES) * h.shape[-1]
        state = tuple(jnp.split(saved[:, width:], len(self.STATE), axis=-1))
        d_projected, d_after = d_gates[:, :width], tuple(jnp.split(d_gates[:, width:], len(self.STATE), axis=-1))
        _, pullback = jax.vjp(lambda weights: self.advance(weights, saved[:, :width], state, h), weights)
        # What is not finite has been taken out of `saved`; the step's own gradient still knows of it.
        (d_weights,), spoilt = pullback(d_after), 0 * d_projected.sum()
        return jax.tree.map(lambda leaf: leaf.astype(jnp.float32) + spoilt, d_weights), d_projected


def _matmul(a: Array, b: Array) -> Array:
    return jnp.matmul(a.astype(b.dtype), b, preferred_element_type=jnp.float32)


def recurrent_product(weights: RecurrentWeights, h: Float[Array, "*n f"]) -> Float32[Array, "*n g"]:
    """h times the kernel, plus the bias."""
    product = _matmul(h, weights.kernel)
    return product if weights.bias is None else product + weights.bias


def _outer(h: Part, d: Saved, dtype: DTypeLike) -> Array:
    """Sum over rows of h [b, f] (x) d [b, g], in `dtype` with float32 sums."""
    return jax.lax.dot_general(
        h.astype(dtype), d.astype(dtype), (((0,), (0,)), ((), ())), preferred_element_type=jnp.float32
    )


def _weights_gradient(weights: RecurrentWeights, h: Array, d: Array) -> RecurrentWeights:
    bias = None if weights.bias is None else d.sum(0)
    return RecurrentWeights(_outer(h, d, weights.kernel.dtype), bias)


@dataclass(frozen=True)
class LSTMCell:
    """Long short-term memory without peepholes (Gers et al. 2000), as in PyTorch and Keras.

    i, f, o = sigmoid, g = tanh of projected + h W;  c' = f c + i g;  h' = o tanh(c').
    """

    GATES: ClassVar[tuple[str, ...]] = ("input", "forget", "candidate", "output")
    STATE: ClassVar[tuple[str, ...]] = ("h", "c")

    def forward(self, weights: RecurrentWeights, projected: Gates, state: State, h: Part) -> tuple[State, Saved]:
        return self.combine(projected, recurrent_product(weights, h), state)

    def combine(self, projected: Gates, recurrent: Gates, state: State) -> tuple[State, Saved]:
        """`forward` from the recurrent product."""
        i, f, g, o = jnp.split(projected + recurrent, 4, axis=-1)
        i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
        c = f * state[1] + i * g
        return (o * jnp.tanh(c), c), jnp.concatenate([i, f, g, o], axis=-1)

    def backward(
        self, weights: RecurrentWeights, saved: Saved, state: State, h: Part, after: State, d_after: State
    ) -> tuple[Saved, State, Part]:
        i, f, g, o = jnp.split(saved, 4, axis=-1)
        dh, dc = d_after
        tanh_c = jnp.tanh(after[1])
        dc = dc + dh * o * (1 - tanh_c * tanh_c)
        d_gates = jnp.concatenate(
            [
                dc * g * i * (1 - i),
                dc * state[1] * f * (1 - f),
                dc * i * (1 - g * g),
                dh * tanh_c * o * (1 - o),
            ],
            axis=-1,
        )
        return d_gates, (jnp.zeros_like(dh), dc * f), _matmul(d_gates, weights.kernel.T)

    def weight_gradient(
        self, weights: RecurrentWeights, saved: Saved, h: Part, d_gates: Saved
    ) -> tuple[RecurrentWeights, Gates]:
        return _weights_gradient(weights, h, d_gates), d_gates


@dataclass(frozen=True)
class GRUCell:
    """Gated recurrent unit, the reset gate applied after the recurrent product (PyTorch; Keras `reset_after=True`).

    r, z = sigmoid(projected + h W + b);  n = tanh(projected + r (h W + b));  h' = (1 - z) n + z h.
    """

    GATES: ClassVar[tuple[str, ...]] = ("reset", "update", "candidate")
    STATE: ClassVar[tuple[str, ...]] = ("h",)

    def forward(self, weights: RecurrentWeights, projected: Gates, state: State, h: Part) -> tuple[State, Saved]:
        return self.combine(projected, recurrent_product(weights, h), state)

    def combine(self, projected: Gates, recurrent: Gates, state: State) -> tuple[State, Saved]:
        """`forward` from the recurrent product."""
        xr, xz, xn = jnp.split(projected, 3, axis=-1)
        hr, hz, hn = jnp.split(recurrent, 3, axis=-1)
        r, z = jax.nn.sigmoid(xr + hr), jax.nn.sigmoid(xz + hz)
        n = jnp.tanh(xn + r * hn)
        return (n + z * (state[0] - n),), jnp.concatenate([r, z, n, hn], axis=-1)

    def backward(
        self, weights: RecurrentWeights, saved: Saved, state: State, h: Part, after: State, d_after: State
    ) -> tuple[Saved, State, Part]:
        r, z, n, hn = jnp.split(saved, 4, axis=-1)
        (dh,) = d_after
        dn = dh * (1 - z) * (1 - n * n)
        d_gates = jnp.concatenate([dn * hn * r * (1 - r), dh * (state[0] - n) * z * (1 - z), dn * r, dn], axis=-1)
        width = 3 * dh.shape[-1]
        return d_gates, (dh * z,), _matmul(d_gates[:, :width], weights.kernel.T)

    def weight_gradient(
        self, weights: RecurrentWeights, saved: Saved, h: Part, d_gates: Saved
    ) -> tuple[RecurrentWeights, Gates]:
        features = h.shape[-1]
        d_projected = jnp.concatenate([d_gates[:, : 2 * features], d_gates[:, 3 * features :]], axis=-1)
        return _weights_gradient(weights, h, d_gates[:, : 3 * features]), d_projected


@dataclass(frozen=True)
class GRUResetBeforeCell:
    """Gated recurrent unit as first published (Cho et al. 2014): the reset gate before the recurrent product.

    r, z = sigmoid(projected + h W);  n = tanh(projected + (r h) W);  h' = (1 - z) n + z h.
    Keras `reset_after=False`.
    """

    GATES: ClassVar[tuple[str, ...]] = ("reset", "update", "candidate")
    STATE: ClassVar[tuple[str, ...]] = ("h",)

    def forward(self, weights: RecurrentWeights, projected: Gates, state: State, h: Part) -> tuple[State, Saved]:
        width = 2 * h.shape[-1]
        gates = jax.nn.sigmoid(projected[:, :width] + _matmul(h, weights.kernel[:, :width]))
        r, z = jnp.split(gates, 2, axis=-1)
        n = jnp.tanh(projected[:, width:] + _matmul(r * h, weights.kernel[:, width:]))
        return (n + z * (state[0] - n),), jnp.concatenate([r, z, n], axis=-1)

    def backward(
        self, weights: RecurrentWeights, saved: Saved, state: State, h: Part, after: State, d_after: State
    ) -> tuple[Saved, State, Part]:
        r, z, n = jnp.split(saved, 3, axis=-1)
        (dh,) = d_after
        width = 2 * dh.shape[-1]
        dn = dh * (1 - z) * (1 - n * n)
        d_reset_h = _matmul(dn, weights.kernel[:, width:].T)
        d_rz = jnp.concatenate([d_reset_h * h * r * (1 - r), dh * (state[0] - n) * z * (1 - z)], axis=-1)
        d_h = d_reset_h * r + _matmul(d_rz, weights.kernel[:, :width].T)
        return jnp.concatenate([d_rz, dn], axis=-1), (dh * z,), d_h

    def weight_gradient(
        self, weights: RecurrentWeights, saved: Saved, h: Part, d_gates: Saved
    ) -> tuple[RecurrentWeights, Gates]:
        features = h.shape[-1]
        dtype = weights.kernel.dtype
        gates = _outer(h, d_gates[:, : 2 * features], dtype)
        candidate = _outer(saved[:, :features] * h, d_gates[:, 2 * features :], dtype)
        return RecurrentWeights(jnp.concatenate([gates, candidate], axis=-1)), d_gates


@dataclass(frozen=True)
class SimpleCell:
    """The simple recurrent network (Elman 1990): h' = tanh(projected + h W)."""

    GATES: ClassVar[tuple[str, ...]] = ("hidden",)
    STATE: ClassVar[tuple[str, ...]] = ("h",)

    def forward(self, weights: RecurrentWeights, projected: Gates, state: State, h: Part) -> tuple[State, Saved]:
        new = jnp.tanh(projected + recurrent_product(weights, h))
        return (new,), new[:, :0]

    def backward(
        self, weights: RecurrentWeights, saved: Saved, state: State, h: Part, after: State, d_after: State
    ) -> tuple[Saved, State, Part]:
        d_gates = d_after[0] * (1 - after[0] * after[0])
        return d_gates, (jnp.zeros_like(d_gates),), _matmul(d_gates, weights.kernel.T)

    def weight_gradient(
        self, weights: RecurrentWeights, saved: Saved, h: Part, d_gates: Saved
    ) -> tuple[RecurrentWeights, Gates]:
        return _weights_gradient(weights, h, d_gates), d_gates
