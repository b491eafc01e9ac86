"""`jaxseq train`: from a configuration to a trained model, its curve and its sample."""

import dataclasses
import json
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxseq.commands.arguments import parse
from jaxseq.config import ExperimentConfig, load_config, to_json
from jaxseq.errors import CheckpointError, InputError, UnknownSymbolError

if TYPE_CHECKING:
    from jaxseq.tasks.corpora import Prepared, TextLoader
    from jaxseq.tasks.language_model import LanguageModel, Validation
    from jaxseq.training.loop import Result
    from jaxseq.training.optim import Optimizer

_QUICKSTART = "Trains a character model on Python's own manual; no download. Give a file of configs/ for another one."


@dataclass(frozen=True)
class TrainArguments(ExperimentConfig):
    """An experiment, and where and how it runs."""

    run_dir: Path | None = None
    """Run directory; by default runs/NAME."""
    fresh: bool = False
    """Start anew, instead of going on where the run stopped; what the run directory holds of it is deleted."""


class _Parts(NamedTuple):
    """All that a training is made of."""

    prepared: "Prepared"
    loader: "TextLoader"
    model: "LanguageModel"
    evaluate: "Validation | None"
    optimizer: "Optimizer"


def main(argv: Sequence[str], *, program: str) -> int:
    """Parses, trains, reports; returns the exit code."""
    argv, named = list(argv), ""
    config, description = ExperimentConfig(), _QUICKSTART
    if argv and not argv[0].startswith("-"):
        named = argv.pop(0)
        config, description = load_config(named)
    fields = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    arguments = parse(
        TrainArguments,
        argv,
        program=f"{program} {named}".rstrip(),
        usage="" if named else "[configs/NAME.py]",
        description=description,
        default=TrainArguments(**fields),
    )
    config = ExperimentConfig(**{name: getattr(arguments, name) for name in fields})
    sampler = "jaxseq sample" if program.startswith("jaxseq") else "python3 sample.py"
    return run(config, arguments.run_dir or Path("runs") / config.name, fresh=arguments.fresh, sampler=sampler)


def run(config: ExperimentConfig, run_dir: Path, *, fresh: bool = False, sampler: str = "jaxseq sample") -> int:
    """Trains `config` in `run_dir`, or goes on there; returns the exit code.

    Args:
        fresh: start anew where there is a run; it is deleted when all else is known to be in order.
        sampler: command that samples, named at the end.

    Raises:
        InputError: the directory belongs to another configuration or process, or something given cannot be used.
    """
    from jaxseq import runtime

    runtime.configure(devices=config.train.devices, allocator=config.train.allocator)
    from jaxseq.commands import run_directory

    run_directory.check(run_dir, config, fresh=fresh)
    if config.train.debug_nonfinite:
        return _search(config, run_dir, fresh=fresh)
    with run_directory.held(run_dir):
        parts = _build(config, _prepare(config, run_dir, going_on=not fresh and run_directory.has_begun(run_dir)))
        if fresh:
            run_directory.clear(run_dir)
        result = _train(config, run_dir, parts)
        if result.stopped != "signal":
            _finish(config, run_dir, result, sampler)
    return result.exit_code


def _search(config: ExperimentConfig, run_dir: Path, *, fresh: bool) -> int:
    """Trains on in a copy of the run, to see where a number that is not finite comes from.

    Raises:
        InputError: one came; the message says from where.
    """
    from jaxseq.commands import run_directory

    going_on = not fresh and run_directory.has_begun(run_dir)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / run_dir.name
        copy.mkdir()
        if going_on:
            shutil.copytree(run_dir / "checkpoints", copy / "checkpoints")
            for name in ("tokenizer.json", "tokens.npy"):  # files are replaced, never written in place
                if (run_dir / name).exists():
                    (copy / name).symlink_to((run_dir / name).absolute())
        result = _train(config, copy, _build(config, _prepare(config, copy, going_on=going_on)))
    if result.stopped != "signal":
        print(f"every loss and gradient up to step {result.step} was finite")
    return result.exit_code


def _prepare(config: ExperimentConfig, run_dir: Path, *, going_on: bool) -> "Prepared":
    """The corpus; of a run that is gone on with, by its tokenizer, and the same as then.

    Raises:
        InputError: the source cannot be used, or has changed.
    """
    from jaxseq.tasks.corpora import prepare
    from jaxseq.tasks.language_model import read_tokenizer
    from jaxseq.training.checkpoint import CheckpointStore

    opened = CheckpointStore(run_dir / "checkpoints").open() if going_on else None
    tokenizer = read_tokenizer(run_dir / "tokenizer.json") if opened is not None else None
    if opened is not None and tokenizer is not None and opened[0].meta["tokenizer"] != tokenizer.fingerprint:
        raise CheckpointError(
            f"{run_dir / 'tokenizer.json'} is not the tokenizer that the checkpoint of step {opened[0].step} was made "
            f"with (its fingerprint is {tokenizer.fingerprint}, not {opened[0].meta['tokenizer']}): put that one back, "
            "or start anew with --fresh"
        )
    changed = CheckpointError(
        f"{config.data.source} has changed since {run_dir} was begun with it: give the same text, or start anew with "
        "--fresh"
    )
    line = _ProgressLine()
    try:
        prepared = prepare(config.data, tokenizer=tokenizer, token_file=run_dir / "tokens.npy", progress=line.show)
    except UnknownSymbolError as error:
        if going_on:
            raise changed from error
        raise
    finally:
        line.end()
    if opened is not None and opened[0].meta["corpus"] != prepared.fingerprint():
        raise changed
    return prepared


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


def _build(config: ExperimentConfig, prepared: "Prepared") -> _Parts:
    """What `config` describes; writes nothing.

    Raises:
        InputError: the parts do not fit each other or the text.
    """
    from jaxseq.decoding import prompt_ids
    from jaxseq.tasks import language_model as task
    from jaxseq.tasks.corpora import training_loader
    from jaxseq.training.optim import make_optimizer
    from jaxseq.training.plan import total_steps
    from jaxseq.training.sharding import choose_layout

    tokenizer, corpus = prepared
    try:
        prompt_ids(tokenizer, config.sample.prompt)
    except UnknownSymbolError as error:
        raise InputError(f"sample.prompt is {config.sample.prompt!r}: {error}") from error
    choose_layout(config.train.devices, config.data.batch_size)  # complains here, before anything is written
    loader = training_loader(config.data, corpus, seed=config.train.seed)
    model = task.build_model(config.model, vocabulary_size=len(tokenizer.vocabulary), dtype=config.train.compute_dtype)
    evaluate = task.validation_evaluator(config, model, corpus)
    optimizer = make_optimizer(config.optimizer, steps=total_steps(config.train, loader.steps_per_epoch))
    return _Parts(prepared, loader, model, evaluate, optimizer)


def _train(config: ExperimentConfig, run_dir: Path, parts: _Parts) -> "Result":
    """Shows what is trained, and trains it."""
    import jax

    from jaxseq.tasks import language_model as task
    from jaxseq.training.checkpoint import CheckpointStore
    from jaxseq.training.files import write_atomic
    from jaxseq.training.loop import fit
    from jaxseq.training.report import Console, Reporters, TensorBoard
    from jaxseq.training.state import init_state
    from jaxseq.training.table import format_table, layers_of

    (tokenizer, corpus), loader, model, evaluate, optimizer = parts
    texts = {
        "config.json": to_json(config),
        "tokenizer.json": json.dumps(tokenizer.to_json(), ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        write_atomic(run_dir / name, text)

    batches = f"{loader.steps_per_epoch:,} batches of {loader.batch_size} x {loader.length} an epoch"
    print(f"{config.name}: {len(corpus.ids):,} tokens, vocabulary {len(tokenizer.vocabulary)}, {batches}")
    if loader.left_out:
        print(f"left out of every epoch: {loader.left_out}")
    if evaluate is not None and evaluate.evaluator.left_out:
        print(f"left out of the validation: {evaluate.evaluator.left_out}")
    shapes = task.layer_outputs(model, batch_size=config.data.batch_size, length=config.data.length)
    print(format_table(layers_of(*shapes)), flush=True)
    # Different keys for parameters and for the draws while training.
    init_seed, run_key = config.train.seed, jax.random.fold_in(jax.random.key(config.train.seed), 1)
    carry = model.initial_carry(config.data.batch_size) if loader.carried else None
    return fit(
        task.make_loss_fn(model, loader),
        init_state(task.init_params(model, seed=init_seed), optimizer, key=run_key, carry=carry),
        loader,
        optimizer=optimizer,
        config=config.train,
        run_dir=run_dir,
        store=CheckpointStore(run_dir / "checkpoints", keep=config.train.keep),
        evaluate=evaluate,
        reporter=Reporters(Console(), TensorBoard(run_dir)),
        meta={"corpus": parts.prepared.fingerprint(), "tokenizer": tokenizer.fingerprint},
        files=texts,
    )


def _finish(config: ExperimentConfig, run_dir: Path, result: "Result", sampler: str) -> None:
    """What a run ends with: its validation metrics, curve and sample, and how to make more."""
    import jax

    from jaxseq.decoding import Sampling, Transcript, generate, prompt_ids
    from jaxseq.tasks.language_model import load_run
    from jaxseq.training.curves import draw_curves
    from jaxseq.training.files import write_atomic
    from jaxseq.training.metrics import read_metrics

    draw_curves(run_dir / "metrics.csv", run_dir / "curves.png", title=config.name)
    loaded = load_run(run_dir)
    choice, prompt = Sampling(temperature=config.sample.temperature), config.sample.prompt
    ids = generate(
        loaded.model,
        loaded.params,
        prompt_ids(loaded.tokenizer, prompt),
        length=config.sample.length,
        key=jax.random.key(config.train.seed),
        sampling=choice,
    )
    transcript = Transcript(loaded.tokenizer, prompt)
    transcript.push(ids)
    transcript.finish()
    sample = transcript.prompt + transcript.text
    write_atomic(run_dir / "samples.txt", f"step {loaded.step}, temperature {choice.temperature}\n\n{sample}\n")
    print()
    measured = [row for row in read_metrics(run_dir / "metrics.csv") if row["split"] == "validation"]
    if measured:
        last = {name: float(measured[-1][name]) for name in ("bits_per_token", "loss", "accuracy")}
        kind = "character" if config.data.tokenizer == "char" else "symbol"
        print(
            f"validation: {last['bits_per_token']:.4f} bits per {kind}, loss {last['loss']:.4f}, "
            f"accuracy {last['accuracy']:.2%}; best loss {result.best_loss:.4f} at step {result.best_step}"
        )
    print(f"\n{sample}\n")
    again = f"{sampler} {shlex.quote(str(run_dir))} --prompt {shlex.quote(prompt or _beginning(sample))}"
    print(f"everything is in {run_dir}; sample more with:\n  {again}")


def _beginning(text: str) -> str:
    """The first words of a text, on one line: a prompt of which the vocabulary surely has every character."""
    lines = (line.strip(" -") for line in text.splitlines())  # what begins with a dash looks like an option
    line, most = next(filter(None, lines), ""), 24
    return line if len(line) <= most else line[:most].rpartition(" ")[0] or line[:most]
