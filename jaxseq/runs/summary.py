"""The layers of a model, told without training it."""

import contextlib
from pathlib import Path

from jaxseq import console
from jaxseq.config import ExperimentConfig
from jaxseq.reporting.summary import format_table, layers_of
from jaxseq.runs.load import artifacts_of, experiment_of, files_of
from jaxseq.runs.ownership import CONFIG
from jaxseq.runs.scratch import scratch_directory
from jaxseq.signals import StopRequest, own_unless
from jaxseq.tasks.capabilities import fits_at_once
from jaxseq.tasks.layer_table import loss_products
from jaxseq.tasks.task import Workspace, task_of

_HEAD = (
    "outputs are for a training batch, multiply-adds for one of its rows: those of a pass forward, in matrix products "
    "and convolutions"
)
_COUNTED = "its parameters are counts, as many as the data give: `jaxseq train` counts them"


def summarize(experiment: ExperimentConfig, run_dir: Path | None = None, *, stop: StopRequest | None = None) -> str:
    """What there is to learn from, and the table of the layers that learn; nothing is computed, and nothing written.

    Args:
        run_dir: a run; where the experiment is still its own, tokenizers and the like are taken from there.
        stop: what signals are noted by; by default one of its own.

    Raises:
        InputError: something given cannot be used.
        Stopped: a signal has come.
    """
    with own_unless(stop) as stop, contextlib.ExitStack() as stack:
        stop.poll()
        line = console.ProgressLine()
        workspace = Workspace(
            directory=run_dir,
            artifacts=None if run_dir is None else _artifacts(run_dir, experiment),
            scratch=lambda: stack.enter_context(scratch_directory(stop)),
            poll=stop.poll,
            waiting=stop.raising,
            tell=console.tell,
            progress=line.show,
        )
        try:
            task = task_of(experiment).create(experiment, workspace)
        finally:
            line.end()
        head = f"{experiment.name}: {task.overview()}"
        if fits_at_once(task):
            return f"{head}\n{_COUNTED}"
        shapes, outputs, kinds, products = task.layer_outputs()
        stop.poll()
        layers = layers_of(shapes, outputs, kinds, loss_products(task) if products is None else products())
        return f"{head}\n{_HEAD}\n\n{format_table(layers)}"


def _artifacts(run_dir: Path, experiment: ExperimentConfig) -> dict[str, bytes] | None:
    files = files_of(run_dir)
    return artifacts_of(files) if CONFIG in files and experiment_of(files) == experiment else None
