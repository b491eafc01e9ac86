"""Heads: from a body's features to what a task asks for, and the loss of that.

Products take the type of the features; logits and losses are float32. Features that are not finite spoil no logits but
their own, and no gradient unless they count.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Bool, Float, Float32, Int

from jaxseq.nn.layers import WEIGHT_SCALE, Bias, Dense
from jaxseq.ops.dropout import dropout
from jaxseq.ops.finite import product
from jaxseq.ops.losses import Tally, linear_cross_entropy
from jaxseq.ops.shapes import Array


class HeadWeights(NamedTuple):
    """What a vocabulary head multiplies with and adds."""

    kernel: Float[Array, "d v"]
    bias: Float[Array, " v"] | None


class VocabularyHead(nn.Module):
    """The linear layer to the vocabulary; parameters kernel [d, v] and bias [v]."""

    vocabulary_size: int

    BESIDE_BODY: ClassVar[bool] = False
    """Whether its parameters lie among those of the body, not below a name of their own."""
    TRANSPOSED: ClassVar[bool] = False
    """Whether `loss_weights` has a kernel [v, d]."""

    @nn.compact
    def weights(self, features: int) -> HeadWeights:
        """The weights for features [..., features]."""
        shape = (features, self.vocabulary_size)
        return HeadWeights(
            self.param("kernel", nn.initializers.glorot_uniform(), shape, jnp.float32),
            self.param("bias", nn.initializers.zeros, shape[1:], jnp.float32),
        )

    @nn.nowrap
    def weights_in(self, params: Mapping[str, Any]) -> HeadWeights:
        """The same, from the head's parameters; with `BESIDE_BODY` from all of the model's."""
        return HeadWeights(params["kernel"], params["bias"])

    def __call__(self, x: Float[Array, "*n d"]) -> Float32[Array, "*n {self.vocabulary_size}"]:
        """Logits of features x."""
        kernel, bias = self.weights(x.shape[-1])
        logits = product(x, kernel, dtype=x.dtype)
        return logits if bias is None else logits + bias

    def loss_weights(self, features: int) -> HeadWeights:
        """The weights as losses take them; with `TRANSPOSED` the kernel is [v, d]."""
        return self.weights(features)

    def cross_entropy(
        self,
        x: Float[Array, "n d"],
        targets: Int[Array, " n"],
        mask: Bool[Array, " n"] | None = None,
        *,
        train: bool = False,
    ) -> tuple[Tally, Tally]:
        """Loss and hits of targets for features x, without the logits of all of them in memory.

        With `train` a head may take a loss that only training is for; such a head draws from the stream "samples".
        """
        kernel, bias = self.loss_weights(x.shape[-1])
        return linear_cross_entropy(x, kernel, bias, targets, mask, transposed=self.TRANSPOSED)

    @nn.nowrap
    def prepare(self, params: Mapping[str, Any]) -> HeadWeights:
        """`params` (see `weights_in`) as `step` wants them: with columns of zeros up to a multiple of 8, for which a
        product with one row takes a quarter less time on a CPU."""
        kernel, bias = self.weights_in(params)
        return HeadWeights(jnp.pad(kernel, ((0, 0), (0, -self.vocabulary_size % 8))), bias)

    @nn.nowrap
    def step(self, weights: HeadWeights, x: Float[Array, "b d"]) -> Float32[Array, "b {self.vocabulary_size}"]:
        """Logits of features x."""
        product = jnp.matmul(x, weights.kernel.astype(x.dtype), preferred_element_type=jnp.float32)
        logits = product[:, : self.vocabulary_size]
        return logits if weights.bias is None else logits + weights.bias


class BareHead(VocabularyHead):
    """A vocabulary head as GPT-2's, without a bias: one parameter head_kernel [d, v] among those of the body."""

    BESIDE_BODY: ClassVar[bool] = True

    @nn.compact
    def weights(self, features: int) -> HeadWeights:
        """The weights for features [..., features]."""
        shape = (features, self.vocabulary_size)
        return HeadWeights(self.param("head_kernel", nn.initializers.normal(WEIGHT_SCALE), shape, jnp.float32), None)

    @nn.nowrap
    def weights_in(self, params: Mapping[str, Any]) -> HeadWeights:
        """The same, from the model's parameters."""
        return HeadWeights(params["head_kernel"], None)


class TiedHead(VocabularyHead):
    """The body's parameter embedding [v, d] as the vocabulary head, without a bias (Press and Wolf 2017)."""

    BESIDE_BODY: ClassVar[bool] = True
    TRANSPOSED: ClassVar[bool] = True

    def weights(self, features: int) -> HeadWeights:
        """The weights for features [..., features], which are as wide as the embedding."""
        return self.weights_in({"embedding": self.get_variable("params", "embedding")})

    @nn.nowrap
    def weights_in(self, params: Mapping[str, Any]) -> HeadWeights:
        """The same, from the model's parameters."""
        return HeadWeights(params["embedding"].T, None)

    def loss_weights(self, features: int) -> HeadWeights:
        """The embedding as it is: of a large one there is no transposed copy."""
        return HeadWeights(self.get_variable("params", "embedding"), None)


class ClassificationHead(nn.Module):
    """Logits of classes from features that a body's were pooled to.

    Two classes have one logit to learn, that of the second; that of the first is 0. Parameters: output.kernel and
    output.bias, with a hidden layer hidden.kernel and hidden.bias.

    Attributes:
        classes: How many there are.
        hidden: Width of a layer with ReLU before the logits; 0 for none.
        dropout: Rate of dropout on what goes in.
        linear: Without it the features, or those of the hidden layer, are the logits but for their bias: they must be
            `to_learn` wide.
    """

    classes: int
    hidden: int = 0
    dropout: float = 0.0
    linear: bool = True

    @property
    def to_learn(self) -> int:
        """How many logits are not 0 by definition."""
        return 1 if self.classes == 2 else self.classes

    @nn.compact
    def __call__(self, x: Float[Array, "b d"], *, train: bool = False) -> Float32[Array, "b {self.classes}"]:
        """Logits of features x.

        Raises:
            ValueError: there is no linear layer, and what goes in is not as wide as the logits.
        """
        if train and self.dropout > 0:
            x = dropout(x, self.dropout, self.make_rng("dropout"))
        if self.hidden:
            x = nn.relu(Dense(self.hidden, name="hidden")(x)).astype(x.dtype)
        if not self.linear and x.shape[-1] != self.to_learn:
            raise ValueError(
                f"{x.shape[-1]} features are no logits: {self.classes} classes have {self.to_learn} to learn"
            )
        logits = Dense(self.to_learn, name="output")(x) if self.linear else Bias(name="output")(x)
        return jnp.pad(logits, ((0, 0), (1, 0))) if self.classes == 2 else logits
