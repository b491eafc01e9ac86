"""`jaxseq draw positions`: pictures that need no trained model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxseq import console, runtime
from jaxseq.commands.arguments import parse
from jaxseq.errors import InputError
from jaxseq.paths import expanded
from jaxseq.signals import PATIENCE, Stopped, StopRequest, own_unless

_MOST = 5000
"""Positions or features that a picture can show."""


@dataclass(frozen=True)
class DrawArguments:
    """Draw the sinusoidal codes of positions that a Transformer adds to its embeddings: all as colors, two of their
    features as curves."""

    what: tyro.conf.Positional[Literal["positions"]]
    """What to draw."""
    output: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("positions.png")
    """A .png file, in the place of an earlier such picture."""
    length: int = 201
    """Positions, from 0 on."""
    features: int = 512
    """Features of a code: sines in their first half, cosines in the second."""
    mark: Annotated[
        tuple[int, ...] | None, tyro.conf.arg(metavar="INT ...", help_behavior_hint="(default: see there)")
    ] = None
    """Features to draw as curves too. By default one of the sines, an eighth of the way along, and its cosine."""

    def __post_init__(self) -> None:
        for name, value in (("--length", self.length), ("--features", self.features)):
            if not 2 <= value <= _MOST:
                raise InputError(f"{name} is {value}: give a number from 2 to {_MOST}")
        if self.output.suffix.lower() != ".png":
            raise InputError(f"--output is {self.output}: a picture is a .png file")
        for feature in self.mark or ():
            if not 0 <= feature < self.features:
                raise InputError(f"--mark is {feature}: the features go from 0 to {self.features - 1}")

    @property
    def marked(self) -> tuple[int, ...]:
        """The features that are marked."""
        sine = self.features // 8
        return (sine, sine + (self.features + 1) // 2) if self.mark is None else self.mark


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, draws, says where; returns the exit code."""
    arguments = parse(DrawArguments, argv, program=program)
    output = expanded(arguments.output)
    runtime.configure(devices=1)
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        from jaxseq.runs.drawing import draw_positions  # after that: it imports JAX

        try:
            stop.poll()
            draw_positions(output, length=arguments.length, features=arguments.features, marked=arguments.marked)
        except Stopped as stopped:
            return stopped.exit_code
    console.show(f"{arguments.length:,} positions of {arguments.features:,} features are in {arguments.output}")
    return 0
