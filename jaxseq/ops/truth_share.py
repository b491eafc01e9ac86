"""How often a model in training reads the truth, and how often what it said itself (Bengio et al. 2015)."""

import math
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Float32, Int

from jaxseq.ops.shapes import Array

Decay = Literal["linear", "exponential", "inverse_sigmoid"]


def truth_share(step: Int[Array, ""] | int, *, decay: Decay, steps: int, least: float = 0.0) -> Float32[Array, ""]:
    """The chance that an input token is the true one, after so many steps of training: near 1 at first, then falling.

    Args:
        decay: "linear" falls by 1 / steps a step; "exponential" is k ** step; "inverse_sigmoid" is
            k / (k + exp(step / k)) (the three of the paper).
        steps: After which it is 0 ("linear") or 1/2 (the others; that is what k follows from).
        least: What it never falls below.
    """
    at = jnp.asarray(step, jnp.float32)
    if decay == "linear":
        share = 1 - at / steps
    elif decay == "exponential":
        share = jnp.exp2(-at / steps)
    else:
        k = _sigmoid_scale(steps)
        share = 1 / (1 + jnp.exp(at / k) / k)
    return jnp.clip(share, least, 1.0)


def _sigmoid_scale(steps: int) -> float:
    """k with k log k = steps, where k / (k + exp(steps / k)) is 1/2; by Newton's method."""
    k = steps + 2.0
    for _ in range(50):
        k -= (k * math.log(k) - steps) / (math.log(k) + 1)
    return k
