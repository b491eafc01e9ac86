"""`jaxseq train`: from a configuration to a trained model, its curve and its sample."""

import dataclasses
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxseq.commands.arguments import parse
from jaxseq.config import ExperimentConfig, differences, from_json, load_config, to_json
from jaxseq.errors import CheckpointError, ConfigError, InputError

if TYPE_CHECKING:
    from jaxseq.tasks.corpora import Prepared
    from jaxseq.training.loop import Result

_QUICKSTART = "Trains a character model on Python's own manual; no download. Give a file of configs/ for another one."


@dataclass(frozen=True)
class TrainArguments(ExperimentConfig):
    """An experiment, and where and how it runs."""

    run_dir: Path | None = None
    """Run directory; by default runs/NAME."""
    fresh: bool = False
    """Delete the run directory and start anew, instead of going on where the run stopped."""


def main(argv: Sequence[str], *, program: str) -> int:
    """Parses, trains, reports; returns the exit code."""
    argv = list(argv)
    config, description = ExperimentConfig(), _QUICKSTART
    if argv and not argv[0].startswith("-"):
        config, description = load_config(argv[0])
        program = f"{program} {argv.pop(0)}"
    fields = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    arguments = parse(TrainArguments, argv, program=program, description=description, default=TrainArguments(**fields))
    config = ExperimentConfig(**{name: getattr(arguments, name) for name in fields})
    return run(config, arguments.run_dir or Path("runs") / config.name, fresh=arguments.fresh)


def run(config: ExperimentConfig, run_dir: Path, *, fresh: bool = False) -> int:
    """Trains `config` in `run_dir`, or goes on there; returns the exit code.

    Raises:
        InputError: the directory belongs to another configuration or process, or something given cannot be used.
    """
    from jaxseq import runtime

    runtime.configure(devices=config.train.devices, allocator=config.train.allocator)
    from jaxseq.training.lock import RunLock

    _check_directory(config, run_dir, fresh=fresh)
    existed = run_dir.exists()
    with RunLock(run_dir):
        try:
            if fresh:
                _empty(run_dir)
            prepared = _prepare(config, run_dir)
            return _train(config, run_dir, prepared)
        except InputError:
            if not existed and not (run_dir / "checkpoints").exists():
                shutil.rmtree(run_dir, ignore_errors=True)  # nothing half-written stays behind
            raise


def _check_directory(config: ExperimentConfig, run_dir: Path, *, fresh: bool) -> None:
    """Refuses a directory that is no run, and a run of another configuration."""
    if not run_dir.exists():
        return
    there = run_dir / "config.json"
    if not there.is_file():
        strange = [path.name for path in run_dir.iterdir() if path.name != "lock"] if run_dir.is_dir() else [run_dir]
        if strange:
            raise InputError(f"{run_dir} is not empty and holds no run: give another --run-dir or --name")
        return
    if fresh:
        return
    changed = differences(from_json(there.read_text(encoding="utf-8")), config)
    if changed:
        raise ConfigError(
            f"{run_dir} was made with another configuration ({'; '.join(changed)}): go on with that one, choose another "
            "--name or --run-dir, or start anew with --fresh"
        )


def _empty(run_dir: Path) -> None:
    for path in run_dir.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()


def _prepare(config: ExperimentConfig, run_dir: Path) -> "Prepared":
    """The corpus, by the tokenizer of the run where there is one."""
    from jaxseq.tasks.corpora import prepare
    from jaxseq.text.tokenizers import tokenizer_from_json

    known = run_dir / "tokenizer.json"
    tokenizer = tokenizer_from_json(json.loads(known.read_text(encoding="utf-8"))) if known.is_file() else None

    def progress(count: int) -> None:
        print(f"\rtoken file: {count:,} tokens", end="", file=sys.stderr, flush=True)

    prepared = prepare(config.data, tokenizer=tokenizer, token_file=run_dir / "tokens.npy", progress=progress)
    if config.data.memory_map:
        print(file=sys.stderr)
    return prepared


def _train(config: ExperimentConfig, run_dir: Path, prepared: "Prepared") -> int:
    import jax

    from jaxseq.tasks import language_model as task
    from jaxseq.tasks.corpora import training_loader
    from jaxseq.training.checkpoint import CheckpointStore
    from jaxseq.training.files import write_atomic
    from jaxseq.training.loop import fit
    from jaxseq.training.optim import make_optimizer
    from jaxseq.training.plan import total_steps
    from jaxseq.training.report import Console, Reporters, TensorBoard
    from jaxseq.training.state import init_state
    from jaxseq.training.table import format_table, layers_of

    tokenizer, corpus = prepared
    loader = training_loader(config.data, corpus, seed=config.train.seed)
    model = task.build_model(
        config.model, vocabulary_size=len(tokenizer.vocabulary), dtype=config.train.compute_dtype
    )
    evaluate = task.validation_evaluator(config, model, corpus)
    optimizer = make_optimizer(config.optimizer, steps=total_steps(config.train, loader.steps_per_epoch))
    store = CheckpointStore(run_dir / "checkpoints", keep=config.train.keep)
    meta = {"corpus": prepared.fingerprint()}
    _check_corpus(store, meta["corpus"], config.data.source, run_dir)
    texts = {
        "config.json": to_json(config),
        "tokenizer.json": json.dumps(tokenizer.to_json(), ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        write_atomic(run_dir / name, text)

    print(f"{config.name}: {len(corpus.ids):,} tokens, vocabulary {len(tokenizer.vocabulary)}, {_batches(loader)}")
    shapes = task.layer_outputs(model, batch_size=config.data.batch_size, length=config.data.length)
    print(format_table(layers_of(*shapes)), flush=True)
    # Different seeds for parameters and for the draws while training.
    init_seed, run_key = config.train.seed, jax.random.fold_in(jax.random.key(config.train.seed), 1)
    carry = model.initial_carry(config.data.batch_size) if loader.carried else None
    state = init_state(task.init_params(model, seed=init_seed), optimizer, key=run_key, carry=carry)
    result = fit(
        task.make_loss_fn(model, loader),
        state,
        loader,
        optimizer=optimizer,
        config=config.train,
        run_dir=run_dir,
        store=store,
        evaluate=evaluate,
        reporter=Reporters(Console(), TensorBoard(run_dir)),
        meta=meta,
        files=texts,
    )
    if result.stopped != "signal":
        _finish(config, run_dir, result, prepared)
    return result.exit_code


def _check_corpus(store: Any, fingerprint: str, source: str, run_dir: Path) -> None:
    """Refuses to go on with other text than the run began with."""
    opened = store.open()
    if opened is not None and opened[0].meta["corpus"] != fingerprint:
        raise CheckpointError(
            f"{source} has changed since {run_dir} was begun with it: give the same text, or start anew with --fresh"
        )


def _batches(loader: Any) -> str:
    return f"{loader.steps_per_epoch:,} batches of {loader.batch_size} x {loader.length} an epoch"


def _finish(config: ExperimentConfig, run_dir: Path, result: "Result", prepared: "Prepared") -> None:
    """What a run ends with: its validation metrics, curve and sample, and how to make more."""
    import jax

    from jaxseq.decoding import Sampling, Transcript, generate, prompt_ids
    from jaxseq.tasks.language_model import load_run
    from jaxseq.training.curves import draw_curves
    from jaxseq.training.files import write_atomic

    draw_curves(run_dir / "metrics.csv", run_dir / "curves.png", title=config.name)
    loaded = load_run(run_dir)
    choice = Sampling(temperature=config.sample.temperature)
    prompt = config.sample.prompt
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
    if result.validation is not None:
        bits = result.validation["bits_per_token"]
        kind = "character" if config.data.tokenizer == "char" else "symbol"
        print(
            f"validation: {bits:.4f} bits per {kind}, loss {result.validation['loss']:.4f}, "
            f"accuracy {result.validation['accuracy']:.2%}; best loss {result.best_loss:.4f} at step {result.best_step}"
        )
    print(f"\n{sample}\n")
    quoted = json.dumps(prompt, ensure_ascii=False)
    print(f"everything is in {run_dir}; sample more with:\n  python3 sample.py {run_dir} --prompt {quoted}")
