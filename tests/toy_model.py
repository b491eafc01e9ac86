"""A recurrent model small enough to be written twice: in JAX for decoding to use, in NumPy for it to be checked by."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True)
class ToyModel:
    """h' = tanh(embedding[token] + h @ recurrent), logits = h' @ head."""

    vocabulary_size: int
    features: int = 8

    def init(self, seed: int) -> dict[str, np.ndarray]:
        draw = np.random.default_rng(seed).normal
        return {
            "embedding": draw(size=(self.vocabulary_size, self.features)).astype(np.float32),
            "recurrent": draw(size=(self.features, self.features), scale=0.5).astype(np.float32),
            "head": draw(size=(self.features, self.vocabulary_size)).astype(np.float32),
        }

    def initial_carry(self, batch_size: int) -> jax.Array:
        return jnp.zeros((batch_size, self.features), jnp.float32)

    def apply(self, variables: dict[str, Any], tokens: Any, carry: Any, *, mask: Any) -> tuple[Any, Any]:
        def step(carry, inputs):
            tokens, mask = inputs
            logits, new = self.decode_step(variables["params"], tokens, carry)
            return jnp.where(mask[:, None], new, carry), logits

        carry, logits = jax.lax.scan(step, carry, (tokens.T, mask.T))
        return jnp.where(mask[..., None], jnp.swapaxes(logits, 0, 1), 0), carry

    def decoding_weights(self, params: Any) -> Any:
        return params

    def decode_step(self, weights: Any, tokens: Any, carry: Any) -> tuple[Any, Any]:
        carry = jnp.tanh(weights["embedding"][tokens] + carry @ weights["recurrent"])
        return carry @ weights["head"], carry


def numpy_logits(params: dict[str, np.ndarray], tokens: list[int]) -> np.ndarray:
    """Logits [v] float64 after `tokens`."""
    params = {name: value.astype(np.float64) for name, value in params.items()}
    state = np.zeros(len(params["recurrent"]))
    for token in tokens:
        state = np.tanh(params["embedding"][token] + state @ params["recurrent"])
    return state @ params["head"]
