"""Interleaved rounds: every contestant in turn, again and again, one at a time."""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks.peers import BEFORE, MATMUL, PEERS, ROOT, environment
from benchmarks.pipe import Worker, WorkerError
from benchmarks.works import WORKS

YARDSTICK = "matmul"


@dataclass(frozen=True)
class Contestant:
    """A peer with one allocator, in one interpreter."""

    peer: str
    tuned: bool
    python: str

    @property
    def label(self) -> str:
        """As tables and results name it."""
        return f"{self.peer} +m" if self.tuned else self.peer


@dataclass(frozen=True)
class Settings:
    """How to measure: `rounds` rounds, each contestant working for `seconds` at least in every one of them."""

    device: str
    rounds: int
    seconds: float
    python: str
    """Interpreter of the yardstick."""
    say: Callable[[str], None] = print
    before: Path = ROOT
    """Checkout that takes part as `BEFORE`."""
    run: Path | None = None
    """Run directory whose model translates; None has one trained for a while."""


def contestants(work: str, pythons: dict[str, str], allocators: tuple[str, ...]) -> list[Contestant]:
    """Who takes part in `work`, of the peers in `pythons`, each with its interpreter.

    The allocator is no question for text; for generation, prediction and detection jaxseq always tunes its own.
    """
    chosen = []
    for name, python in pythons.items():
        if PEERS[name].takes_part(work):
            kind, computes = WORKS[work].kind, ("generate", "predict", "translate", "detect")
            both = kind == "train" or (kind in computes and not PEERS[name].own_setup)
            chosen += [Contestant(name, a == "tuned", python) for a in (allocators if both else ("default",))]
    return chosen


class Field:
    """The workers of one work, built and waiting; as a context manager, which ends them.

    The yardstick is the first of `workers`. Another that fails is dropped, and what it printed last stands in `failed`.
    """

    def __init__(self, name: str, entered: Sequence[Contestant], settings: Settings) -> None:
        self.workers: dict[str, Worker] = {}
        self.failed: dict[str, str] = {}
        self._settings = settings
        self._folder = tempfile.TemporaryDirectory()
        data.prepare(name, Path(self._folder.name), settings.run)
        first = {"work": name, "folder": self._folder.name, "device": settings.device}
        for one in (Contestant(YARDSTICK, False, settings.python), *entered):
            peer = MATMUL if one.peer == YARDSTICK else PEERS[one.peer]
            root = settings.before if one.peer == BEFORE else ROOT
            around = environment(peer, tuned=one.tuned, device=settings.device, scratch=self._folder.name, root=root)
            log = Path(self._folder.name) / f"{one.label}.log"
            try:
                self.workers[one.label] = Worker(
                    peer.worker, python=one.python, environment=around, first=first, log=log, root=root
                )
            except WorkerError as error:
                self._drop(one.label, error)

    def ask(self, do: str, *, first: int = 0, **options: Callable[[str], Any]) -> dict[str, dict[str, Any]]:
        """{label: answer} to a request made of each in turn: the yardstick, then the others round from number `first`.

        An option is a function of the label.
        """
        answers = {}
        yardstick, *others = self.workers
        at = first % max(1, len(others))
        for label in (yardstick, *others[at:], *others[:at]):
            try:
                answers[label] = self.workers[label].ask(do, **{name: value(label) for name, value in options.items()})
            except WorkerError as error:
                self._drop(label, error)
        return answers

    def _drop(self, label: str, error: WorkerError) -> None:
        if label == YARDSTICK:
            raise error
        self.failed[label] = str(error)
        self._settings.say(f"{label} failed and is left out: {error}")
        self.workers.pop(label, None)

    def __enter__(self) -> "Field":
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self.workers.values():
            worker.close()
        self._folder.cleanup()


def measure(name: str, entered: Sequence[Contestant], settings: Settings) -> dict[str, Any]:
    """The times of one work, JSON-ready: seconds a unit (see `Work`) for each contestant and round."""
    with Field(name, entered, settings) as field:
        settings.say(f"{name}: warming up {', '.join(field.workers)}")
        calls = {
            label: max(1, math.ceil(settings.seconds / (answer["seconds"] * answer["units_per_call"])))
            for label, answer in field.ask("warm up").items()
        }
        rounds = []
        for number in range(settings.rounds):
            rounds.append(field.ask("round", first=number, calls=calls.__getitem__))
            settings.say(f"{name}: round {number + 1} of {settings.rounds}")
        peaks = field.ask("peak")
        found = {
            one.label: {
                "peer": one.peer,
                "tuned": one.tuned,
                **field.workers[one.label].built,
                **peaks[one.label],
                "seconds": [answers[one.label]["seconds"] for answers in rounds],
            }
            for one in entered
            if one.label in peaks
        }
        rates = [1 / answers[YARDSTICK]["seconds"] for answers in rounds]
        return {"flop": WORKS[name].flop, "matmul_gflops": rates, "contestants": found, "failed": field.failed}


def losses(name: str, entered: Sequence[Contestant], settings: Settings, *, steps: int) -> dict[str, dict[str, Any]]:
    """{label: parameters, and losses before each of the first `steps` updates} of a training work."""
    return _computed(name, entered, settings, "losses", steps=lambda label: steps)


def probabilities(name: str, entered: Sequence[Contestant], settings: Settings) -> dict[str, dict[str, Any]]:
    """{label: parameters, and the probability of every text} of a prediction."""
    return _computed(name, entered, settings, "probabilities")


def outputs(name: str, entered: Sequence[Contestant], settings: Settings) -> dict[str, dict[str, Any]]:
    """{label: parameters, and the logit of every picture} of a detector."""
    return _computed(name, entered, settings, "outputs")


def translations(name: str, entered: Sequence[Contestant], settings: Settings) -> dict[str, dict[str, Any]]:
    """{label: parameters, and the best hypothesis of every sentence} of a search."""
    return _computed(name, entered, settings, "hypotheses")


def _computed(
    name: str, entered: Sequence[Contestant], settings: Settings, do: str, **options: Callable[[str], Any]
) -> dict[str, dict[str, Any]]:
    with Field(name, entered, settings) as field:
        field.workers.pop(YARDSTICK).close()
        built = {label: worker.built["parameters"] for label, worker in field.workers.items()}
        return {label: {"parameters": built[label], **answer} for label, answer in field.ask(do, **options).items()}
