"""What a training came to, in a file of its own: so that it is not made again, and a page is made of what is there."""

import dataclasses
import json
from pathlib import Path
from typing import Self

from benchmarks.units.experiments import Kind
from jaxseq.storage.atomic import write_atomic


@dataclasses.dataclass(frozen=True)
class Result:
    """A trained model of a unit, and what it reaches on the test part."""

    kind: Kind
    unit: str
    seed: int
    vocabulary: int
    embedding: int
    state: int
    parameters: int
    seconds: float
    """Processor time of the training, compilation included."""
    score: float
    """Of a classifier, the share of reviews that it gets right; of a language model, the bits of the whole text."""
    tokens: int
    """Of the test part."""
    unknown: int
    """How many of them stand for what the vocabulary lacks."""
    unknown_characters: int
    """What it takes to spell these, see `benchmarks.units.unknown`."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """That in a file."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        """To a file."""
        write_atomic(path, json.dumps(dataclasses.asdict(self)))
