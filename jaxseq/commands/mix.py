"""`jaxseq mix`: several language models as one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from jaxseq import console, runtime
from jaxseq.commands.arguments import parse
from jaxseq.errors import InputError
from jaxseq.paths import run_path
from jaxseq.signals import PATIENCE, Stopped, StopRequest, own_unless

if TYPE_CHECKING:
    from jaxseq.runs.mixture import Mixed


@dataclass(frozen=True)
class MixArguments:
    """Perplexity of a weighted mean of several language models of one text and one tokenizer, as an n-gram model and a
    neural one. The weights are those that make the validation split likeliest."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run directories, two or more."""
    split: Literal["train", "validation", "test"] = "test"
    """Part of the data to measure on, beside validation."""
    rows: int | None = None
    """Contiguous rows that are read side by side: 1, the default, is the split in one piece; more is quicker, and each
    begins without a memory of what stands before it."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print one JSON object."""

    def __post_init__(self) -> None:
        if self.rows is not None and not 1 <= self.rows < 2**31:
            raise InputError(f"--rows is {self.rows}: give a number from 1 to {2**31 - 1}")


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, measures, prints; returns the exit code."""
    arguments = parse(MixArguments, argv, program=program)
    paths = [run_path(path) for path in arguments.runs]
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        runtime.configure(devices=1)
        from jaxseq.runs.mixture import mix_runs  # after that: it imports JAX

        try:
            mixed = mix_runs(paths, split=arguments.split, rows=arguments.rows, stop=stop)
        except Stopped as stopped:
            return stopped.exit_code
    if arguments.json:
        tree = {**mixed._asdict(), "runs": list(map(str, mixed.runs))}
        print(console.json_line(tree), end="")
    else:
        console.show("\n".join(_lines(mixed)))
    return 0


def _lines(mixed: "Mixed") -> Iterator[str]:
    """A line for each run, and one for all together."""
    splits = list(mixed.together)
    yield f"{'weight':>8}" + "".join(f"{name + ' perplexity':>24}" for name in splits)
    for at, (run, weight) in enumerate(zip(mixed.runs, mixed.weights, strict=True)):
        values = "".join(f"{mixed.alone[name][at]:>24,.4f}" for name in splits)
        yield f"{weight:>8.4f}{values}  {console.escaped_line(str(run))}"
    yield f"{'':>8}" + "".join(f"{mixed.together[name]:>24,.4f}" for name in splits) + "  together"
