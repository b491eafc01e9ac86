"""`jaxseq import`: a run that begins with weights from Keras, PyTorch or a .safetensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxseq import console, runtime
from jaxseq.commands.arguments import fail
from jaxseq.commands.experiments import parse_experiment
from jaxseq.config import ExperimentConfig
from jaxseq.errors import InputError
from jaxseq.paths import expanded, run_path
from jaxseq.signals import PATIENCE, Stopped, StopRequest, own_unless

_USAGE = "FILE --like configs/NAME.py"
_WHAT = (
    "Makes a run at step 0 whose weights are those in FILE: a .keras, .weights.h5 or .h5 of Keras's, a state_dict of "
    "PyTorch's, a .safetensors, or a folder of `jaxseq export` or with a GPT-2 of Hugging Face's."
)


@dataclass(frozen=True)
class ImportArguments(ExperimentConfig):
    """The experiment that the weights are of, and where they come from."""

    like: Path | None = None
    """The configuration of a model of the same form, as configs/NAME.py; the options below change it."""
    run_dir: Path | None = None
    """Run directory to make; by default runs/NAME."""
    tokenizer: Path | None = None
    """The tokenizer that the weights were trained with, as data.tokenizer_file has it: a Keras Tokenizer in JSON, a
    tokenizer.json, characters in the order of their ids; by default one that is trained on the data."""
    check: Path | None = None
    """An .npz of token ids ("inputs" [b, t]), what came of them elsewhere ("outputs"), and perhaps the texts that
    they are of ("texts" [b]); the run is made only if the same comes of them here."""


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, reads the weights, makes the run; returns the exit code."""
    words = list(argv)
    named = words.pop(0) if words and not words[0].startswith("-") else ""
    like = _like(words)
    if named and like is None:
        fail(f"there is no --like: the order is {program} {_USAGE} OPTIONS; see {program} --help")
    config, arguments = parse_experiment(
        ImportArguments,
        words if like is None else [like, *words],
        program=program if like is None else f"{program} FILE --like",
        usage=_USAGE,
        description=_WHAT,
    )
    if not named:
        fail(f"there is no FILE: the order is {program} {_USAGE} OPTIONS; see {program} --help")
    run_dir = run_path(arguments.run_dir or Path("runs") / config.name)
    runtime.configure(devices=config.train.devices, allocator=config.train.allocator)
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        from jaxseq.runs.importing import Given, import_run  # after that: it imports JAX

        given = Given(expanded(Path(named)), _given(arguments.tokenizer), _given(arguments.check))
        try:
            told = import_run(config, given, run_dir, stop=stop)
        except Stopped as stopped:
            return stopped.exit_code
    for line in told:
        console.show(line)
    console.show(f"the run is in {arguments.run_dir or run_dir}")
    return 0


def _like(words: list[str]) -> str | None:
    """The value of --like, taken out of the words of a command line."""
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == "--like":
            if not equals and at + 1 == len(words):
                raise InputError("--like is given without a name: give one of configs/")
            value = value if equals else words.pop(at + 1)
            words.pop(at)
            return value
    return None


def _given(path: Path | None) -> Path | None:
    return None if path is None else expanded(path)
