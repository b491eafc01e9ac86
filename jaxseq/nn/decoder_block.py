"""The Transformer block that looks at a source too."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Int

from jaxseq.decoding.protocol import Kept
from jaxseq.nn.layers import LayerNorm
from jaxseq.nn.multi_head import MultiHeadAttention
from jaxseq.nn.transformer import ResidualBlock
from jaxseq.ops.ring_cache import KeyValues, Placement
from jaxseq.ops.shapes import Array
from jaxseq.ops.token_past import Past, Step, empty_past


class StepState(NamedTuple):
    """What earlier tokens left behind in a stack of blocks, between steps of one token for every row."""

    past: Kept
    """A `Past` of each block."""
    places: Int[Array, "n c"]
    """See `ops.token_past.Step`."""
    position: Int[Array, " n"]
    """Tokens read, as many in all rows."""

    @classmethod
    def first(cls, rows: int, *, blocks: int, slots: int, heads: int, width: int, dtype: DTypeLike) -> "StepState":
        """Before the first token."""
        pasts = tuple(empty_past(rows, heads=heads, slots=slots, width=width, dtype=dtype) for _ in range(blocks))
        return cls(Kept(pasts), jnp.full((rows, slots), -1, jnp.int32), jnp.zeros(rows, jnp.int32))

    def after(self, step: Step, pasts: Sequence[Past]) -> "StepState":
        """After that step, which has left `pasts` behind."""
        return StepState(Kept(tuple(pasts)), step.places, self.position + 1)


class DecoderBlock(ResidualBlock):
    """Self-attention, attention to a source, then the feed-forward layer.

    Attributes:
        features: Width of the residual stream.
    """

    features: int = 128

    def setup(self) -> None:
        super().setup()
        self.cross_attention = MultiHeadAttention(
            self.features,
            self.heads,
            bias=self.bias,
            dropout=self._attention_rate,
            initial_scale=self.input_scale,
            dtype=self.dtype,
        )
        self.cross_attention_norm = LayerNorm(self.bias, self.epsilon)

    def project(self, source: Float[Array, "b s d"], *, guard: bool = True) -> KeyValues:
        """Keys and values of a source, the same for all its targets."""
        return self.cross_attention.project(source, guard=guard)

    def __call__(
        self,
        x: Float[Array, "n t d"],
        placement: Placement | Step,
        seen: KeyValues,
        ring: KeyValues | Past | None = None,
        *,
        visible: Bool[Array, "b 1 s"] | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> tuple[Float[Array, "n t d"], Any]:
        """The residual stream after this block, and the ring of its self-attention.

        Args:
            placement, ring: As `SelfAttention` has them.
            seen: Of `project`; each of its b rows is for n / b rows of x, side by side.
            visible: True at what is no padding of the source.
        """
        x, ring = self.attend_to_self(x, placement, ring, train=train, guard=guard)
        query = self._before(self.cross_attention_norm, x)
        branch = self.cross_attention.gather(query, seen, visible=visible, train=train, guard=guard)
        x = self._after(self.cross_attention_norm, x, branch, train)
        return self.transform(x, train=train, guard=guard), ring
