"""Vectors of texts: the mean of what an encoder makes of their tokens."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from jaxseq.nn.masked_language_model import MaskedLanguageModel
from jaxseq.ops.pooling import summed
from jaxseq.signals import Poll, never
from jaxseq.tasks.pretraining.asked_texts import AT_ONCE, AskedText, batches_of_own_shape, delimited, one_behind
from jaxseq.tasks.task import Variables
from jaxseq.text.masked_tokenizer import MaskedTokenizer


@dataclass(frozen=True)
class TextEmbedding:
    """Gives texts vectors; `length` is how many tokens of a text the model reads, with [CLS] and [SEP]."""

    model: MaskedLanguageModel
    tokenizer: MaskedTokenizer
    length: int

    def __call__(
        self, variables: Variables, texts: Iterable[str], *, poll: Poll = never
    ) -> Iterator[NDArray[np.float32]]:
        """The vector [d] of each text, in order: the mean of the features of its tokens, [CLS] and [SEP] included, as
        sentence-transformers takes it; so an empty text has one, too.

        A longer text than the model reads is read in parts, and the mean is that over all of them. Other texts change
        nothing, to the last bit.
        """
        remaining = iter(texts)
        while chunk := list(islice(remaining, AT_ONCE)):
            parts = [self._parts(text) for text in chunk]
            sums = iter(self._sums(variables, [part for each in parts for part in each], poll))
            for each in parts:
                total = np.sum([next(sums) for _ in each], axis=0)
                yield (total / sum(len(part.tokens) for part in each)).astype(np.float32)

    def _parts(self, text: str) -> list[AskedText]:
        ids, room = self.tokenizer.encode(text), self.length - 2
        return [delimited(self.tokenizer, ids[at : at + room]) for at in range(0, max(1, len(ids)), room)]

    def _sums(self, variables: Variables, parts: Sequence[AskedText], poll: Poll) -> NDArray[np.float64]:
        """[n, d] over the tokens of each."""
        found = np.zeros((len(parts), self.model.body.features))
        for which, made in one_behind(self._batches(variables, parts, poll)):
            found[which] = np.asarray(made)[: len(which)]
        return found

    def _batches(
        self, variables: Variables, parts: Sequence[AskedText], poll: Poll
    ) -> Iterator[tuple[list[int], Array]]:
        for batch in batches_of_own_shape(parts, longest=self.length):
            poll()
            yield batch.which, _summed_features(self.model, variables, batch.tokens, batch.mask)


@partial(jax.jit, static_argnums=0)
def _summed_features(model: MaskedLanguageModel, variables: Variables, tokens: Array, mask: Array) -> Array:
    features: Any = model.apply(variables, tokens, mask=mask, method="features")
    return summed(features.astype(jnp.float32), mask)
