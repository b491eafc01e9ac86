"""What an encoder has learned from text alone: how much more a linear classifier finds in its vectors than in those of
the same network with random weights.

    python3 -m benchmarks.probing runs/nsmc_bert 'data/nsmc/ratings_*.txt*' --text-column document
    python3 -m benchmarks.probing runs/wikitext2_bert 'data/aclImdb/aclImdb*' --examples 2000

For any run that `jaxseq embed` works with. Each number of a vector is brought to mean 0 and deviation 1 over the texts
to train on. The penalty of the classifier (jaxseq.metrics.linear_probe) is the best of five on a fifth of these texts,
which it is then trained on as well. Printed are the accuracies on texts of the test split, and the gain over the mean
of several random networks, with an interval: 95 % of the gains on as many texts drawn from these with replacement.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import tyro
from numpy.typing import NDArray

from jaxseq import console, runtime

_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_DRAWS = 10_000
_AT_ONCE = 100


@dataclass(frozen=True)
class ProbingArguments:
    """The gain of a linear probe on the vectors of a run over one on those of random networks of its shape."""

    run: tyro.conf.Positional[Path]
    """Run directory, as runs/nsmc_bert."""
    source: tyro.conf.Positional[str]
    """Labelled texts with a test split, as data.source has it."""
    text_column: str = "text"
    label_column: str = "label"
    examples: Annotated[int, tyro.conf.arg(metavar="N")] = 5_000
    """Texts to train on, and as many to test, at the most."""
    networks: int = 3
    """Random ones."""
    seed: int = 0
    """Of what is drawn: the texts, the networks and the interval."""


class Gain(NamedTuple):
    """A difference of accuracies."""

    mean: float
    low: float
    high: float
    """The middle 95 % of what other texts may give lie between these."""


def probe(
    train: NDArray[np.float32],
    labels: NDArray[np.int32],
    test: NDArray[np.float32],
    truth: NDArray[np.int32],
    *,
    classes: int,
) -> NDArray[np.bool_]:
    """Which texts [m] a linear classifier of vectors [m, d] gets right that was trained on others [n, d].

    The last fifth of these chooses its penalty.
    """
    from jaxseq.metrics.linear_probe import fit_linear_probe

    mean, deviation = train.mean(0), train.std(0)
    train, test = ((each - mean) / np.where(deviation > 0, deviation, 1) for each in (train, test))

    def right(rows: slice, penalty: float, given: NDArray, wanted: NDArray) -> NDArray[np.bool_]:
        found = fit_linear_probe(train[rows], labels[rows], classes=classes, penalty=penalty)
        return found.probabilities(given).argmax(1) == wanted

    cut = len(train) - len(train) // 5
    scores = [right(slice(cut), penalty, train[cut:], labels[cut:]).mean() for penalty in _PENALTIES]
    return right(slice(None), _PENALTIES[int(np.argmax(scores))], test, truth)


def gain(right: NDArray[np.bool_], others: Sequence[NDArray[np.bool_]], *, seed: int) -> Gain:
    """By how much more of the same texts [m] one is right than the mean of others is."""
    differences = right.astype(np.float64) - np.mean(others, axis=0)
    draw, means = np.random.default_rng(seed), []
    for _ in range(_DRAWS // _AT_ONCE):
        means.append(differences[draw.integers(0, len(right), (_AT_ONCE, len(right)))].mean(axis=1))
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return Gain(float(differences.mean()), float(low), float(high))


def main() -> int:
    arguments = tyro.cli(ProbingArguments)
    runtime.configure()
    import jax

    from jaxseq.config import LabelledConfig
    from jaxseq.data.labelled import class_ids, find_classes
    from jaxseq.runs.prediction import run_that
    from jaxseq.signals import never
    from jaxseq.tasks.capabilities import Embeds
    from jaxseq.tasks.labelled_texts import read_parts, with_validation

    task, variables = run_that(Embeds, arguments.run)
    columns = {"text_column": arguments.text_column, "label_column": arguments.label_column}
    data = LabelledConfig(source=arguments.source, validation=0.0, **columns)
    parts = with_validation(read_parts(data, poll=never), data, seed=arguments.seed)
    classes = find_classes(parts["train"].labels)
    draw, texts, labels = np.random.default_rng(arguments.seed), {}, {}
    for name in ("train", "test"):
        chosen = draw.permutation(len(parts[name].texts))[: arguments.examples]
        texts[name] = [parts[name].texts[at] for at in chosen]
        labels[name] = class_ids(parts[name], classes, part=name)[chosen]

    def right(variables) -> NDArray[np.bool_]:
        vectors = {name: np.stack(list(task.embed(variables, some))) for name, some in texts.items()}
        return probe(vectors["train"], labels["train"], vectors["test"], labels["test"], classes=len(classes))

    own = right(variables)
    console.show(f"{arguments.run}: {own.mean():.2%} of {len(own):,} texts, by {len(texts['train']):,} to train on")
    others = []
    for network in range(arguments.networks):
        others.append(right(task.init(jax.random.key(arguments.seed + network))))
        console.show(f"random network {network}: {others[-1].mean():.2%}")
    found = gain(own, others, seed=arguments.seed)
    console.show(f"gain: {100 * found.mean:.2f} points, 95 % from {100 * found.low:.2f} to {100 * found.high:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
