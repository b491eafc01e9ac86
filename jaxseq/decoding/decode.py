"""From a model and what it goes on from to whole texts that end: by beam search, or sampled.

`beam_search` and `sample_to_end` go on from a prompt, `beam_decode` and `sample_decode` from a source. Many rows are
shared among the devices that JAX has. Calls compile anew for another model, number of rows, width of prompt or source,
size of beam or choice of options that are on (not for their numbers), and where the longest maximum length or prefix
passes a power of two.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.sharding import PartitionSpec
from numpy.typing import ArrayLike, NDArray

from jaxseq.decoding.beam import PLAIN_BEAM, Beam, Rows, Rules, checked_lengths
from jaxseq.decoding.beginning import as_rows, begin, devices_of, power_of_two
from jaxseq.decoding.filters import PLAIN, Filters, Sampling
from jaxseq.decoding.hypotheses import Hypotheses
from jaxseq.decoding.protocol import AutoregressiveModel, ConditionalModel, Conditioned
from jaxseq.decoding.sampling import NO_TOKEN, Samples
from jaxseq.decoding.sampling import sample_to_end as sampled_on_device
from jaxseq.decoding.search import SOUND, search
from jaxseq.errors import InputError, NonFiniteError
from jaxseq.sharding import REPLICATED, SHARDED, DataParallel

Prefixes = Sequence[Sequence[int]]
"""The ids that the hypotheses of each row begin with, [] for none."""


def beam_search(
    model: AutoregressiveModel,
    params: Any,
    prompt: ArrayLike,
    *,
    end: int,
    max_length: ArrayLike,
    beam: Beam = PLAIN_BEAM,
    prefix: Prefixes | None = None,
    padding: int = 0,
) -> Hypotheses:
    """The n best texts that go on from each row of prompt [b, t], or from a prompt [t], then of b = 1.

    Args:
        end: Id of the token that ends a text.
        max_length: Most tokens of a text, `<end>` among them; a number for all rows or one for each.
        prefix: What the texts of each row begin with. Its log-probabilities count.
        padding: Id that stands behind a text.

    Returns:
        NumPy arrays; the time axis is the longest maximum length.

    Raises:
        ValueError: the prompt cannot be gone on from, as `generate`.
        InputError: an option is out of its range, or does not fit the rows.
        NonFiniteError: logits that a token must be chosen from are NaN or infinite, or all are -inf.
    """
    beginning = begin(model, params, as_rows(prompt))
    return _searched(model, *beginning, None, end, max_length, beam, prefix, padding)


def beam_decode(
    model: ConditionalModel,
    params: Any,
    source: ArrayLike,
    *,
    mask: ArrayLike | None,
    end: int,
    max_length: ArrayLike,
    beam: Beam = PLAIN_BEAM,
    prefix: Prefixes | None = None,
    begin: ArrayLike | None = None,
    padding: int = 0,
) -> Hypotheses:
    """The n best texts for each row of source [b, s], where mask [b, s] is True; the rest as `beam_search`.

    Args:
        source: Token ids; without a mask whatever the model reads, [b, ...].
        begin: What the text of each row comes after, [b] ids, and is no part of; by default what the model has for
            that.

    Raises:
        InputError: as `beam_search`; or a coverage penalty is asked for, and the model attends to nothing.
    """
    weights, logits, carry, mask = _begin_source(model, params, source, mask, begin)
    if beam.coverage_penalty and carry.attention is None:
        raise InputError(
            f"a coverage penalty of {beam.coverage_penalty} needs a model with attention, and this one has none: give 0"
        )
    return _searched(model, weights, logits, carry, mask, end, max_length, beam, prefix, padding)


def sample_to_end(
    model: AutoregressiveModel,
    params: Any,
    prompt: ArrayLike,
    *,
    end: int,
    max_length: ArrayLike,
    key: Array,
    sampling: Sampling = PLAIN,
    padding: int = 0,
) -> Samples:
    """A text that goes on from each row of prompt [b, t], or from a prompt [t], then of b = 1.

    Its tokens are those that `generate` makes with the key, up to `<end>`. Otherwise as `beam_search`.
    """
    beginning = begin(model, params, as_rows(prompt))
    return _sampled(model, *beginning, end, max_length, key, sampling, padding)


def sample_decode(
    model: ConditionalModel,
    params: Any,
    source: ArrayLike,
    *,
    mask: ArrayLike | None,
    end: int,
    max_length: ArrayLike,
    key: Array,
    sampling: Sampling = PLAIN,
    begin: ArrayLike | None = None,
    padding: int = 0,
) -> Samples:
    """A text for each row of source [b, s], where mask [b, s] is True; the rest as `sample_to_end` and
    `beam_decode`."""
    weights, logits, carry, _ = _begin_source(model, params, source, mask, begin)
    return _sampled(model, weights, logits, carry, end, max_length, key, sampling, padding)


def _begin_source(
    model: ConditionalModel, params: Any, source: ArrayLike, mask: ArrayLike | None, begin: ArrayLike | None
) -> tuple[Any, Array, Conditioned, NDArray[np.bool_] | None]:
    source, mask = _checked_source(source, mask)
    if begin is not None:
        begin = np.asarray(begin, np.int32)
        if begin.shape != (len(source),):
            raise InputError(f"{begin.size} tokens to begin with do not fit {len(source)} rows: give one a row")
    parallel = devices_of(len(source))
    rows = source, mask, begin
    if parallel.axis:  # parameters may come from a training on fewer devices
        params, rows = parallel.put(params), parallel.put(rows, SHARDED)
    weights, logits, carry = _start(model, parallel, params, *rows)
    size = logits.shape[-1]
    if begin is not None and not ((begin >= 0) & (begin < size)).all():
        row = int(((begin < 0) | (begin >= size)).argmax())
        raise InputError(f"row {row} begins with token {begin[row]}: the ids go from 0 to {size - 1}")
    return weights, logits, carry, mask


def _checked_source(source: ArrayLike, mask: ArrayLike | None) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    if mask is None:
        source = np.asarray(source)
        if not source.ndim or not len(source):
            raise InputError(f"a source of shape {list(source.shape)} cannot be read: give [b, ...], one row at least")
        return source, None
    source, mask = np.asarray(source, np.int32), np.asarray(mask, np.bool_)
    if source.ndim != 2 or source.shape != mask.shape or not len(source):
        raise InputError(
            f"a source of shape {list(source.shape)} with a mask of shape {list(mask.shape)} cannot be read: "
            "give both as [b, s], one row at least"
        )
    return source, mask


@partial(jax.jit, static_argnums=(0, 1))
def _start(
    model: ConditionalModel, parallel: DataParallel, params: Any, source: Array, mask: Any, begin: Any
) -> tuple[Any, Array, Conditioned]:
    def start(params: Any, source: Array, mask: Any, begin: Any) -> tuple[Any, Array, Conditioned]:
        if begin is None:
            return model.start(params, source, mask=mask)
        return model.start(params, source, mask=mask, begin=begin)

    specs = (REPLICATED, SHARDED, SHARDED, SHARDED)
    return parallel.shard(start, specs, (REPLICATED, SHARDED, SHARDED))(params, source, mask, begin)


def _searched(
    model: Any, weights: Any, logits: Array, carry: Any, mask: Any, end: int, max_length: ArrayLike,
    beam: Beam, prefix: Prefixes | None, padding: int,
) -> Hypotheses:  # fmt: skip
    count, size = logits.shape
    lengths = checked_lengths(max_length, count)
    longest = int(lengths.max())
    rules = Rules.of(beam, end=end, capacity=power_of_two(longest), vocabulary_size=size)
    if beam.coverage_penalty == 0:
        mask = None
    elif not isinstance(carry, Conditioned):
        raise InputError("a coverage penalty needs a model that goes on from a source: give 0")
    rows = Rows.of(count, max_length=lengths, end=end, vocabulary_size=size, prefix=prefix, source_mask=mask)
    static = (beam.size, beam.n_best, beam.no_repeat)
    found, unusable = _search(model, devices_of(count), static, weights, logits, carry, rules, rows, np.int32(padding))
    _check_usable(np.asarray(unusable))
    found = jax.tree.map(np.asarray, found)
    return found._replace(tokens=found.tokens[..., :longest])


@partial(jax.jit, static_argnums=(0, 1, 2))
def _search(
    model: Any, parallel: DataParallel, static: tuple[int, int, int], weights: Any, logits: Array, carry: Any,
    rules: Rules, rows: Rows, padding: Array,
) -> tuple[Hypotheses, Array]:  # fmt: skip
    def run(weights: Any, logits: Array, carry: Any, rules: Rules, rows: Rows, padding: Array):
        return search(
            partial(model.decode_step, weights), logits, carry, size=static[0], n_best=static[1], no_repeat=static[2],
            rules=rules, rows=rows, padding=padding,
        )  # fmt: skip

    specs: tuple[PartitionSpec, ...] = (REPLICATED, SHARDED, SHARDED, REPLICATED, SHARDED, REPLICATED)
    return parallel.shard(run, specs, SHARDED)(weights, logits, carry, rules, rows, padding)


def _sampled(
    model: Any, weights: Any, logits: Array, carry: Any, end: int, max_length: ArrayLike, key: Array,
    sampling: Sampling, padding: int,
) -> Samples:  # fmt: skip
    count, size = logits.shape
    lengths = checked_lengths(max_length, count)
    if not 0 <= end < size:
        raise InputError(f"token {end} is to end texts: the ids go from 0 to {size - 1}")
    filters = Filters.of(sampling, vocabulary_size=size)
    longest = int(lengths.max())
    samples = _sample(
        model, weights, logits, carry, key, filters, np.int32(end), lengths, np.int32(padding),
        capacity=power_of_two(longest),
    )  # fmt: skip
    samples = jax.tree.map(np.asarray, samples)
    at = np.asarray(samples.lengths) - 1
    bad = np.asarray(samples.tokens)[np.arange(count), at] == NO_TOKEN
    _check_usable(np.where(bad, at, SOUND))
    return samples._replace(tokens=samples.tokens[:, :longest])


@partial(jax.jit, static_argnums=0, static_argnames="capacity")
def _sample(
    model: Any, weights: Any, logits: Array, carry: Any, key: Array, filters: Filters, end: Array, max_length: Array,
    padding: Array, *, capacity: int,
) -> Samples:  # fmt: skip
    return sampled_on_device(
        partial(model.decode_step, weights), logits, carry, key, length=capacity, sampling=filters, end=end,
        max_length=max_length, padding=padding,
    )  # fmt: skip


def _check_usable(made: NDArray[np.int32]) -> None:
    """Raises NonFiniteError where a row's logits were not usable after `made` [b] tokens."""
    bad = np.flatnonzero(made != SOUND)
    if len(bad):
        row = bad[made[bad].argmin()]
        raise NonFiniteError(
            f"the model gives logits that are not finite in row {row} after {made[row]} tokens: its training has "
            "diverged; take an earlier checkpoint, or train with a lower learning rate"
        )
