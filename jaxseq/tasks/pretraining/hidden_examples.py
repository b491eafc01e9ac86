"""What a run ends with: some texts with hidden tokens, and how many of a whole split are found."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from jaxseq.data.masking import Masking, mask_tokens
from jaxseq.data.next_sentences import TextSource
from jaxseq.metrics.meter import Meter
from jaxseq.ops.objective import EVALUATION
from jaxseq.reporting.hidden_tokens import Example, Follows, HiddenToken
from jaxseq.signals import Poll
from jaxseq.tasks.pretraining.asked_texts import AskedText
from jaxseq.tasks.pretraining.mask_filling import Found, MaskFilling
from jaxseq.tasks.task import Evaluation, Variables


def hidden_examples(
    filling: MaskFilling,
    variables: Variables,
    texts: TextSource,
    which: NDArray[np.int64],
    masking: Masking,
    *,
    seed: int,
    poll: Poll,
) -> list[Example]:
    """The texts with the numbers `which` [n], hidden as they are whenever the split is measured."""
    if not len(which):
        return []
    given = texts(which, epoch=0, length=filling.length)
    masked = mask_tokens(given.tokens, maskable=given.mask, masking=masking, numbers=which, seed=seed, epoch=0)
    asked = [
        AskedText(tokens[mask], segments[mask], np.flatnonzero(chosen).astype(np.int32))
        for tokens, segments, mask, chosen in zip(masked.tokens, given.segments, given.mask, masked.chosen, strict=True)
    ]
    found = filling.find(variables, asked, poll=poll)
    rows = zip(asked, masked.targets, given.is_next.tolist(), found, strict=True)
    return [_example(filling, text, targets[text.positions], is_next, made) for text, targets, is_next, made in rows]


def measured(evaluation: Evaluation, variables: Variables, *, batches: int, poll: Poll) -> list[str]:
    """How many hidden tokens, and pairs, are found in the first `batches` batches of an evaluation, 0 for all, in
    words."""
    run: Any = jax.jit(partial(_tallies, evaluation))
    meter, steps = Meter(), evaluation.loader.steps_per_epoch
    for step in range(min(batches, steps) if batches else steps):
        poll()
        meter.add(jax.device_get(run(variables, evaluation.loader(step))))
    means, lines = meter.means(), []
    for name, what in (("accuracy", "hidden tokens"), ("pair_accuracy", "pairs")):
        if name in means:
            lines.append(f"of {round(meter.count(name)):,} {what} {means[name]:.2%} are told right")
    return lines


def _tallies(evaluation: Evaluation, variables: Variables, batch: Any) -> Any:
    assert evaluation.loss is not None
    return evaluation.loss(variables, None, batch, EVALUATION).tallies


def _example(filling: MaskFilling, text: AskedText, targets: NDArray[np.int32], is_next: bool, found: Found) -> Example:
    tokenizer, names = filling.tokenizer, filling.tokenizer.vocabulary.symbols
    parts: Sequence[NDArray[np.int32]] = [text.tokens[text.segments == part] for part in range(text.segments.max() + 1)]
    hidden = [
        HiddenToken(names[stood], names[text.tokens[at]], mask.probabilities)
        for stood, at, mask in zip(targets.tolist(), text.positions.tolist(), filling.filled(found), strict=True)
    ]
    follows = None if found.is_next is None else Follows(is_next, found.is_next)
    return Example([tokenizer.decode(part) for part in parts], hidden, follows)
