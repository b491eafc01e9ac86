"""Tasks with pictures, and a detector as `jaxseq evaluate` runs it."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.pairs import EXPERIMENT
from benchmarks.workers.jaxseq_pairs import parameters
from benchmarks.workers.picture_files import batches
from benchmarks.works import Work
from jaxseq.config import from_json
from jaxseq.data.example_batches import ClassBatch, NumberedLoader
from jaxseq.tasks import Workspace, task_of
from jaxseq.tasks.recognition.recognition import Recognition


def training_task(folder: Path) -> Any:
    """The task of a work's folder, with its data."""
    config = from_json((folder / EXPERIMENT).read_text(encoding="utf-8"))
    return task_of(config).create(config, Workspace())


class Detection:
    """One call gives the logits of a batch CALLS times."""

    units_per_call = 10

    def __init__(self, work: Work, folder: Path) -> None:
        del work
        config = from_json((folder / EXPERIMENT).read_text(encoding="utf-8"))
        artifacts = {path.name: path.read_bytes() for path in folder.glob("*.json") if path.name != EXPERIMENT}
        task = task_of(config).restore(config, artifacts)
        assert isinstance(task, Recognition)
        self.recognizer, self.variables = task.recognizer, {"params": parameters(folder)}
        self.parameters = sum(leaf.size for leaf in jax.tree.leaves(self.variables))
        self.batch = ClassBatch(**batches(folder)[0])

    def _loader(self, batches: int) -> NumberedLoader:
        rows = len(self.batch.labels)
        return NumberedLoader(
            lambda numbers: (self.batch.inputs, self.batch.labels), batches * rows, batch_size=rows, shuffle=False
        )

    def outputs(self) -> np.ndarray:
        return self.recognizer.logits(self.variables, self._loader(1))[0]

    def run(self, calls: int) -> None:
        self.recognizer.logits(self.variables, self._loader(calls * self.units_per_call))
