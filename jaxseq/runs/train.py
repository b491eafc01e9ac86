"""From a configuration to a trained model, its curve and its sample: the place where a training is put together."""

import json
import shlex
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import jax

from jaxseq import console
from jaxseq.config import ExperimentConfig, to_json
from jaxseq.data.sources import waits
from jaxseq.decoding import Sampling, Transcript, prompt_ids, prompt_remark, stream
from jaxseq.errors import CheckpointError, InputError, UnknownSymbolError
from jaxseq.metrics.metric import choose_metric
from jaxseq.opening import read_bytes
from jaxseq.reporting.console import Console
from jaxseq.reporting.curves import draw_curves
from jaxseq.reporting.reporter import Reporters
from jaxseq.reporting.summary import format_table, layers_of
from jaxseq.reporting.tensorboard import TensorBoard
from jaxseq.runs import directory
from jaxseq.runs.evaluation import SplitEvaluator, Validation
from jaxseq.runs.load import load_run
from jaxseq.runs.memory import require_memory, sampling_parts, training_parts
from jaxseq.runs.resuming import require_end
from jaxseq.runs.scratch import scratch_directory
from jaxseq.signals import PATIENCE, Stopped, StopRequest, own_unless
from jaxseq.storage.atomic import write_atomic
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.storage.metrics_file import METRICS_CSV, read_metrics
from jaxseq.storage.snapshot import Snapshot
from jaxseq.tasks import language_modeling as task
from jaxseq.tasks.corpora import Prepared, TextLoader, prepare, training_loader
from jaxseq.tasks.language_modeling import LanguageModel
from jaxseq.text.tokenizers import Tokenizer, tokenizer_from_text
from jaxseq.training.devices import choose_devices
from jaxseq.training.intervals import total_steps
from jaxseq.training.loop import Result, fit
from jaxseq.training.optim import Optimizer, make_optimizer
from jaxseq.training.state import init_state


class _Parts(NamedTuple):
    """All that a training is made of."""

    prepared: Prepared
    loader: TextLoader
    model: LanguageModel
    evaluate: Validation | None
    optimizer: Optimizer


def train_run(
    config: ExperimentConfig,
    run_dir: Path,
    *,
    fresh: bool = False,
    sampler: str = "jaxseq sample",
    stop: StopRequest | None = None,
) -> Result:
    """Trains `config` in `run_dir`, or goes on there; how it ended.

    What it prints is a courtesy: where it can no longer be printed, the run goes on without. The process is set up
    beforehand, by `jaxseq.runtime.configure`, or trains on what JAX has.

    Args:
        fresh: start anew where there is a run; it is deleted when all else is known to be in order.
        sampler: command that samples, named at the end.
        stop: what signals are noted by; by default one of its own.

    Raises:
        InputError: the directory belongs to another configuration or process, or something given cannot be used.
        Stopped: a signal came before there was anything to save.
    """
    with console.courtesy(), own_unless(stop) as stop:
        directory.check(run_dir, config, fresh=fresh)
        if config.train.debug_nonfinite:
            return _search(config, run_dir, fresh=fresh, stop=stop)
        stop.poll()
        with directory.held(run_dir):
            going_on = not fresh and directory.has_begun(run_dir)
            parts = _parts(config, run_dir, going_on=going_on, fresh=fresh, stop=stop)
            if fresh:
                directory.clear(run_dir)
            for line in directory.make_way(run_dir):
                console.tell(line)
            result = _train(config, run_dir, parts, stop)
            if result.stopped != "signal":
                try:
                    _finish(config, run_dir, result, sampler, stop)
                except Stopped as stopped:
                    console.tell("stopped at the sample, and all of the training is saved: the same command makes it")
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
            for name in ("tokenizer.json", "tokens.npy"):  # files are replaced, never written in place
                if (run_dir / name).exists():
                    (copy / name).symlink_to((run_dir / name).absolute())
            if (run_dir / "metrics.csv").is_file():
                shutil.copy(run_dir / "metrics.csv", copy)
        result = _train(config, copy, _parts(config, copy, going_on=going_on, stop=stop), stop)
    if result.stopped != "signal":
        console.show(f"every loss and gradient up to step {result.step} was finite")
    return result


def _parts(
    config: ExperimentConfig, run_dir: Path, *, going_on: bool, fresh: bool = False, stop: StopRequest
) -> _Parts:
    """What `config` describes, which fits the run where one is gone on with.

    Raises:
        InputError: something given cannot be used, or another end of the run would make another run of it.
    """
    opened = CheckpointStore(run_dir / "checkpoints").open() if going_on else None
    checkpoint = opened and opened[0]
    parts = _build(config, _prepare(config, run_dir, checkpoint, fresh=fresh, stop=stop), stop)
    if checkpoint is not None:
        require_end(run_dir, config, checkpoint, steps_per_epoch=parts.loader.steps_per_epoch)
    return parts


def _prepare(
    config: ExperimentConfig, run_dir: Path, checkpoint: Snapshot | None, *, fresh: bool = False, stop: StopRequest
) -> Prepared:
    """The corpus; of a run that goes on from `checkpoint`, by its tokenizer, and the same as then. A fresh one has a
    token file of its own, whatever is there.

    Raises:
        InputError: the source cannot be used, or has changed; or the token file is damaged.
    """
    tokenizer = _read_tokenizer(run_dir / "tokenizer.json") if checkpoint is not None else None
    if checkpoint is not None and tokenizer is not None and checkpoint.meta.get("tokenizer") != tokenizer.fingerprint:
        raise CheckpointError(
            f"{run_dir / 'tokenizer.json'} is not the tokenizer that the checkpoint of step {checkpoint.step} was made "
            f"with (its fingerprint is {tokenizer.fingerprint}, not {checkpoint.meta.get('tokenizer')}): put that one "
            "back, or start anew with --fresh"
        )
    changed = CheckpointError(
        f"{config.data.source} has changed since {run_dir} was begun with it, or is another text: give the same text, "
        "or start anew with --fresh"
    )
    line, file = _ProgressLine(), run_dir / "tokens.npy"
    try:
        with stop.raising() if waits(config.data.source) else nullcontext():
            prepared = prepare(
                config.data, tokenizer=tokenizer, token_file=file, anew=fresh, progress=line.show, poll=stop.poll
            )
    except UnknownSymbolError as error:
        if checkpoint is not None:
            raise changed from error
        raise
    finally:
        line.end()
    if checkpoint is not None and not prepared.has_fingerprint(str(checkpoint.meta.get("corpus"))):
        raise changed
    if checkpoint is None and (remark := getattr(prepared.tokenizer, "remark", None)):
        console.tell(remark)
    return prepared


def _read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer in the tokenizer.json at `path`.

    Raises:
        CheckpointError: it cannot be read, or holds no tokenizer.
    """
    try:
        return tokenizer_from_text(read_bytes(path))
    except (OSError, InputError) as error:
        raise CheckpointError(
            f"{path} cannot be used ({error}): take the one of a checkpoint, or start anew with --fresh"
        ) from error


class _ProgressLine:
    """How many tokens are in the token file by now, on a terminal."""

    def __init__(self) -> None:
        self._shown = False

    def show(self, count: int) -> None:
        if sys.stderr.isatty():
            print(f"\rtoken file: {count:,} tokens", end="", file=sys.stderr, flush=True)
            self._shown = True

    def end(self) -> None:
        if self._shown:
            print(file=sys.stderr)


def _build(config: ExperimentConfig, prepared: Prepared, stop: StopRequest) -> _Parts:
    """What `config` describes; writes nothing.

    Raises:
        InputError: the parts do not fit each other or the text.
    """
    tokenizer, corpus = prepared
    try:
        prompt_ids(tokenizer, config.sample.prompt)
    except UnknownSymbolError as error:
        raise InputError(f"sample.prompt is {config.sample.prompt!r}: {error}") from error
    if remark := prompt_remark(tokenizer, config.sample.prompt):
        console.tell(f"sample.prompt: {remark}")
    choose_devices(config.train.devices, config.data.batch_size)  # complains here, before anything is written
    loader = training_loader(config.data, corpus, seed=config.train.seed)
    model = task.build_model(config.model, vocabulary_size=len(tokenizer.vocabulary), dtype=config.train.compute_dtype)
    evaluation, evaluate = task.validation(config, model, corpus), None
    if evaluation is not None:
        evaluator = SplitEvaluator(evaluation, devices=config.train.devices)
        evaluate = Validation(evaluator, config.train.evaluate_batches, stop.poll)
    choose_metric(task.METRICS, config.train.metric)
    optimizer = make_optimizer(config.optimizer, steps=total_steps(config.train, loader.steps_per_epoch))
    require_memory("training", training_parts(config, model, loader, optimizer))
    params = jax.eval_shape(lambda: task.init_params(model, seed=0))
    sample = sampling_parts(model, params, rows=1, length=config.sample.length)
    require_memory("the sample at the end", sample, remedy="lower sample.length, or the size of the model")
    return _Parts(prepared, loader, model, evaluate, optimizer)


def _train(config: ExperimentConfig, run_dir: Path, parts: _Parts, stop: StopRequest) -> Result:
    """Shows what is trained, and trains it."""
    (tokenizer, corpus), loader, model, evaluate, optimizer = parts
    stop.poll()
    texts = {
        "config.json": to_json(config),
        "tokenizer.json": json.dumps(tokenizer.to_json(), ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        write_atomic(run_dir / name, text)

    batches = f"{loader.steps_per_epoch:,} batches of {loader.batch_size} x {loader.length} an epoch"
    console.show(f"{config.name}: {len(corpus.ids):,} tokens, vocabulary {len(tokenizer.vocabulary)}, {batches}")
    if loader.left_out:
        console.show(f"left out of every epoch: {loader.left_out}")
    if evaluate is not None and evaluate.evaluator.left_out:
        console.show(f"left out of the validation: {evaluate.evaluator.left_out}")
    shapes = task.layer_outputs(model, batch_size=config.data.batch_size, length=config.data.length)
    console.show(format_table(layers_of(*shapes)))
    # Different keys for parameters and for the draws while training.
    init_seed, run_key = config.train.seed, jax.random.fold_in(jax.random.key(config.train.seed), 1)
    carry = model.initial_carry(config.data.batch_size) if loader.carried else None
    state = init_state({"params": task.init_params(model, seed=init_seed)}, optimizer, key=run_key, carry=carry)
    stop.poll()  # from here on there is something to save
    return fit(
        task.make_loss_fn(model, loader),
        state,
        loader,
        optimizer=optimizer,
        config=config.train,
        run_dir=run_dir,
        store=CheckpointStore(run_dir / "checkpoints", keep=config.train.keep),
        evaluate=evaluate,
        metrics=task.METRICS,
        reporter=Reporters(Console(task.METRICS), TensorBoard(run_dir)),
        meta={"corpus": parts.prepared.fingerprint(), "tokenizer": tokenizer.fingerprint},
        files=texts,
        stop=stop,
    )


def _finish(config: ExperimentConfig, run_dir: Path, result: Result, sampler: str, stop: StopRequest) -> None:
    """What a run ends with: its validation metrics, curve and sample, and how to make more."""
    stop.patience = PATIENCE  # all of the training is saved
    loaded = load_run(run_dir)
    choice, prompt = Sampling(temperature=config.sample.temperature), config.sample.prompt
    transcript = Transcript(loaded.tokenizer, prompt)
    for ids in stream(
        loaded.model,
        loaded.params,
        prompt_ids(loaded.tokenizer, prompt),
        length=config.sample.length,
        key=jax.random.key(config.train.seed),
        sampling=choice,
    ):
        stop.poll()
        transcript.push(ids)
    transcript.finish()
    sample = transcript.prompt + transcript.text
    write_atomic(run_dir / "samples.txt", f"step {loaded.step}, temperature {choice.temperature}\n\n{sample}\n")
    console.show()
    names = ("bits_per_token", "loss", "accuracy")
    rows = read_metrics(run_dir / METRICS_CSV, tell=console.tell)
    measured = [row for row in rows if row["split"] == "validation" and all(map(row.get, names))]
    if measured:
        last = {name: float(measured[-1][name]) for name in names}
        metric, best = choose_metric(task.METRICS, config.train.metric), ""
        if result.best_value is not None:
            best = f"; best {metric.name.replace('_', ' ')} {result.best_value:.4f} at step {result.best_step}"
        kind = "character" if config.data.tokenizer == "char" else "symbol"
        console.show(
            f"validation: {last['bits_per_token']:.4f} bits per {kind}, loss {last['loss']:.4f}, "
            f"accuracy {last['accuracy']:.2%}{best}"
        )
    console.show(f"\n{sample}\n")
    draw_curves(run_dir / METRICS_CSV, run_dir / "curves.png", metric=task.METRICS[0], title=config.name)
    again = f"{sampler} {shlex.quote(str(run_dir))} {_prompt_option(prompt or _beginning(sample))}"
    console.show(f"everything is in {run_dir}; sample more with:\n  {again}")


def _prompt_option(prompt: str) -> str:
    """As it is typed; a value that begins with a dash looks like an option of its own."""
    return f"--prompt{'=' if prompt.startswith('-') else ' '}{shlex.quote(prompt)}"


def _beginning(text: str) -> str:
    """The first words of a text, on one line: a prompt of which the vocabulary surely has every character."""
    lines = (line.strip(" -") for line in text.splitlines())  # what begins with a dash looks like an option
    line, most = next(filter(None, lines), ""), 24
    return line if len(line) <= most else line[:most].rpartition(" ")[0] or line[:most]
