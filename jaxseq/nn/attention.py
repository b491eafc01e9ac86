"""Multi-head self-attention over a ring of keys and values."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float

from jaxseq.nn.layers import WEIGHT_SCALE, Linear
from jaxseq.ops.attention import attend, attention_weights
from jaxseq.ops.dropout import dropout_mask
from jaxseq.ops.finite import finite_rows, poison
from jaxseq.ops.positions import Rotation, rotate
from jaxseq.ops.ring_cache import KeyValues, Placement, look_up
from jaxseq.ops.shapes import Array
from jaxseq.ops.token_past import Past, Step, attend_to_past


class SelfAttention(nn.Module):
    """Multi-head attention of tokens to tokens of their own row, at or before them.

    Its weights [b, h, t, s] are sown as "weights" where somebody asks for "intermediates", but for those of a `Step`.

    Parameters: input.kernel [d, 3 d], queries, keys and values side by side, each of them heads side by side, and
    input.bias [3 d]; output.kernel [d, d] and output.bias [d]. Transposed, these are PyTorch's in_proj_weight and
    out_proj.weight.

    Attributes:
        heads: They share d equally.
        bias: Whether there are biases.
        dropout: Rate of dropout on the attention weights.
        input_scale: Standard deviation of the initial input weights; None as `Linear` has it.
        output_scale: The same of the output weights.
        dtype: Type of products; the softmax is float32.
    """

    heads: int
    bias: bool = True
    dropout: float = 0.0
    input_scale: float | None = WEIGHT_SCALE
    output_scale: float | None = WEIGHT_SCALE
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b t d"],
        placement: Placement | Step,
        ring: KeyValues | Past | None = None,
        *,
        rotation: Rotation | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> tuple[Float[Array, "b t d"], Any]:
        """What the tokens x gather, and the ring after them.

        A token that is not finite, and a slot of the ring that is not, give NaN to the tokens that see them.

        Args:
            placement: Where the tokens stand and what they see; a `Step` goes with a `Past`.
            ring: Keys and values from before; None for an empty ring.
            rotation: Factors of rotary positions for queries and keys.
            train: Whether to drop attention weights.
            guard: Whether what is not finite is kept from the tokens that do not see it; decoding does without.
        """
        rows, length, features = x.shape
        x, sound = finite_rows(x) if guard else (x, None)
        join = Linear(3 * features, bias=self.bias, initial_scale=self.input_scale, dtype=self.dtype, name="input")
        projected = _poisoned(join(x), sound)
        shape = (rows, length, self.heads, features // self.heads)
        query, key, value = (part.reshape(shape) for part in jnp.split(projected, 3, axis=-1))
        if rotation is not None:
            query, key = rotate(query, rotation), rotate(key, rotation)
        if isinstance(placement, Step):
            assert isinstance(ring, Past)
            gathered, ring = attend_to_past(query, key, value, ring, placement)
        else:
            assert not isinstance(ring, Past)
            seen, ring = look_up(ring, KeyValues(key, value), placement)
            sow_weights(self, query, seen.keys, placement.visible)
            factors = None
            if train and self.dropout > 0:
                shape = (rows, self.heads, length, seen.keys.shape[1])
                factors = dropout_mask(self.make_rng("dropout"), self.dropout, shape)
            gathered = attend(query, *seen, visible=placement.visible, factors=factors, guard=guard)
        gathered = gathered.reshape(x.shape)
        gathered, sound = finite_rows(gathered) if guard else (gathered, None)
        output = Linear(features, bias=self.bias, initial_scale=self.output_scale, dtype=self.dtype, name="output")
        return _poisoned(output(gathered), sound), ring


def sow_weights(module: nn.Module, query: Array, key: Array, visible: Array | None) -> None:
    """`leave_weights` of an attention, which are worked out only where somebody asks for them."""
    if module.is_mutable_collection("intermediates"):
        leave_weights(module, attention_weights(query, key, visible=visible))


def leave_weights(module: nn.Module, weights: Float[Array, "b h t s"]) -> None:
    """Leaves attention weights in "intermediates", as "weights", where somebody asks for that collection."""
    module.sow("intermediates", "weights", weights, reduce_fn=lambda _, new: new, init_fn=lambda: weights)


def _poisoned(y: Array, sound: Bool[Array, "b t"] | None) -> Array:
    return y if sound is None else poison(y, sound[..., None])
