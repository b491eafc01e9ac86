"""What `training.loop.fit` wants to know of an encoder-decoder, and one that translates as `jaxseq translate` does."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks.pairs import EXPERIMENT, LAP, SEARCH, WEIGHTS, nested, opened
from benchmarks.workers.arrays import read_arrays
from benchmarks.works import Work
from jaxseq.config import from_json
from jaxseq.data.examples import Sequences
from jaxseq.tasks.candidates import Candidate
from jaxseq.tasks.translation.translation import TOKENIZERS, TranslationTask
from jaxseq.tasks.translation.translator import Translator


class Lap(NamedTuple):
    """The loader of a training that goes round in its first batches."""

    loader: Any
    batches: int = LAP

    @property
    def uniform(self) -> bool:
        return self.loader.uniform

    @property
    def steps_per_epoch(self) -> int:
        return min(self.batches, self.loader.steps_per_epoch)

    @property
    def batch_size(self) -> int:
        return self.loader.batch_size

    def __call__(self, step: int, /) -> Any:
        return self.loader(step % self.steps_per_epoch)


def without_dropout(task: TranslationTask) -> TranslationTask:
    """The same task with a model that drops nothing."""
    rates = {
        name: 0.0 for name in ("input_dropout", "dropout", "output_dropout") if hasattr(task.experiment.model, name)
    }
    experiment = dataclasses.replace(task.experiment, model=dataclasses.replace(task.experiment.model, **rates))
    restored = TranslationTask.restore(experiment, task.artifacts())
    return dataclasses.replace(restored, texts=task.texts)


def training_task(folder: Path) -> TranslationTask:
    """The task of a work's folder, with its data."""
    return opened(from_json((folder / EXPERIMENT).read_text(encoding="utf-8")), (folder / TOKENIZERS).read_bytes())


def parameters(folder: Path) -> dict:
    """Those of a work's folder, on the device."""
    return jax.device_put(nested(read_arrays(folder / WEIGHTS)))


class Search:
    """One call translates all sentences."""

    def __init__(self, work: Work, folder: Path) -> None:
        experiment = from_json((folder / EXPERIMENT).read_text(encoding="utf-8"))
        task = TranslationTask.restore(experiment, {TOKENIZERS: (folder / TOKENIZERS).read_bytes()})
        saved = read_arrays(folder / SEARCH)
        sequences = Sequences(saved["ids"], saved["offsets"])
        self.sources = np.split(sequences.ids, sequences.offsets[1:-1])
        self.translator, self.variables = Translator(task.model, task.tokenizers), {"params": parameters(folder)}
        self.beam, self.batch = dataclasses.replace(task.translator.beam, size=work.beam), work.batch
        self.longest = task.section.longest
        self.parameters = sum(leaf.size for leaf in jax.tree.leaves(self.variables))
        self.units_per_call = len(self.sources)

    def _found(self) -> list[list[Candidate]]:
        given = [self.sources] if self.batch > 1 else [[source] for source in self.sources]
        return [
            found
            for some in given
            for found in self.translator.search(self.variables, some, self.beam, longest=self.longest)
        ]

    def hypotheses(self) -> list[list[int]]:
        """The ids of the best translation of each sentence, in order."""
        return [best[0].ids.tolist() for best in self._found()]

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self._found()
