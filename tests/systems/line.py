"""A system that has nothing of a language model: a line through points.

    python3 train.py line.py --data.source points.csv

It is a configuration that brings its own task, data and model, as a system of somebody else would.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.config import (
    DataConfig,
    ExperimentConfig,
    ModelConfig,
    SGDConfig,
    TaskConfig,
    TrainConfig,
    register,
)
from jaxseq.config.fields import FIXED, Bounds, check_fields
from jaxseq.errors import InputError
from jaxseq.memory import Part
from jaxseq.metrics.metric import Metric
from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import LossContext, LossOutput
from jaxseq.signals import Poll, never
from jaxseq.tasks.task import Evaluation, IsOurs, LayerOutputs, Showcase, Variables, Workspace, register_task


@register("task")
@dataclass(frozen=True)
class LineTaskConfig(TaskConfig):
    """Find the line."""

    kind: ClassVar[str] = "line"


@register("data")
@dataclass(frozen=True)
class PointsConfig(DataConfig):
    """Points x,y, one a line, a third of them for validation."""

    kind: ClassVar[str] = "points"

    batch_size: Annotated[int, Bounds(1, 1000), FIXED] = 4
    """Points in a batch."""

    @property
    def has_validation(self) -> bool:
        return True

    def __post_init__(self) -> None:
        check_fields(self, "data")


@register("model")
@dataclass(frozen=True)
class SlopeConfig(ModelConfig):
    """Slope and offset, and nothing to choose."""

    kind: ClassVar[str] = "slope"


@dataclass(frozen=True)
class PointLoader:
    """Batches of points, in order."""

    points: Any
    batch_size: int
    left_out: str = ""
    uniform: bool = True

    @property
    def steps_per_epoch(self) -> int:
        return len(self.points) // self.batch_size

    def __call__(self, step: int, /) -> dict[str, np.ndarray]:
        begin = step % self.steps_per_epoch * self.batch_size
        rows = self.points[begin : begin + self.batch_size]
        return {"x": rows[:, 0], "y": rows[:, 1]}


@register_task(LineTaskConfig)
@dataclass(frozen=True)
class Line:
    """See `jaxseq.tasks.task.Task`."""

    experiment: ExperimentConfig
    scale: float
    points: Any = field(default=None, compare=False, repr=False)

    metrics: ClassVar[tuple[Metric, ...]] = (Metric("loss"), Metric("near", better="higher", form=".0%"))
    counted: ClassVar[str] = "points"
    showcase_files: ClassVar[Mapping[str, IsOurs]] = {
        "line.txt": lambda begin: begin.startswith(b"y = "),
        "raw.bin": lambda begin: begin == b"\xff",
    }

    @classmethod
    def create(cls, experiment: ExperimentConfig, workspace: Workspace) -> Self:
        lines = Path(experiment.data.source).read_text(encoding="utf-8").splitlines()
        points = np.array([[float(number) for number in line.split(",")] for line in lines], np.float32)
        if workspace.artifacts is None:
            return cls(experiment, float(np.abs(points).max()), points)
        return cls(experiment, cls.restore(experiment, workspace.artifacts).scale, points)

    @classmethod
    def restore(cls, experiment: ExperimentConfig, artifacts: Mapping[str, bytes]) -> Self:
        if "scale.json" not in artifacts:
            raise InputError("there is no scale.json")
        return cls(experiment, json.loads(artifacts["scale.json"]))

    def artifacts(self) -> dict[str, bytes]:
        return {"scale.json": json.dumps(self.scale).encode()}

    def fingerprint(self) -> str:
        return f"{zlib.crc32(self.points.tobytes()):08x}"

    def has_fingerprint(self, fingerprint: str) -> bool:
        return self.fingerprint() == fingerprint

    def overview(self) -> str:
        return f"{len(self.points)} points"

    def splits(self) -> Sequence[str]:
        return ["train", "validation"]

    def loader(self, split: str, *, train: bool) -> PointLoader:
        third = len(self.points) // 3
        points = self.points[third:] if split == "train" else self.points[:third]
        data: Any = self.experiment.data
        return PointLoader(points, data.batch_size)

    def init(self, key: Any) -> Variables:
        return {"params": {"slope": jax.random.normal(key), "offset": jnp.zeros(())}}

    def initial_carry(self, batch_size: int) -> None:
        return None

    def loss(self, variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        x, y = batch["x"] / self.scale, batch["y"] / self.scale
        errors = variables["params"]["slope"] * x + variables["params"]["offset"] - y
        count = jnp.float32(errors.size)
        near = (jnp.abs(errors) < 0.01).sum().astype(jnp.float32)
        return LossOutput({"loss": Tally((errors**2).sum(), count), "near": Tally(near, count)})

    def validation(self) -> Evaluation | None:
        return self.evaluations("validation")["all"]

    def evaluations(self, split: str, *, rows: int | None = None) -> Mapping[str, Evaluation]:
        loader = self.loader(split, train=False)
        return {"all": Evaluation(self.loss, loader, self.metrics, shown=self.metrics, counted="points")}

    def describe(self, metrics: Mapping[str, float]) -> str:
        return f"squared error {metrics['loss']:.6f}"

    def layer_outputs(self) -> LayerOutputs:
        return LayerOutputs(jax.eval_shape(self.init, jax.random.key(0))["params"], {}, {"slope": "Slope"})

    def training_memory(self, *, batches: int) -> list[Part]:
        return [Part(f"{batches} batches", batches * 8 * 4, "lower train.steps_per_dispatch")]

    def require_showcase_memory(self) -> None:
        pass

    def showcase(self, variables: Variables, key: Any, *, step: int, poll: Poll = never) -> Showcase:
        slope, offset = (float(variables["params"][name]) for name in ("slope", "offset"))
        return Showcase({"line.txt": f"y = {slope:.2f} x + {offset * self.scale:.2f}\n".encode(), "raw.bin": b"\xff"})


config = ExperimentConfig(
    name="line",
    task=LineTaskConfig(),
    data=PointsConfig(source="points.csv"),
    model=SlopeConfig(),
    optimizer=SGDConfig(learning_rate=0.5),
    train=TrainConfig(epochs=40, devices=1),
)
