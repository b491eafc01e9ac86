"""Jamo, syllables, pieces and morphemes at equal parameters, on Korean film reviews.

    python -m benchmarks.units --page docs/units.md --picture docs/images/units.png

Trains a classifier and a language model for every unit and seed, and prints the accuracy of the ones and the bits per
syllable of the others as tables. Texts, tokenizers, runs and results are kept in runs/units, and none is made again;
where a training is stopped, the same command goes on with it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import tyro

from benchmarks.units.experiments import TOKENIZERS, Kind
from benchmarks.units.page import draw, page
from benchmarks.units.tables import tables
from benchmarks.units.texts import prepare
from jaxseq import console, runtime
from jaxseq.errors import InputError
from jaxseq.storage.atomic import write_atomic


@dataclass(frozen=True)
class UnitArguments:
    """Classifiers and language models of Korean film reviews, by the units that these are cut into."""

    reviews: str = "data/nsmc/ratings_*.txt*"
    """Labelled reviews, for classifiers."""
    running: str = "data/nsmc/nsmc_reviews_lm.txt.xz"
    """Reviews, one a line, for language models."""
    seeds: int = 3
    runs: Path = Path("runs/units")
    """Where all that is made is kept; for other reviews give another folder."""
    page: Path | None = None
    """Also write the page there."""
    picture: Path | None = None
    """Also draw the results there."""


def main(arguments: UnitArguments) -> None:
    """Trains what is missing, and prints the tables."""
    runtime.configure(devices=1)
    from benchmarks.units.trainings import measured

    folder = arguments.runs
    texts = prepare(
        folder / "texts",
        reviews=arguments.reviews,
        running=arguments.running,
        tell=console.tell,
    )
    results = [
        measured(folder, texts, kind, unit, seed=seed)
        for seed in range(arguments.seeds)
        for kind in get_args(Kind)
        for unit in TOKENIZERS
    ]
    console.show(tables(results, texts.counts))
    if arguments.page is not None:
        write_atomic(arguments.page, page(results, texts.counts))
    if arguments.picture is not None:
        draw(results, texts.counts, arguments.picture)


if __name__ == "__main__":
    try:
        main(tyro.cli(UnitArguments, description=__doc__))
    except InputError as error:
        console.tell(f"error: {error}")
        raise SystemExit(2) from error
