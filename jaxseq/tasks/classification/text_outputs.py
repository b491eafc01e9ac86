"""What a classifier makes of texts, logits, probabilities or vectors, however they are put in batches."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxseq.config import LabelledConfig
from jaxseq.data.examples import ExampleLoader, Sequences
from jaxseq.models import TransformerEncoder
from jaxseq.nn.classifier import Classifier
from jaxseq.sharding import REPLICATED, SHARDED, DataParallel
from jaxseq.signals import Poll, never
from jaxseq.tasks.labelled_texts import by_own_length, encode, example_loader, longest
from jaxseq.tasks.task import Variables
from jaxseq.text.delimiting import AnyTokenizer

ROWS = 256
"""Texts of a batch that is not trained on, at the most."""
_TOKENS = 1024
"""Tokens of a Transformer's batch on a core: with more, what its layers hold leaves the caches. By fours a text of 256
tokens takes 6 blocks of 384 about 0.6 of the time that it takes by 256."""
_AT_ONCE = 4096
"""Texts that are answered before the next ones are read."""
_FEWEST_ROWS = 4
"""Rows that a device is worth taking for."""

Gives = Literal["probabilities", "logits", "vectors"]


def rows_for(model: Classifier, data: LabelledConfig) -> int:
    """Texts of a batch that is not trained on.

    A step of a recurrent network is for all rows at once, so there are many. A Transformer on a CPU has enough to
    multiply in few, and what its layers make of these stays in the caches.
    """
    if not isinstance(model.body, TransformerEncoder) or jax.default_backend() != "cpu":
        return ROWS
    return min(ROWS, jax.local_device_count() * max(_FEWEST_ROWS, _TOKENS // longest(data)))


@dataclass(frozen=True)
class TextOutputs:
    """What `model` gives sequences, padded as `data` says; rows of a batch are shared among JAX's devices."""

    model: Classifier
    data: LabelledConfig
    width: int
    """Classes, or numbers in a vector."""
    masked: bool
    """Whether the model is told of padding."""
    gives: Gives = "probabilities"
    """Of the classes, or "vectors": what the head sees of a text."""

    @property
    def rows(self) -> int:
        """Texts of a batch."""
        return rows_for(self.model, self.data)

    def __call__(
        self,
        variables: Variables,
        tokens: Sequences,
        *,
        rows: int | None = None,
        lengths: Sequence[int] | None = None,
        poll: Poll = never,
    ) -> np.ndarray:
        """For each of n sequences, [n, c] float32 of the classes or vectors [n, d], in their order.

        Args:
            rows: of a batch; by default as `rows_for` has it.
            lengths: those that batches can have; by default those with the least padding.
            poll: called before each batch.
        """
        found = self._none(tokens)
        if len(found):
            rows = rows or self.rows
            loader = example_loader(self.data, tokens, np.zeros(len(found), np.int32), rows=rows, lengths=lengths)
            self._fill(found, variables, loader, poll)
        return found

    def each_alone(self, variables: Variables, tokens: Sequences, *, poll: Poll = never) -> np.ndarray:
        """The same, with a padding that follows from each sequence alone: to the last bit, others change nothing (the
        number of devices may)."""
        found = self._none(tokens)
        for which, some, length in by_own_length(self.data, tokens):
            found[which] = self(variables, some, lengths=(length,), poll=poll)
        return found

    def of_texts(
        self, tokenizer: AnyTokenizer, variables: Variables, texts: Iterable[str], *, poll: Poll = never
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Every text and what `each_alone` gives for it, in order; texts are read some thousands at a time."""
        remaining = iter(texts)
        while chunk := list(islice(remaining, _AT_ONCE)):
            tokens, _ = encode(self.data, tokenizer, chunk)
            yield from zip(chunk, self.each_alone(variables, tokens, poll=poll), strict=True)

    def _none(self, tokens: Sequences) -> np.ndarray:
        return np.zeros((len(tokens.lengths), self.width), np.float32)

    def _fill(self, found: np.ndarray, variables: Variables, loader: ExampleLoader, poll: Poll) -> None:
        parallel = DataParallel.sharing(loader.batch_size, fewest=_FEWEST_ROWS)
        variables, waiting = parallel.put(variables), None
        for step in range(loader.steps_per_epoch):
            poll()
            batch, which = loader(step), loader.rows(step)
            inputs, mask = parallel.put((batch.inputs, batch.mask), SHARDED)
            how = {"masked": self.masked, "gives": self.gives, "parallel": parallel}
            made = _outputs(self.model, variables, inputs, mask, **how)
            if waiting is not None:  # one batch behind, so that the devices never wait for the host
                _put_down(found, *waiting)
            waiting = which, made
        if waiting is not None:
            _put_down(found, *waiting)


def pooled_width(model: Classifier) -> int:
    """Numbers that the head of a classifier sees of a text."""

    def pooled() -> Any:
        tokens = jnp.zeros((1, 1), jnp.int32)
        return model.init_with_output(jax.random.key(0), tokens, method="pooled")[0]

    return jax.eval_shape(pooled).shape[-1]


@partial(jax.jit, static_argnums=0, static_argnames=("masked", "gives", "parallel"))
def _outputs(
    model: Classifier,
    variables: Variables,
    tokens: Array,
    mask: Array,
    *,
    masked: bool,
    gives: Gives,
    parallel: DataParallel,
) -> Array:
    def apply(variables: Variables, tokens: Array, mask: Array) -> Array:
        given = mask if masked else None
        if gives == "vectors":
            pooled: Any = model.apply(variables, tokens, mask=given, method="pooled")
            return pooled.astype(jnp.float32)
        logits: Any = model.apply(variables, tokens, mask=given)
        return logits if gives == "logits" else jax.nn.softmax(logits)

    specs = (REPLICATED, SHARDED, SHARDED)
    return parallel.shard(apply, in_specs=specs, out_specs=SHARDED)(variables, tokens, mask)


def _put_down(found: np.ndarray, which: np.ndarray, made: Array) -> None:
    found[which] = np.asarray(made)[: len(which)]
