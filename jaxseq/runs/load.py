"""From a run directory to a trained model."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.config import ExperimentConfig, from_json
from jaxseq.errors import CheckpointError, InputError
from jaxseq.runs.ownership import CONFIG
from jaxseq.storage.checkpoint import CheckpointStore, Restored
from jaxseq.storage.metrics_file import METRICS_CSV
from jaxseq.tasks.capabilities import fits_at_once
from jaxseq.tasks.task import Task, task_of

DATA = "corpus"
"""Entry of a checkpoint's meta: the fingerprint of the data that the run was trained on."""


class Run(NamedTuple):
    """A trained model and all it takes to use it."""

    experiment: ExperimentConfig
    task: Task
    """Restored: it has no data."""
    variables: dict[str, Any]
    """{"params": ...} and other collections, as Flax's `apply` takes them."""
    step: int
    fingerprint: str
    """Of the data that it was trained on."""
    skipped: list[str]
    """One line for each newer checkpoint that could not be used: which, and why."""

    @property
    def params(self) -> dict[str, Any]:
        """The parameters alone."""
        return self.variables["params"]


def load_run(run_dir: str | Path, *, checkpoint: Literal["best", "newest"] = "best") -> Run:
    """The model of a run directory, which needs nothing else. Without validation the newest checkpoint is the best.

    Raises:
        CheckpointError: there is no run, no checkpoint, or none that is whole.
    """
    run_dir = Path(run_dir)
    store = CheckpointStore(run_dir / "checkpoints")
    try:
        trained = run_dir.is_dir() and bool(store.steps())
    except OSError as error:
        raise CheckpointError(f"{run_dir} cannot be read ({error.strerror}): check the permissions above it") from error
    opened = _opened(store, checkpoint) if trained else None
    if opened is None:
        raise CheckpointError(f"{run_dir} holds no trained model: train one with `jaxseq train`, or check the path")
    named, not_a_run = f"the checkpoint of step {opened.step} in {run_dir}", "it is not of `jaxseq train`"
    if CONFIG not in opened.files:
        raise CheckpointError(f"{named} holds no {CONFIG}: {not_a_run}; choose another run directory")
    fingerprint = opened.meta.get(DATA)
    if not isinstance(fingerprint, str):
        raise CheckpointError(f"{named} names no {DATA}: {not_a_run}; choose another run directory")
    try:
        experiment = experiment_of(opened.files)
        task = task_of(experiment).restore(experiment, artifacts_of(opened.files))
    except InputError as error:
        raise CheckpointError(f"{named} cannot be used, it was changed by hand ({error}): train anew") from error
    expected = jax.eval_shape(task.init, jax.random.key(0))
    fits = jax.tree.structure(expected) == jax.tree.structure(opened.arrays)
    if fits and not fits_at_once(task):  # where the data tell how large the arrays are, shapes are not known here
        fits = jax.tree.map(lambda leaf: leaf.shape, expected) == jax.tree.map(np.shape, opened.arrays)
    if not fits:
        raise CheckpointError(
            f"{named} does not fit its own {CONFIG} and {', '.join(task.artifacts())}: one of them was changed by "
            "hand; train anew"
        )
    variables = jax.tree.map(jnp.asarray, opened.arrays)
    return Run(experiment, task, variables, opened.step, fingerprint, opened.skipped)


def experiment_of(files: dict[str, bytes]) -> ExperimentConfig:
    """The experiment in the files of a checkpoint.

    Raises:
        ConfigError: it is none.
    """
    return from_json(files[CONFIG].decode("utf-8", "replace"))


def files_of(run_dir: Path) -> dict[str, bytes]:
    """The small files in the newest checkpoint of a run that can be used; {} where there is none."""
    try:
        opened = CheckpointStore(run_dir / "checkpoints").open()
    except CheckpointError:
        return {}
    return {} if opened is None else opened[0].files


def artifacts_of(files: dict[str, bytes]) -> dict[str, bytes]:
    """Those of the task, in the files of a checkpoint."""
    return {name: content for name, content in files.items() if name not in (CONFIG, METRICS_CSV)}


def _opened(store: CheckpointStore, checkpoint: Literal["best", "newest"]) -> Restored | None:
    """The parameters asked for; where the best ones are damaged the newest, and a line in `skipped` that says so. None
    where there are none, or no longer."""
    lost: list[str] = []
    if checkpoint == "best" and store.has_best():
        try:
            return store.restore_variables(which="best")
        except CheckpointError as error:
            lost = [f"{error}; the newest one serves instead of the best"]
    newest = store.restore_variables()
    return None if newest is None else newest._replace(skipped=[*lost, *newest.skipped])
