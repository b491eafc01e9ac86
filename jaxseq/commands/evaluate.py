"""`jaxseq evaluate`: metrics of a trained model on a split, with the carry and without it."""

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from jaxseq import console
from jaxseq.commands.arguments import parse
from jaxseq.commands.scratch import scratch_directory
from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.paths import run_path
from jaxseq.signals import PATIENCE, Poll, StopRequest, own_unless

if TYPE_CHECKING:
    import numpy as np

    from jaxseq.data.corpus import Corpus
    from jaxseq.tasks.language_model import Loaded
    from jaxseq.text.tokenizers import Tokenizer


def _of_the_run(alias: str, *, metavar: str) -> Any:
    """An option whose default stands in the run, also by the name that messages about texts know it by."""
    return tyro.conf.arg(aliases=[alias], metavar=metavar, help_behavior_hint="(default: that of the run)")


@dataclass(frozen=True)
class EvaluateArguments:
    """Loss, perplexity, bits per character and accuracy of a run on a split: with the carry handed on over the whole
    split, and with the initial carry at the start of every window."""

    run: tyro.conf.Positional[Path]
    """Run directory, as runs/quickstart."""
    split: Literal["train", "validation", "test"] = "validation"
    """Part of the text."""
    checkpoint: Literal["best", "newest"] = "best"
    """The checkpoint with the lowest validation loss, or the last one."""
    rows: int = 1
    """Contiguous rows read side by side in the pass with the carry. 1 is the split in one piece; more is quicker, and
    each row begins without a memory of what stands before it."""
    source: Annotated[str | None, _of_the_run("--data.source", metavar="TEXT")] = None
    """Another text to measure on, named as in training and split as that of the run."""
    encoding: Annotated[str | None, _of_the_run("--data.encoding", metavar="NAME")] = None
    """Encoding of that text."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print one JSON object; null stands for what is no finite number."""

    def __post_init__(self) -> None:
        if not 1 <= self.rows < 2**31:
            raise InputError(f"--rows is {self.rows}: give a number from 1 to {2**31 - 1}")


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, measures, prints; returns the exit code."""
    arguments = parse(EvaluateArguments, argv, program=program)
    arguments = dataclasses.replace(arguments, run=run_path(arguments.run))
    with own_unless(stop) as stop:
        results = evaluate(arguments, stop=stop)
    print(console.json_line(_finite(results)) if arguments.json else _table(results) + "\n", end="")
    return 0


def evaluate(arguments: EvaluateArguments, *, stop: StopRequest) -> dict[str, dict[str, float]]:
    """Metrics by "carried" and "windows"; "tokens" of them is the number of predictions measured, of the
    "split_tokens" that the split has.

    Args:
        stop: what signals are noted by, entered.

    Raises:
        InputError: the run cannot be read, has no such split, or does not fit into memory in so many rows.
        Stopped: a signal has come.
    """
    from jaxseq import runtime

    runtime.configure()
    from jaxseq.data.corpus import take_split
    from jaxseq.tasks.corpora import split_names
    from jaxseq.tasks.language_model import SplitEvaluator, load_run
    from jaxseq.tasks.memory import evaluation_parts, require_memory

    stop.patience = PATIENCE
    stop.poll()
    loaded = load_run(arguments.run, checkpoint=arguments.checkpoint)
    for line in loaded.skipped:
        console.tell(f"skipped a checkpoint: {line}")
    data = loaded.config.data
    if arguments.split not in split_names(data):
        raise InputError(
            f"{arguments.run} has no {arguments.split} split (data.split is {data.split}): "
            f"choose {' or '.join(split_names(data))}"
        )
    with _corpus(arguments, loaded, stop) as corpus:
        part = take_split(corpus, data.split, arguments.split)
        if arguments.rows >= len(part.ids):
            raise InputError(
                f"--rows is {arguments.rows}, the {arguments.split} split has {len(part.ids)} tokens: give a lower one"
            )
        parts = evaluation_parts(loaded.model, loaded.params, rows=arguments.rows, length=data.length)
        require_memory(f"reading {arguments.rows:,} rows of windows of {data.length:,}", parts, remedy="lower --rows")
        text_length = _text_length(loaded.tokenizer, part.ids, stop.poll)
        carried = SplitEvaluator(loaded.model, data, part, how="carried", rows=arguments.rows)
        windows = SplitEvaluator(loaded.model, data, part, how="windows")
        results = {
            "carried": carried(loaded.params, poll=stop.poll),
            "windows": windows(loaded.params, poll=stop.poll),
        }
    for metrics in results.values():
        metrics["bits_per_character"] = metrics["bits_per_token"] * len(part.ids) / text_length
        metrics["split_tokens"] = len(part.ids)
    return results


@contextlib.contextmanager
def _corpus(arguments: EvaluateArguments, loaded: "Loaded", stop: StopRequest) -> Iterator["Corpus"]:
    """The text of the run, which must be what it was, or another one."""
    from jaxseq.data.sources import STANDARD_INPUT, waits
    from jaxseq.tasks.corpora import prepare, prepared_before

    data = loaded.config.data
    own = arguments.source is None
    if not own:
        encoding = arguments.encoding or data.encoding
        data = dataclasses.replace(data, source=arguments.source, encoding=encoding)
    elif data.source == STANDARD_INPUT:
        raise InputError(f"{arguments.run} was trained on standard input, which is not kept: give the text as --source")
    changed = InputError(
        f"{data.source} has changed since {arguments.run} was trained on it, and its splits with it: give the text as "
        "it was, or this one as --source"
    )
    # The run's token file is read where it fits, and never written: that is for training to do.
    mapped = prepared_before(data, loaded.tokenizer, arguments.run / "tokens.npy") if own else None
    with scratch_directory(stop) if data.memory_map and mapped is None else contextlib.nullcontext() as scratch:
        file = scratch and scratch / "tokens.npy"
        try:
            with stop.raising() if waits(data.source) else contextlib.nullcontext():
                prepared = mapped or prepare(data, tokenizer=loaded.tokenizer, token_file=file, poll=stop.poll)
        except UnknownSymbolError as error:
            raise (changed if own else error) from error
        if own and not prepared.has_fingerprint(loaded.corpus):
            raise changed
        yield prepared.corpus


def _text_length(tokenizer: "Tokenizer", ids: "np.ndarray", poll: Poll) -> int:
    """Characters of the text of `ids`, which need not fit into memory."""
    stream, at_once, length = tokenizer.stream(), 2**20, 0
    for at in range(0, len(ids), at_once):
        poll()
        length += len(stream.push(ids[at : at + at_once]))
    return length + len(stream.flush())


def _finite(results: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    """For JSON, which has no NaN and no infinity."""
    return {
        how: {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        for how, metrics in results.items()
    }


def _table(results: dict[str, dict[str, float]]) -> str:
    names = {"carried": "carry kept over the split", "windows": "carry reset at every window"}
    lines = [f"{'':28}{'loss':>9}{'perplexity':>12}{'bits/char':>11}{'accuracy':>10}{'tokens':>22}"]
    for how, values in results.items():
        measured = f"{values['tokens']:,} of {values['split_tokens']:,}"
        lines.append(
            f"{names[how]:28}{values['loss']:9.4f}{values['perplexity']:12.4f}"
            f"{values['bits_per_character']:11.4f}{values['accuracy']:10.2%}{measured:>22}"
        )
    return "\n".join(lines)
