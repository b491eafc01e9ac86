"""What every model has that writes a target about a source, whatever sources are: a decoder, a head, a loss, steps."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Float32, Int, Shaped

from jaxseq.decoding.protocol import Conditioned
from jaxseq.nn.embedding import small_uniform
from jaxseq.nn.heads import VocabularyHead
from jaxseq.nn.language_model import DecodingWeights
from jaxseq.ops.lookup import Lookup
from jaxseq.ops.losses import Tally
from jaxseq.ops.shapes import Array


class TargetDecoder(Protocol):
    """A Linen module that reads targets and looks at sources."""

    TIME_FIRST: ClassVar[bool]
    """Whether features lie in memory time first, so that it costs nothing to read them in that order."""

    @property
    def dtype(self) -> DTypeLike:
        """The compute type: that of activations and of matrix products."""
        ...

    def remember(
        self, source: Float[Array, "b s d"], end: Any, *, mask: Bool[Array, "b s"] | None = None, guard: bool = True
    ) -> tuple[Any, Any]:
        """What all targets of a source look at, leading axis b; and the state before their first token.

        source, end: what the encoder gives.
        """
        ...

    def __call__(
        self,
        tokens: Lookup,
        memory: Any,
        state: Any = None,
        *,
        mask: Bool[Array, "n t"] | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> Float[Array, "n t d"]:
        """Features of n whole targets, zero where masked, from the state that `remember` gives.

        Each of the memory's b rows is for n / b targets, side by side.
        """
        ...

    def step(self, tokens: Lookup, memory: Any, state: Any) -> tuple[Float[Array, "n 1 d"], Any]:
        """The same of one token for every row, all of them as far in their texts, and the state after it, leading axis
        n but for its `decoding.protocol.Kept` parts. The state before is that of `remember` or of the last step."""
        ...

    def with_room(self, length: int) -> Any:
        """The same decoder for targets of at most `length` tokens, whose steps may take less time. Marked
        `flax.linen.nowrap`."""
        ...

    def attention_in(self, sown: Mapping[str, Any]) -> Float[Array, "b t s"] | None:
        """What each token looked at, of what this module leaves in "intermediates", which is all below its name there;
        None for a decoder that looks at nothing. Marked `flax.linen.nowrap`, and pure."""
        ...


class TargetModel(nn.Module):
    """Logits of the next token of a target, given its source; what derives from it says how sources are read.

    Parameters: embedding [v, embedding] of target tokens, and those below encoder, decoder and, unless the head puts
    them beside the embedding, head.

    Attributes:
        encoder: Reads sources.
        decoder: Reads embedded target tokens and looks at what the encoder gives.
        head: From features to the target's vocabulary; `TiedHead` takes the embedding.
        embedding: Width of embedded tokens.
        start_token: What a target begins with, unless said otherwise.
        initial: What embeddings start as.
    """

    encoder: Any
    decoder: Any
    head: VocabularyHead
    embedding: int
    start_token: int
    initial: nn.initializers.Initializer = small_uniform

    TABLES: ClassVar[tuple[str, ...]] = ("embedding",)
    """Names of the parameters that are the model's own."""

    @property
    def vocabulary_size(self) -> int:
        """Tokens that have a logit."""
        return self.head.vocabulary_size

    @property
    def dtype(self) -> jnp.dtype:
        """The type of activations and of matrix products."""
        return jnp.dtype(self.decoder.dtype)

    def setup(self) -> None:
        self.table = self.param("embedding", self.initial, (self.vocabulary_size, self.embedding), jnp.float32)
        if self.head.BESIDE_BODY:
            nn.share_scope(self, self.head)

    def _encode(self, source: Array, mask: Array | None, *, train: bool, guard: bool) -> tuple[Array, Any]:
        """Features [b, s, d] of sources, zero where masked, and what the decoder begins with. For what derives from
        this to say."""
        raise NotImplementedError

    def __call__(
        self,
        source: Shaped[Array, "b ..."],
        inputs: Int[Array, "b t"],
        *,
        source_mask: Bool[Array, "b s"] | None = None,
        mask: Bool[Array, "b t"] | None = None,
        train: bool = False,
    ) -> Float32[Array, "b t {self.vocabulary_size}"]:
        """Logits of the token after each of inputs, zero where masked.

        Args:
            source: Whatever it is where `source_mask` is False.
            inputs: Ids, the first of which begins a target; whatever they are where `mask` is False.
            train: Whether dropout acts, by the stream "dropout".
        """
        memory, state = self._remember(source, source_mask, train, guard=True)
        features = self.decoder(self._target(inputs, mask), memory, state, mask=mask, train=train)
        logits = self.head(features)
        return logits if mask is None else jnp.where(mask[:, :, None], logits, 0)

    def loss(
        self,
        source: Shaped[Array, "b ..."],
        inputs: Int[Array, "b t"],
        targets: Int[Array, "b t"],
        *,
        source_mask: Bool[Array, "b s"] | None = None,
        mask: Bool[Array, "b t"] | None = None,
        train: bool = False,
    ) -> dict[str, Tally]:
        """Cross-entropy in nats ("loss") and hits ("accuracy") of targets, each that after the input at its place.

        The same as from the logits, without ever holding those of the whole batch; in training what the head takes in
        their place.
        """
        # What is not finite makes the sum of all losses so, whichever it reaches, and padding is finite.
        memory, state = self._remember(source, source_mask, train, guard=False)
        features = self.decoder(self._target(inputs, mask), memory, state, mask=mask, train=train, guard=False)
        flat_mask = None if mask is None else self._flat(mask)
        loss, hits = self.head.cross_entropy(self._flat(features), self._flat(targets), flat_mask, train=train)
        return {"loss": loss, "accuracy": hits}

    def _remember(self, source: Array, mask: Array | None, train: bool, *, guard: bool) -> tuple[Any, Any]:
        """The decoder's memory of sources, and its state before their targets."""
        features, end = self._encode(source, mask, train=train, guard=guard)
        return self.decoder.remember(features, end, mask=mask, guard=guard)

    def _target(self, tokens: Array, mask: Array | None) -> Lookup:
        return Lookup(tokens if mask is None else jnp.where(mask, tokens, 0), self.table, self.embedding)

    @nn.nowrap
    def _flat(self, x: Array) -> Array:
        """x [b, t, ...] as [b * t, ...], in the order that features lie in memory."""
        x = jnp.swapaxes(x, 0, 1) if self.decoder.TIME_FIRST else x
        return x.reshape(-1, *x.shape[2:])

    @nn.nowrap
    def attention_in(self, intermediates: Mapping[str, Any]) -> Float[Array, "b t s"] | None:
        """What each target token looked at, in the last layer, the mean of its heads; None for a decoder that looks at
        nothing.

        intermediates: that collection, of `apply(..., mutable=["intermediates"])`.
        """
        return self.decoder.attention_in(intermediates.get("decoder", {}))

    @nn.nowrap
    def with_room(self, length: int) -> "TargetModel":
        """The same model for targets of at most `length` tokens, which may decode faster."""
        return self.clone(decoder=self.decoder.with_room(length))

    @nn.nowrap
    def start(
        self,
        params: Mapping[str, Any],
        source: Shaped[Array, "b ..."],
        *,
        mask: Bool[Array, "b s"] | None = None,
        begin: Int[Array, " b"] | None = None,
    ) -> tuple[DecodingWeights, Float32[Array, "b {self.vocabulary_size}"], Conditioned]:
        """What decoding begins with: weights for all steps, logits of the first token, and the carry.

        begin: What the target of each source begins with; by default `start_token`.
        """
        weights = self.decoding_weights(params)
        begun: Any = self.apply({"params": params}, source, mask, method="_begin")
        memory, state = begun
        tokens = jnp.full(source.shape[0], self.start_token, jnp.int32) if begin is None else begin
        logits, carry = self.decode_step(weights, tokens, Conditioned(memory, state, None))
        return weights, logits, carry

    @nn.nowrap
    def decode_step(
        self, weights: DecodingWeights, tokens: Int[Array, " n"], carry: Conditioned
    ) -> tuple[Float32[Array, "n {self.vocabulary_size}"], Conditioned]:
        """Logits of the token after each row's, and the carry; the k = n / b rows of a source lie side by side."""
        result: Any = self.apply(
            {"params": weights.body}, tokens, carry.memory, carry.state, method="_advance", mutable=["intermediates"]
        )
        (features, state), sown = result
        attention = self.attention_in(sown.get("intermediates", {}))
        attention = None if attention is None else attention.reshape(tokens.shape[0], -1)
        return self.head.step(weights.head, features), Conditioned(carry.memory, state, attention)

    def _begin(self, source: Array, mask: Array | None) -> tuple[Any, Any]:
        return self._remember(source, mask, False, guard=True)

    def _advance(self, tokens: Array, memory: Any, state: Any) -> tuple[Array, Any]:
        features, state = self.decoder.step(self._target(tokens[:, None], None), memory, state)
        return features[:, 0], state

    @nn.nowrap
    def decoding_weights(self, params: Mapping[str, Any]) -> DecodingWeights:
        """The parameters as `decode_step` wants them, made once before many steps."""

        def narrowed(path: Any, leaf: Array) -> Array:  # the rest is float32 in the products too
            return jnp.asarray(leaf, self.dtype if path[-1].key == "kernel" else jnp.float32)

        own = {name: part for name, part in params.items() if name in (*self.TABLES, "decoder")}
        head = params if self.head.BESIDE_BODY else params["head"]
        return DecodingWeights(jax.tree_util.tree_map_with_path(narrowed, own), self.head.prepare(head))
