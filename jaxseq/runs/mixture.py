"""Several language models as one: a weighted mean of what they say of each token."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxseq import console
from jaxseq.errors import InputError
from jaxseq.metrics.mixture import fit_weights, mixture_log_probability
from jaxseq.metrics.perplexity import perplexity, require_one_vocabulary
from jaxseq.runs.evaluation import with_data
from jaxseq.runs.load import load_run
from jaxseq.signals import StopRequest, own_unless
from jaxseq.tasks.capabilities import ScoresTokens, capable


class Mixed(NamedTuple):
    """What a mixture comes to, and what each of its models does alone."""

    runs: tuple[Path, ...]
    weights: tuple[float, ...]
    """Those that make the validation split likeliest; they add up to 1."""
    alone: dict[str, tuple[float, ...]]
    """The perplexity of each run by split."""
    together: dict[str, float]
    """That of the mixture."""
    tokens: dict[str, int]
    """How many are predicted."""


def mix_runs(
    run_dirs: Sequence[Path], *, split: str = "test", rows: int | None = None, stop: StopRequest | None = None
) -> Mixed:
    """Mixes the models of runs on one text with one tokenizer; the weights are those of the validation split.

    Args:
        split: to measure on, beside validation.
        rows: contiguous rows that are read side by side; 1 by default.

    Raises:
        InputError: there are fewer than two runs, one cannot be read, or their tokens are not the same.
        Stopped: a signal has come.
    """
    if len(run_dirs) < 2:
        raise InputError("a mixture is of two runs or more: name another one")
    with own_unless(stop) as stop, contextlib.ExitStack() as stack:
        tasks: list[tuple[ScoresTokens, Any]] = []
        fingerprints, texts = {}, []
        for run_dir in run_dirs:
            stop.poll()
            run = load_run(run_dir)
            for line in run.skipped:
                console.tell(f"skipped a checkpoint: {line}")
            fingerprints[str(run_dir)] = capable(run.task, ScoresTokens, run=run_dir).tokenizer.fingerprint
            require_one_vocabulary(fingerprints)
            there = run.task.splits()
            for name in ("validation", split):
                if name not in there:
                    raise InputError(f"{run_dir} has no {name} split: choose {' or '.join(there)}")
            task = with_data(run_dir, run, None, None, stop, stack)
            texts.append((run.experiment.data, task.fingerprint()))
            tasks.append((capable(task, ScoresTokens, run=run_dir), run.variables))
        logs: dict[str, np.ndarray] = {}
        for name in dict.fromkeys(("validation", split)):
            found = [task.token_log_probabilities(v, name, rows=rows, poll=stop.poll) for task, v in tasks]
            _require_one_text(run_dirs, texts, found)
            logs[name] = np.stack(found)
    weights = fit_weights(logs["validation"])
    alone = {name: tuple(map(_perplexity, found)) for name, found in logs.items()}
    together = {name: _perplexity(mixture_log_probability(found, weights)) for name, found in logs.items()}
    tokens = {name: found.shape[1] for name, found in logs.items()}
    return Mixed(tuple(run_dirs), tuple(map(float, weights)), alone, together, tokens)


def _perplexity(logs: np.ndarray) -> float:
    return perplexity(-float(logs.mean(dtype=np.float64)))


def _require_one_text(run_dirs: Sequence[Path], texts: Sequence[tuple[Any, str]], found: Sequence[np.ndarray]) -> None:
    """Refuses runs whose splits are not the same tokens."""
    first, fingerprint = texts[0]
    for run_dir, (data, other), logs in zip(run_dirs, texts, found, strict=True):
        if other != fingerprint or data.split != first.split or len(logs) != len(found[0]):
            raise InputError(
                f"{run_dirs[0]} and {run_dir} read other texts, or split them differently: mix runs with one "
                "data.source and one data.split"
            )
