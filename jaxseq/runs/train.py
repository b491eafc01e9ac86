"""From a configuration to a trained model and what it shows: the place where a training is put together."""

import contextlib
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

import jax

from jaxseq import console, processes
from jaxseq.config import ExperimentConfig, to_json
from jaxseq.data.batching import Loader
from jaxseq.errors import CheckpointError, InputError, UnknownSymbolError
from jaxseq.memory import require_memory
from jaxseq.metrics.metric import choose_metric
from jaxseq.reporting.console import Console
from jaxseq.reporting.curves import draw_curves
from jaxseq.reporting.reporter import Reporters
from jaxseq.reporting.summary import format_table, layers_of
from jaxseq.reporting.tensorboard import TensorBoard
from jaxseq.runs import directory
from jaxseq.runs.at_once import fit_at_once
from jaxseq.runs.evaluation import SplitEvaluator, Validation
from jaxseq.runs.load import DATA, artifacts_of, load_run
from jaxseq.runs.memory import training_parts
from jaxseq.runs.ownership import CONFIG, TOKENS, VECTORS
from jaxseq.runs.resuming import require_end, require_same
from jaxseq.runs.scratch import scratch_directory
from jaxseq.runs.several import (
    first_place,
    remembered,
    require_one_device,
    require_same_everywhere,
    require_same_parts,
)
from jaxseq.signals import PATIENCE, Stopped, StopRequest, own_unless
from jaxseq.storage.atomic import write_atomic
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.storage.metrics_file import METRICS_CSV, read_metrics
from jaxseq.storage.snapshot import Snapshot
from jaxseq.tasks.capabilities import fits_at_once
from jaxseq.tasks.task import Task, Workspace, task_of
from jaxseq.training.devices import choose_devices
from jaxseq.training.intervals import total_steps
from jaxseq.training.loop import Result, Storage, Training, fit
from jaxseq.training.optim import Optimizer, make_optimizer
from jaxseq.training.row_updates import require_lookups
from jaxseq.training.state import init_state
from jaxseq.training.stopping import StopTogether


class _Parts(NamedTuple):
    """All that a training is made of."""

    task: Task
    loader: Loader
    evaluate: Validation | None
    optimizer: Optimizer


def train_run(
    config: ExperimentConfig,
    run_dir: Path,
    *,
    fresh: bool = False,
    program: str = "jaxseq train",
    stop: StopRequest | None = None,
) -> Result:
    """Trains `config` in `run_dir`, or goes on there; how it ended.

    Of several processes (`jaxseq.processes`) each calls this; process 0 holds the directory and writes, the others read
    there.

    What it prints is a courtesy: where it can no longer be printed, the run goes on without. The process is set up
    beforehand, by `jaxseq.runtime.configure`, or trains on what JAX has.

    Args:
        fresh: start anew where there is a run; it is deleted when all else is known to be in order.
        program: how the command was typed, so that another one can be named at the end.
        stop: what signals are noted by; by default one of its own.

    Raises:
        InputError: the directory belongs to another configuration or process, or something given cannot be used.
        Stopped: a signal came before there was anything to save.
    """
    with console.courtesy(), own_unless(stop) as stop, contextlib.ExitStack() as stack:
        processes.require_count(config.train.processes)
        require_same_everywhere(config)
        writes = processes.writes()
        processes.together(lambda: directory.check(run_dir, config, fresh=fresh))
        if config.train.debug_nonfinite:
            return _search(config, run_dir, fresh=fresh, stop=stop)
        processes.together(stop.poll)
        if writes:
            processes.together(lambda: stack.enter_context(directory.held(run_dir)))
        else:
            processes.together(lambda: None)
        going_on = processes.of_first(not fresh and directory.has_begun(run_dir))
        stopping = StopTogether(stop)
        parts = _parts_everywhere(config, run_dir, going_on=going_on, fresh=fresh, stop=stop, stopping=stopping)
        if writes and fresh:
            directory.clear(run_dir)
        if writes:
            for line in directory.make_way(run_dir):
                console.tell(line)
        processes.together(stop.poll)
        result = _train(config, run_dir, parts, stopping)
        if result.stopped != "signal" and writes:
            try:
                _finish(config, run_dir, parts.task, result, program, stop)
            except Stopped as stopped:
                console.tell(
                    "stopped at what a run ends with, and all of the training is saved: the same command makes it"
                )
                result = result._replace(stopped="signal", signal=stopped.signal)
        return result


def _search(config: ExperimentConfig, run_dir: Path, *, fresh: bool, stop: StopRequest) -> Result:
    """Trains on in a copy of the run, to see where a number that is not finite comes from.

    Raises:
        InputError: one came; the message says from where.
    """
    going_on = not fresh and directory.has_begun(run_dir)
    with scratch_directory(stop) as scratch:
        copy = scratch / run_dir.name
        copy.mkdir()
        if going_on:
            to = copy / "checkpoints"
            to.mkdir()
            CheckpointStore(run_dir / "checkpoints").read(
                lambda found: shutil.copytree(found.path, to / f"{found.step:08d}", dirs_exist_ok=True)
            )
            for name in (TOKENS, VECTORS):
                if (run_dir / name).exists():  # it is replaced, never written in place
                    (copy / name).symlink_to((run_dir / name).absolute())
            if (run_dir / "metrics.csv").is_file():
                shutil.copy(run_dir / "metrics.csv", copy)
        stopping = StopTogether(stop)
        parts = _parts(config, copy, going_on=going_on, stop=stop, stopping=stopping)
        result = _train(config, copy, parts, stopping)
    if result.stopped != "signal":
        console.show(f"every loss and gradient up to step {result.step} was finite")
    return result


def _parts_everywhere(
    config: ExperimentConfig, run_dir: Path, *, going_on: bool, fresh: bool, stop: StopRequest, stopping: StopTogether
) -> _Parts:
    """As `_parts`, in every process, of which all have the same."""

    def parts(fresh: bool) -> _Parts:
        return _parts(config, run_dir, going_on=going_on, fresh=fresh, stop=stop, stopping=stopping)

    if not (config.data.keeps_file or config.task.keeps_file):
        made = processes.together(lambda: parts(fresh))
    else:  # process 0 writes the file of tokens or of vectors, and the others find it
        first = processes.together(lambda: parts(fresh) if processes.writes() else None)
        made = processes.together(lambda: first or parts(False))
    require_same_parts(made.task)
    return made


def _parts(
    config: ExperimentConfig,
    run_dir: Path,
    *,
    going_on: bool,
    fresh: bool = False,
    stop: StopRequest,
    stopping: StopTogether,
) -> _Parts:
    """What `config` describes, which fits the run where one is gone on with; writes nothing but what is made of data.

    Raises:
        InputError: something given cannot be used, does not fit the other parts, or would make another run of it.
    """
    opened = CheckpointStore(run_dir / "checkpoints").open() if going_on else None
    checkpoint = opened and opened[0]
    if checkpoint is not None:
        require_same(run_dir, config, checkpoint)
    task = _create(config, run_dir, checkpoint, fresh=fresh, stop=stop)
    loader = task.loader("train", train=True)
    devices, model_devices = config.train.devices, config.train.model_devices
    choose_devices(devices, loader.batch_size, model=model_devices)  # complains here, before anything is written
    evaluation, evaluate = task.validation(), None
    if evaluation is not None:
        evaluator = SplitEvaluator(evaluation, devices=devices, model_devices=model_devices)
        evaluate = Validation(evaluator, config.train.evaluate_batches, stopping.poll)
    choose_metric(task.metrics, config.train.metric)
    optimizer = make_optimizer(config.optimizer, steps=total_steps(config.train, loader.steps_per_epoch))
    _require_lookups(task, loader, optimizer)
    require_one_device(config, task)
    require_memory("training", training_parts(config, task, optimizer))
    task.require_showcase_memory()
    if checkpoint is not None:
        require_end(run_dir, config, checkpoint, steps_per_epoch=loader.steps_per_epoch)
    return _Parts(task, loader, evaluate, optimizer)


def _create(
    config: ExperimentConfig, run_dir: Path, checkpoint: Snapshot | None, *, fresh: bool = False, stop: StopRequest
) -> Task:
    """The task with its data; of a run that goes on from `checkpoint`, by its artifacts, and the same data as then.

    Raises:
        InputError: the data cannot be used, or have changed.
    """
    changed = CheckpointError(
        f"{config.data.source} has changed since {run_dir} was begun with it, or is another text: give the same text, "
        "or start anew with --fresh"
    )
    artifacts = None if checkpoint is None else artifacts_of(checkpoint.files)
    if checkpoint is not None and artifacts is not None:
        try:
            task_of(config).restore(config, artifacts)
        except InputError as error:
            raise CheckpointError(
                f"{checkpoint.path} cannot be used, it was changed by hand ({error}): start anew with --fresh"
            ) from error
    line = console.ProgressLine()
    workspace = Workspace(
        directory=run_dir,
        artifacts=artifacts,
        anew=fresh,
        poll=stop.poll,
        waiting=stop.raising,
        tell=console.tell,
        progress=line.show,
    )
    try:
        task = task_of(config).create(config, workspace)
    except UnknownSymbolError as error:
        if checkpoint is not None:
            raise changed from error
        raise
    finally:
        line.end()
    if checkpoint is not None and not task.has_fingerprint(str(checkpoint.meta.get(DATA))):
        raise changed
    return task


def _require_lookups(task: Task, loader: Loader, optimizer: Optimizer) -> None:
    """Refuses updates by rows of what the task's loss does not only look rows up in.

    Raises:
        InputError: there is such a table, or none at all.
    """
    if optimizer.rows is not None:
        variables = jax.eval_shape(task.init, jax.random.key(0))
        carry = jax.eval_shape(lambda: task.initial_carry(loader.batch_size))
        require_lookups(task.loss, variables, carry, loader(0), optimizer=optimizer)


def _train(config: ExperimentConfig, run_dir: Path, parts: _Parts, stop: StopTogether) -> Result:
    """Shows what is trained, and trains it."""
    task, loader, evaluate, optimizer = parts
    stop.poll()
    described = to_json(remembered(config)).encode()
    if processes.writes():
        write_atomic(run_dir / CONFIG, described)

    console.show(f"{config.name}: {task.overview()}")
    if loader.left_out and not fits_at_once(task):
        console.show(f"left out of every epoch: {loader.left_out}")
    if evaluate is not None and evaluate.evaluator.left_out:
        console.show(f"left out of the validation: {evaluate.evaluator.left_out}")
    store = CheckpointStore(run_dir / "checkpoints", keep=config.train.keep)
    storage = Storage(run_dir, store, {DATA: task.fingerprint()}, {CONFIG: described, **task.artifacts()})
    told = [Console(task.metrics, counted=task.counted), TensorBoard(run_dir)] if processes.writes() else []
    reporter = Reporters(*told)
    if fits_at_once(task):
        return fit_at_once(config, storage, task, evaluate, reporter, stop)
    console.show(format_table(layers_of(*task.layer_outputs()[:3])))
    # Different keys for parameters and for the draws while training.
    key = jax.random.key(config.train.seed)
    carry = task.initial_carry(loader.batch_size)
    with jax.default_device(first_place(config)):
        state = init_state(task.init(key), optimizer, key=jax.random.fold_in(key, 1), carry=carry)
    stop.poll()  # from here on there is something to save
    training = Training(task.loss, state, loader, optimizer, evaluate, task.metrics)
    return fit(training, storage, config.train, reporter=reporter, stop=stop)


def _finish(
    config: ExperimentConfig, run_dir: Path, task: Task, result: Result, program: str, stop: StopRequest
) -> None:
    """What a run ends with: its validation metrics, curve and showcase, and what to try next."""
    stop.patience = PATIENCE  # all of the training is saved
    run = load_run(run_dir)  # its best checkpoint may be of before a prompt was changed
    shown = task.showcase(run.variables, jax.random.key(config.train.seed), step=run.step, poll=stop.poll)
    if undeclared := sorted(shown.files.keys() - task.showcase_files.keys()):
        raise ValueError(
            f"{type(task).__name__}.showcase gives {undeclared[0]}, which its showcase_files does not name"
        )
    for name, content in shown.files.items():
        write_atomic(run_dir / name, content)
    console.show()
    _show_validation(config, run_dir, result, task)
    for name, content in shown.files.items():
        if name.endswith(".txt"):
            console.show(f"\n{content.decode().removesuffix(chr(10))}\n")
    draw_curves(run_dir / METRICS_CSV, run_dir / "curves.png", metric=task.metrics[0], title=config.name)
    where = f"everything is in {run_dir}"
    if shown.command:
        command, *words = shown.command
        line = shlex.join(str(run_dir) if word == "RUN" else word for word in words)
        where += f"; {shown.invitation}:\n  {_spelled(program, command)} {line}"
    console.show(where)


def _show_validation(config: ExperimentConfig, run_dir: Path, result: Result, task: Task) -> None:
    names = [metric.name for metric in task.metrics]
    rows = read_metrics(run_dir / METRICS_CSV, tell=console.tell)
    measured = [row for row in rows if row["split"] == "validation" and all(map(row.get, names))]
    if measured:
        metric, best = choose_metric(task.metrics, config.train.metric), ""
        if result.best_value is not None:
            best = f"; best {metric.name.replace('_', ' ')} {result.best_value:.4f} at step {result.best_step}"
        console.show(f"validation: {task.describe({name: float(measured[-1][name]) for name in names})}{best}")


def _spelled(program: str, command: str) -> str:
    """A command as whoever typed `program` types it: "jaxseq sample", "sample.py" beside "train.py"."""
    script = f"{command}.py"
    return f"python3 {script}" if program == "train.py" and Path(script).is_file() else f"jaxseq {command}"
