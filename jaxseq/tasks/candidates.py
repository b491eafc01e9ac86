"""From sources in batches to token ids of texts about them, found by beam search or drawn, and what tokens looked at.

What sources are, and how they are put into batches, is for each task to say.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from jaxseq.decoding.beam import Beam
from jaxseq.decoding.decode import beam_decode, sample_decode
from jaxseq.decoding.filters import Sampling
from jaxseq.nn.target_model import TargetModel
from jaxseq.signals import Poll, never
from jaxseq.tasks.task import Variables

ROWS = 64
"""Sources of a batch, at the most."""


class Candidate(NamedTuple):
    """What may be written about a source."""

    ids: NDArray[np.int32]
    """[t], its end included unless it was cut at the maximum length."""
    score: float
    """What candidates are ranked by, the highest first."""
    log_probability: float
    """In nats, of all its tokens."""
    certified: bool
    """Whether nothing that was not found can score higher."""


class SourceBatch(NamedTuple):
    """Sources that are gone on from together."""

    which: Sequence[int]
    """The numbers of those that stand in the first rows; the rows behind are empty."""
    source: NDArray[Any]
    """[b, ...], as the model reads them."""
    mask: NDArray[np.bool_] | None = None
    """[b, s], where there is a source; None for sources without a mask."""
    begin: NDArray[np.int32] | None = None
    """[b], what texts come after; None for what the model has for that."""


def rows_for(count: int) -> int:
    """Rows of batches of so many sources."""
    return min(ROWS, power_of_two(count)) if count else ROWS


def power_of_two(count: int) -> int:
    """The first power of two that is not below `count`."""
    return 1 << (count - 1).bit_length()


def search_each(
    model: TargetModel,
    variables: Variables,
    batches: Iterable[SourceBatch],
    beam: Beam,
    *,
    end: int,
    longest: int,
    prefix: Sequence[int] = (),
    poll: Poll = never,
) -> dict[int, list[Candidate]]:
    """The best texts for each source, found by beam search, best first, by the source's number.

    Rows of a batch are shared among the devices that JAX has.

    Args:
        end: id that ends a text.
        longest: tokens of a text at the most, its end included.
        prefix: ids that each begins with.
        poll: called before each batch.

    Raises:
        InputError: the options do not fit the model.
        NonFiniteError: its logits are not finite.
    """
    found: dict[int, list[Candidate]] = {}
    model = model.with_room(power_of_two(longest))
    for which, source, mask, begin in batches:
        poll()
        made = beam_decode(
            model,
            variables["params"],
            source,
            mask=mask,
            end=end,
            max_length=np.where(np.arange(len(source)) < len(which), longest, max(1, len(prefix))),
            beam=beam,
            prefix=[prefix] * len(source) if prefix else None,
            begin=begin,
        )
        for row, number in enumerate(which):
            found[number] = [
                Candidate(
                    np.asarray(made.tokens[row, n, : made.lengths[row, n]]),
                    float(made.scores[row, n]),
                    float(made.log_probabilities[row, n]),
                    bool(made.certified[row, n]),
                )
                for n in np.flatnonzero(made.lengths[row])
            ]
    return found


def sample_each(
    model: TargetModel,
    variables: Variables,
    batches: Iterable[SourceBatch],
    sampling: Sampling,
    *,
    end: int,
    longest: int,
    key: jax.Array,
    poll: Poll = never,
) -> dict[int, Candidate]:
    """A text for each source, drawn; arguments otherwise as `search_each`."""
    found: dict[int, Candidate] = {}
    model = model.with_room(power_of_two(longest))
    for number, (which, source, mask, begin) in enumerate(batches):
        poll()
        made = sample_decode(
            model,
            variables["params"],
            source,
            mask=mask,
            end=end,
            max_length=np.where(np.arange(len(source)) < len(which), longest, 1),
            key=jax.random.fold_in(key, number),
            sampling=sampling,
            begin=begin,
        )
        for row, at in enumerate(which):
            likely = float(made.log_probabilities[row])
            found[at] = Candidate(np.asarray(made.tokens[row, : made.lengths[row]]), likely, likely, False)
    return found


@partial(jax.jit, static_argnums=0)
def looked_at(
    model: TargetModel, variables: Variables, source: Any, inputs: Any, *, source_mask: Any = None, mask: Any = None
) -> Any:
    """What the token after each of inputs [b, t] looked at in source: [b, t, s]; None where the model looks at
    nothing."""
    masks = {"source_mask": source_mask, "mask": mask}
    made: Any = model.apply(variables, source, inputs, **masks, mutable=["intermediates"])
    return model.attention_in(made[1].get("intermediates", {}))
