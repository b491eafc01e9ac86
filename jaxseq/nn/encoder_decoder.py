"""An encoder, a decoder and a vocabulary head make a model that goes on from a source of tokens."""

from typing import Any, ClassVar, Protocol

import jax.numpy as jnp
from jaxtyping import Bool, Float

from jaxseq.nn.target_model import TargetModel
from jaxseq.ops.lookup import Lookup
from jaxseq.ops.shapes import Array


class SourceEncoder(Protocol):
    """A Linen module that reads sources whole."""

    def __call__(
        self, tokens: Lookup, *, mask: Bool[Array, "b s"] | None = None, train: bool = False, guard: bool = True
    ) -> tuple[Float[Array, "b s d"], Any]:
        """Features, zero where masked, and where reading ended, for the decoder to begin with.

        `guard` as `nn.sequence.SequenceLayer` has it.
        """
        ...


class EncoderDecoder(TargetModel):
    """Logits of the next token of a target, given its source, both being token ids.

    Sources are [b, s] int32, and whatever they are where their mask is False. Parameters: as `TargetModel`, and unless
    the vocabulary is joint source_embedding [source_vocabulary, embedding] of source tokens.

    Attributes:
        encoder: Reads embedded source tokens, a `SourceEncoder`.
        source_vocabulary: Tokens that sources have; 0 for a joint vocabulary, one embedding for both.
    """

    source_vocabulary: int = 0

    TABLES: ClassVar[tuple[str, ...]] = ("embedding", "source_embedding")

    def setup(self) -> None:
        super().setup()
        self.source_table = self.table
        if self.source_vocabulary:
            shape = (self.source_vocabulary, self.embedding)
            self.source_table = self.param("source_embedding", self.initial, shape, jnp.float32)

    def _encode(self, source: Array, mask: Array | None, *, train: bool, guard: bool) -> tuple[Array, Any]:
        ids = source if mask is None else jnp.where(mask, source, 0)
        tokens = Lookup(ids, self.source_table, self.embedding)
        return self.encoder(tokens, mask=mask, train=train, guard=guard)
