"""The vectors of texts that were not trained on.

Words keep their vectors, and the text's own is found by gradient descent from a start drawn at random. All that is
drawn follows from a key and the words of the text alone, so that a text has the same vector in any batch, at any time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxseq.config import TextVectorsConfig
from jaxseq.data.examples import Sequences
from jaxseq.data.whole_texts import SHORTEST, WholeTextLoader, WholeTexts
from jaxseq.models.text_vectors import TextTables
from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.ops.word_prediction import common_prediction, shared_prediction
from jaxseq.sharding import REPLICATED, SHARDED, DataParallel
from jaxseq.signals import Poll, never
from jaxseq.tasks.vectors.negative_sampling import Negatives

ROWS = 16
"""Texts of a batch."""
_FEWEST_ROWS = 8
"""Rows that a device is worth taking for."""
_DRAWN = {"dbow": 256, "dm": 32}
"""Words, at the most, that are the negatives of a text in a step, by the algorithm: in PV-DM each meets every word."""
_START, _STEPS = 0, 1
"""Streams of random numbers of a text: where it starts, and from number 1 on one for each step."""
_OCCURRENCES, _REACH, _NEGATIVES = range(3)
"""Streams of a step."""


@dataclass(frozen=True, eq=False)
class TextInference:
    """Finds the vectors of texts.

    Attributes:
        counts: How often each word occurs in the texts that were trained on [v].
        chances: Of each word's occurrences to be kept in a step [v].
    """

    task: TextVectorsConfig
    model: TextTables
    counts: np.ndarray
    chances: np.ndarray

    def __call__(
        self, variables: Mapping[str, Any], texts: Sequences, *, key: Array, rows: int = ROWS, poll: Poll = never
    ) -> np.ndarray:
        """The vectors of n texts [n, d] float32, each a pure function of the variables, its words and the key; zeros
        for texts without a word.

        Args:
            key: what is drawn follows from it.
            poll: called before each batch.
        """
        found = np.zeros((len(texts.lengths), self.model.features), np.float32)
        if not len(found):
            return found
        loader = WholeTextLoader(texts, batch_size=rows)
        parallel = DataParallel.sharing(rows, fewest=_FEWEST_ROWS)
        run, waiting = self._compiled(parallel), None
        variables, key = parallel.put(variables), parallel.put(key)
        for step in range(loader.steps_per_epoch):
            poll()
            which = loader.rows(step)
            made = run(variables, parallel.put(loader(step), SHARDED), key)
            if waiting is not None:  # one batch behind, so that the devices never wait for the host
                _put_down(found, *waiting)
            waiting = which, made
        if waiting is not None:
            _put_down(found, *waiting)
        return found

    def _compiled(self, parallel: DataParallel) -> Any:
        """`fitted` on these devices, compiled once for each shape."""
        if parallel not in self._programs:
            specs = (REPLICATED, SHARDED, REPLICATED)
            self._programs[parallel] = jax.jit(parallel.shard(self.fitted, in_specs=specs, out_specs=SHARDED))
        return self._programs[parallel]

    @cached_property
    def _programs(self) -> dict[DataParallel, Any]:
        return {}

    def loss(self, key: Array) -> LossFn:
        """The loss for batches of `jaxseq.data.whole_texts`: nats a word ("loss") by the vectors that are found, every
        word once, with other draws than those they are found by."""

        def loss_fn(variables: Mapping[str, Any], carry: Any, batch: Any, context: LossContext) -> LossOutput:
            vectors, bound = self.fitted(variables, batch, key), self.model.bind(variables)
            draw = self._draw(batch, key, self.task.inference_steps, chances=np.ones(len(self.counts)))
            return LossOutput({"loss": self._tally(bound, vectors, draw, bound.outputs(draw.tokens))})

        return loss_fn

    def fitted(self, variables: Mapping[str, Any], batch: WholeTexts, key: Array) -> Array:
        """The vectors [b, d] of the texts of a batch."""
        bound: Any = self.model.bind(variables)
        steps, reads_context = self.task.inference_steps, self.model.reads_context
        always = None if reads_context else bound.outputs(batch.tokens)  # looked up once

        def step(number: Array, vectors: Array) -> Array:
            draw = self._draw(batch, key, number, chances=self.chances)
            outputs = bound.outputs(draw.tokens) if always is None else always
            gradients = jax.grad(lambda vectors: self._tally(bound, vectors, draw, outputs).total)(vectors)
            rates = self.task.inference_rate * (1 - number / steps) / jnp.maximum(draw.there.sum(axis=1), 1)
            return vectors - rates[:, None] * gradients

        shape, width = (self.model.features,), self.model.start
        keys = _stream(_keys(key, batch), _START)
        start = jax.vmap(lambda key: jax.random.uniform(key, shape, minval=-width, maxval=width))(keys)
        return jnp.where(batch.sizes[:, None] > 0, lax.fori_loop(0, steps, step, start), 0)

    def _draw(self, batch: WholeTexts, key: Array, step: Array | int, *, chances: np.ndarray) -> "_Draw":
        """What a step draws, as an epoch of training does; words are kept with their chances [v]."""
        keys = _stream(_keys(key, batch), _STEPS + step)
        length = batch.tokens.shape[1]
        places = jnp.arange(length)
        stays = places < batch.sizes[:, None]
        if (chances < 1).any():
            numbers = _numbers(_stream(keys, _OCCURRENCES), length)
            stays &= numbers < jnp.asarray(chances, jnp.float32)[batch.tokens]
        drawn = self._negatives.proposal.of_bits(jax.vmap(jax.random.bits)(_stream(keys, _NEGATIVES)))
        if not self.model.reads_context:
            nothing = jnp.zeros_like(batch.tokens)
            return _Draw(jnp.asarray(batch.tokens), nothing, nothing, stays, drawn)
        window, counts = self.task.window, stays.sum(axis=1, dtype=jnp.int32)[:, None]
        tokens = jnp.take_along_axis(batch.tokens, jnp.argsort(~stays, axis=1, stable=True), axis=1)
        there = places < counts
        reach = 1 + (_numbers(_stream(keys, _REACH), length) * window).astype(jnp.int32)
        left, right = jnp.minimum(reach, places), jnp.minimum(reach, counts - 1 - places)
        return _Draw(tokens, jnp.where(there, left, 0), jnp.where(there, right, 0), there, drawn)

    def _tally(self, bound: Any, vectors: Array, draw: "_Draw", outputs: Array) -> Tally:
        """The loss of the vectors [b, d] of a batch; `outputs` are the output vectors of its words [b, t, d]."""
        negatives = bound.outputs(draw.drawn)
        weights = jnp.asarray(self._negatives.weights)[draw.drawn]
        vectors = vectors.astype(outputs.dtype)
        if not self.model.reads_context:
            return common_prediction(vectors, outputs, negatives, draw.tokens, draw.there, draw.drawn, weights)
        texts = jnp.broadcast_to(vectors[:, None], outputs.shape)
        around = jnp.pad(draw.tokens, [(0, 0), (self.task.window, self.task.window)])
        predictors = bound.predictors(texts, around, draw.left, draw.right)
        negatives, drawn, weights = (each[:, None] for each in (negatives, draw.drawn, weights))
        return shared_prediction(predictors, outputs, negatives, draw.tokens, draw.there, drawn, weights)

    @cached_property
    def _negatives(self) -> Negatives:
        return Negatives.of(
            self.counts, negatives=self.task.negatives, shared=min(_DRAWN[self.task.algorithm], len(self.counts))
        )


class _Draw(NamedTuple):
    """What a step has drawn of the texts of a batch."""

    tokens: Array
    """[b, t] words, those that stay first where contexts are read."""
    left: Array
    """[b, t] words before each that are its context."""
    right: Array
    """[b, t] the same of those behind it."""
    there: Array
    """[b, t] bool, the words that are predicted."""
    drawn: Array
    """[b, k] negatives."""


def _put_down(found: np.ndarray, which: np.ndarray, made: Array) -> None:
    found[which] = np.asarray(made)[: len(which)]


def _keys(key: Array, batch: WholeTexts) -> Array:
    """A key for each text [b]."""
    return jax.vmap(lambda number: jax.random.fold_in(key, number))(batch.hashes)


def _stream(keys: Array, number: Any) -> Array:
    """Keys [b] for one of the streams of each."""
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)


def _numbers(keys: Array, count: int) -> Array:
    """Numbers from 0 to 1 [b, count], each of which hangs on its key and place alone, and not on the `count`, a
    multiple of `SHORTEST`."""
    pieces = jnp.arange(count // SHORTEST)

    def of_text(key: Array) -> Array:
        return jax.vmap(lambda piece: jax.random.uniform(jax.random.fold_in(key, piece), (SHORTEST,)))(pieces).ravel()

    return jax.vmap(of_text)(keys)
