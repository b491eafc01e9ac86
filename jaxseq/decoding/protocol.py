"""What decoding asks of a model. It knows no more of models than this, and imports none."""

from collections.abc import Callable
from typing import Any, Protocol

from jax import Array

StepFn = Callable[[Array, Any], tuple[Array, Any]]
"""(tokens [b] int32, carry) -> (logits [b, v], carry): one token read by every row."""


class AutoregressiveModel(Protocol):
    """A model that `generate`, `stream` and `next_tokens` can use.

    It is a static argument of compiled functions, so it must be hashable and equal to every model that computes the
    same: a frozen dataclass, a Linen module for one, is. Parameters, weights and carry are traced arguments. Hence
    other parameters, another key or another call never compile anew; another model or batch size does, once.
    """

    def initial_carry(self, batch_size: int) -> Any:
        """The carry before the first token: a pytree of arrays, leading axis batch."""
        ...

    def apply(self, variables: dict[str, Any], tokens: Array, carry: Any, *, mask: Array) -> tuple[Array, Any]:
        """Logits [b, t, v] of the token after each of tokens [b, t], and the carry; `variables` is {"params": params}.

        Where mask [b, t] is False a token is passed over as if it were not there.
        """
        ...

    def decoding_weights(self, params: Any) -> Any:
        """`params` as `decode_step` wants them: what is the same for every step is computed here, once."""
        ...

    def decode_step(self, weights: Any, tokens: Array, carry: Any) -> tuple[Array, Any]:
        """The model's fastest step: logits [b, v] of the token after tokens [b], and the carry, shaped as given.

        A pure function of its arguments. In a Linen module it and `decoding_weights` are marked `flax.linen.nowrap`.
        """
        ...
