"""The task contract: all that makes one kind of system different from another.

`jaxseq.runs` trains, stores, shows and measures any class that does what `Task` says; it is found by the kind of the
experiment's task section (`register_task`). What only some tasks can do is a capability (`jaxseq.tasks.capabilities`).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeVar

import jax

from jaxseq.config import ExperimentConfig, TaskConfig
from jaxseq.data.batching import Loader
from jaxseq.errors import ConfigError
from jaxseq.memory import Part
from jaxseq.metrics.metric import Metric
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.signals import Poll, never

IsOurs = Callable[[bytes], bool]
"""Whether a file that begins with these bytes, the first thousand, is one that a task has made."""
Variables = Mapping[str, Any]
"""{"params": ...} and other collections, as Flax's `apply` takes them."""


@dataclass(frozen=True)
class Workspace:
    """Where a task keeps what it makes of its data, and what it tells while it reads them."""

    directory: Path | None = None
    """Where what takes long to make is looked for, and kept unless `scratch` is given."""
    artifacts: Mapping[str, bytes] | None = None
    """Those of an earlier `create`: the data are read by these, nothing is learned from them anew."""
    anew: bool = False
    """Take nothing that lies in `directory`."""
    scratch: Callable[[], Path] | None = None
    """A directory for what has to be made, where `directory` is not to be written to."""
    poll: Poll = never
    """Called between two pieces of data."""
    waiting: Callable[[], AbstractContextManager[Any]] = nullcontext
    """Entered around reading what may keep one waiting: a pipe, standard input."""
    tell: Callable[[str], None] = lambda line: None
    """Takes a line that a person should see."""
    progress: Callable[[str], None] = lambda line: None
    """Takes a line that each later one replaces."""


class Evaluation(NamedTuple):
    """A pass over a split: what is measured, on which batches."""

    loss: LossFn | None
    """None where `measure` needs none."""
    loader: Loader
    metrics: Sequence[Metric] = ()
    """In the order they are shown in; those that follow from the loss are worked out from it."""
    initial_carry: Callable[[], Any] = lambda: None
    """What enters the first batch, and is handed on; None begins anew in each."""
    complete: Callable[[Variables, dict[str, float], Poll], dict[str, float]] = lambda variables, means, poll: means
    """Adds to the means of a whole split what is no mean."""
    measure: Callable[[Variables, Poll], dict[str, float]] | None = None
    """Measures a whole split by itself, in place of a loss on batches and of `complete`: where means and what is no
    mean come out of the same outputs."""
    title: str = ""
    """What a table calls it."""
    shown: Sequence[Metric] = ()
    """Columns of that table."""
    counted: str = "tokens"
    """What the mean "loss" is one of: how many there were is given under this name, of how many in the split under
    "split_" and this name, where that is known."""


class Showcase(NamedTuple):
    """What a run ends with."""

    files: Mapping[str, bytes]
    """By name, each one of the task's `showcase_files`. Texts (.txt) are printed as well."""
    invitation: str = ""
    """What the command is for: "sample more with"."""
    command: Sequence[str] = ()
    """What to try next: a command of jaxseq and its arguments, "RUN" in place of the run directory."""


class LayerOutputs(NamedTuple):
    """What `jaxseq.reporting.summary` makes a table of."""

    shapes: Any
    """Of the parameters, in the order they are used in."""
    outputs: Any
    """Shapes of what every layer gives for a batch."""
    kinds: Mapping[str, str]
    """What a layer is, by its path."""
    products: Callable[[], Mapping[str, int]] | None = None
    """Works out how many multiply-adds a layer makes of one row of a batch, by its path; a layer that is named here has
    a row of the table without parameters too. None for those of the loss, see `jaxseq.tasks.layer_table`."""


class Task(Protocol):
    """One kind of system: a frozen, hashable value that knows no optimizer and no run directory."""

    metrics: ClassVar[tuple[Metric, ...]]
    """Columns of metrics.csv. The first one selects checkpoints, unless train.metric names another."""
    counted: ClassVar[str]
    """What a loss is the mean of: "tokens"."""
    showcase_files: ClassVar[Mapping[str, IsOurs]]
    """By name, the files that `showcase` may give, and how one is told from somebody's own of that name, which is moved
    aside and never overwritten."""

    @classmethod
    def create(cls, experiment: ExperimentConfig, workspace: Workspace) -> Self:
        """Reads the data; without artifacts in `workspace` also trains tokenizers and finds labels.

        Raises:
            InputError: something given cannot be used, or the parts do not fit each other.
        """
        ...

    @classmethod
    def restore(cls, experiment: ExperimentConfig, artifacts: Mapping[str, bytes]) -> Self:
        """What a checkpoint's artifacts alone give: all but what needs data.

        Raises:
            InputError: they cannot be used.
        """
        ...

    def artifacts(self) -> dict[str, bytes]:
        """Tokenizers, labels, what prediction needs: small files that every checkpoint holds, by name."""
        ...

    def fingerprint(self) -> str:
        """Changes when the data do."""
        ...

    def has_fingerprint(self, fingerprint: str) -> bool:
        """Whether the data are those that had it."""
        ...

    def overview(self) -> str:
        """What there is to learn from, in some words of one line or a few."""
        ...

    def splits(self) -> Sequence[str]:
        """Names of the splits that hold data."""
        ...

    def loader(self, split: str, *, train: bool) -> Loader:
        """Batches of a split: drawn as for training, or each example once, in order."""
        ...

    def init(self, key: Any) -> Variables:
        """Fresh parameters, and other collections where the model has them."""
        ...

    def initial_carry(self, batch_size: int) -> Any:
        """What enters the first batch of a training; None where every batch begins anew."""
        ...

    def loss(self, variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        """Sums and counts for a batch of the training loader."""
        ...

    def validation(self) -> Evaluation | None:
        """The pass over the validation split while it trains; None where there is no such split."""
        ...

    def evaluations(self, split: str, *, rows: int | None = None) -> Mapping[str, Evaluation]:
        """The ways in which a split is measured, by name.

        Args:
            rows: of a batch; None for what the task finds right.

        Raises:
            InputError: there are more rows than the split fills or the memory holds.
        """
        ...

    def describe(self, metrics: Mapping[str, float]) -> str:
        """Metrics of a split as a person reads them, on one line."""
        ...

    def layer_outputs(self) -> LayerOutputs:
        """For the table of layers."""
        ...

    def training_memory(self, *, batches: int) -> list[Part]:
        """What a training holds of its `batches` batches to a dispatch, on all devices together, beside parameters and
        what belongs to them."""
        ...

    def require_showcase_memory(self) -> None:
        """Refuses a showcase that cannot fit.

        Raises:
            InputError: it needs more memory than there is.
        """
        ...

    def showcase(self, variables: Variables, key: Any, *, step: int, poll: Poll = never) -> Showcase:
        """What a run ends with, made by the parameters of `step`."""
        ...


class TaskDefaults:
    """What a task does unless it says otherwise; to derive one from."""

    metrics: ClassVar[tuple[Metric, ...]] = (Metric("loss"),)
    counted: ClassVar[str] = "examples"
    showcase_files: ClassVar[Mapping[str, IsOurs]] = {}

    def artifacts(self) -> dict[str, bytes]:
        """Nothing beside the configuration is needed."""
        return {}

    def has_fingerprint(self: Task, fingerprint: str) -> bool:
        """Whether it is that of the data."""
        return self.fingerprint() == fingerprint

    def initial_carry(self, batch_size: int) -> Any:
        """None: every batch begins anew."""
        return None

    def validation(self: Task) -> Evaluation | None:
        """The first of the ways in which the validation split is measured."""
        if "validation" not in self.splits():
            return None
        return next(iter(self.evaluations("validation").values()))

    def describe(self: Task, metrics: Mapping[str, float]) -> str:
        """Every metric with its name."""
        return ", ".join(f"{metric.label} {metrics[metric.name]:{metric.form}}" for metric in self.metrics)

    def layer_outputs(self: Task) -> LayerOutputs:
        """The parameters, with no outputs."""
        return LayerOutputs(jax.eval_shape(self.init, jax.random.key(0))["params"], {}, {})

    def training_memory(self, *, batches: int) -> list[Part]:
        """Nothing that is worth counting."""
        return []

    def require_showcase_memory(self) -> None:
        """A showcase takes no more than training."""

    def showcase(self, variables: Variables, key: Any, *, step: int, poll: Poll = never) -> Showcase:
        """Nothing to show but the metrics."""
        return Showcase({})


Registered = TypeVar("Registered", bound=type[Task])

_TASKS: dict[str, type[Task]] = {}


def register_task(section: type[TaskConfig]) -> Callable[[Registered], Registered]:
    """A decorator: the class is the task of experiments whose task section is of this kind."""

    def enter(cls: Registered) -> Registered:
        _TASKS[section.kind] = cls
        return cls

    return enter


def task_of(experiment: ExperimentConfig) -> type[Task]:
    """The class of the experiment's task.

    Raises:
        ConfigError: there is none for its kind.
    """
    kind = experiment.task.kind
    if kind not in _TASKS:
        raise ConfigError(f"task.kind is {kind!r}: there is no task for it, choose {', '.join(_TASKS)}")
    return _TASKS[kind]


def showcase_names() -> frozenset[str]:
    """Names of the files that runs of any task end with."""
    return frozenset(name for task in _TASKS.values() for name in task.showcase_files)


def is_of_showcase(name: str, begin: bytes) -> bool:
    """Whether a file of this name that begins so is what a run of some task ends with."""
    return any(task.showcase_files[name](begin) for task in _TASKS.values() if name in task.showcase_files)
