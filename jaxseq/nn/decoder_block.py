"""The Transformer block that looks at a source too."""

from jaxtyping import Bool, Float

from jaxseq.nn.layers import LayerNorm
from jaxseq.nn.multi_head import MultiHeadAttention
from jaxseq.nn.transformer import ResidualBlock
from jaxseq.ops.ring_cache import KeyValues, Placement
from jaxseq.ops.shapes import Array


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
            dropout=self.dropout,
            initial_scale=self.input_scale,
            dtype=self.dtype,
        )
        self.cross_attention_norm = LayerNorm(self.bias)

    def project(self, source: Float[Array, "b s d"], *, guard: bool = True) -> KeyValues:
        """Keys and values of a source, the same for all its targets."""
        return self.cross_attention.project(source, guard=guard)

    def __call__(
        self,
        x: Float[Array, "n t d"],
        placement: Placement,
        seen: KeyValues,
        ring: KeyValues | None = None,
        *,
        visible: Bool[Array, "b 1 s"] | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> tuple[Float[Array, "n t d"], KeyValues]:
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
