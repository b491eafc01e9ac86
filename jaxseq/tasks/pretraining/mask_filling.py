"""What a masked language model puts in place of hidden tokens."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from numpy.typing import NDArray

from jaxseq.nn.masked_language_model import MaskedLanguageModel
from jaxseq.signals import Poll, never
from jaxseq.tasks.capabilities import FilledMask, Prediction
from jaxseq.tasks.pretraining.asked_texts import AT_ONCE, AskedText, batches_of_own_shape, delimited, one_behind
from jaxseq.tasks.task import Variables
from jaxseq.text.masked_tokenizer import MASK, MaskedTokenizer

BEST = 10
"""Tokens that are given for a hidden one."""


class Found(NamedTuple):
    """What a model says of a text."""

    tokens: NDArray[np.int32]
    """[k, n] for each of the tokens that are asked for the n most probable ones, the best first."""
    probabilities: NDArray[np.float32]
    """[k, n] theirs, among all tokens that a text may have."""
    is_next: float | None
    """Of the second text to follow the first; None where the model does not tell."""


@dataclass(frozen=True)
class MaskFilling:
    """Finds hidden tokens; `length` is how many tokens of a text the model reads, with [CLS] and [SEP]."""

    model: MaskedLanguageModel
    tokenizer: MaskedTokenizer
    length: int

    def __call__(self, variables: Variables, texts: Iterable[str], *, poll: Poll = never) -> Iterator[Prediction]:
        """What each [MASK] of each text stands for, in order.

        Of a text that is too long the middle of its hidden tokens and what stands around it is read, if there is room
        for all of them; what is left out is told.
        """
        remaining = iter(texts)
        while chunk := list(islice(remaining, AT_ONCE)):
            read = [self._read(text) for text in chunk]
            asked = [given for given, _ in read if given is not None]
            found = iter(self.find(variables, asked, poll=poll))
            for text, (given, note) in zip(chunk, read, strict=True):
                masks = () if given is None else self.filled(next(found))
                yield Prediction(text, "", {}, self._unknown(text), masks=masks, note=note)

    def find(self, variables: Variables, texts: Sequence[AskedText], *, poll: Poll = never) -> list[Found]:
        """What the model says of each text, whatever stands beside it."""
        made: dict[int, Found] = {}
        for which, (tokens, probabilities, is_next) in one_behind(self._batches(variables, texts, poll)):
            tokens, probabilities = np.asarray(tokens), np.asarray(probabilities)
            for row, number in enumerate(which):
                count = len(texts[number].positions)
                follows = None if is_next is None else float(is_next[row])
                made[number] = Found(tokens[row, :count], probabilities[row, :count], follows)
        return [made[number] for number in range(len(texts))]

    def filled(self, found: Found) -> tuple[FilledMask, ...]:
        """The same with the names of tokens."""
        names = self.tokenizer.vocabulary.symbols
        return tuple(
            FilledMask({names[token]: float(chance) for token, chance in zip(tokens, chances, strict=True)})
            for tokens, chances in zip(found.tokens.tolist(), found.probabilities, strict=True)
        )

    def _batches(
        self, variables: Variables, texts: Sequence[AskedText], poll: Poll
    ) -> Iterator[tuple[list[int], tuple[Array, Array, Array | None]]]:
        specials = np.zeros(self.tokenizer.vocabulary_size, bool)
        specials[list(self.tokenizer.specials)] = True
        best = min(BEST, int((~specials).sum()))
        for batch in batches_of_own_shape(texts, longest=self.length):
            poll()
            which, *given = batch
            yield which, _best_tokens(self.model, variables, *given, specials, best=best)

    def _read(self, text: str) -> tuple[AskedText | None, str]:
        """What of a text the model reads, None for nothing; and what there is to say of it."""
        ids = self.tokenizer.encode_hidden(text)
        masks, room = np.flatnonzero(ids == self.tokenizer.mask), self.length - 2
        if not len(masks):
            return None, f"there is no {MASK} in it"
        span = int(masks[-1] - masks[0]) + 1
        if span > room:
            return None, f"its {MASK} are {span:,} tokens apart and the model reads {room:,}: ask for fewer at a time"
        begin = min(max(0, int(masks[0]) - (room - span) // 2), max(0, len(ids) - room))
        note = f"{room:,} of its {len(ids):,} tokens were read, those around {MASK}" if len(ids) > room else ""
        return delimited(self.tokenizer, ids[begin : begin + room], positions=True), note

    @cached_property
    def _unknown_words(self) -> Any:
        return getattr(self.tokenizer.base, "unknown_words", None)

    def _unknown(self, text: str) -> list[str]:
        return [] if self._unknown_words is None else self._unknown_words(text.replace(MASK, " "))


@partial(jax.jit, static_argnums=0, static_argnames="best")
def _best_tokens(
    model: MaskedLanguageModel,
    variables: Variables,
    tokens: Array,
    segments: Array,
    mask: Array,
    positions: Array,
    specials: Array,
    *,
    best: int,
) -> tuple[Array, Array, Array | None]:
    """The `best` tokens but `specials` [v], their probabilities, [b, k, best] each, and that of the second text to
    follow the first [b]."""
    found: Any = model.apply(variables, tokens, positions, segments=segments if model.pairs else None, mask=mask)
    logits, relation = found
    probabilities = jax.nn.softmax(jnp.where(specials, -jnp.inf, logits))
    chances, ids = lax.top_k(probabilities, best)
    return ids, chances, None if relation is None else jax.nn.sigmoid(relation)
