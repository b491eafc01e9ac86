"""Recognition: which of two classes something is of, told by one unit."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.config import (
    CornersConfig,
    DetectorConfig,
    ExperimentConfig,
    HandsConfig,
    RecognitionConfig,
    RectanglesConfig,
)
from jaxseq.data.corpus import SPLITS
from jaxseq.data.example_batches import NumberedLoader
from jaxseq.errors import ConfigError, InputError
from jaxseq.interop.exported import ExportedFunction
from jaxseq.interop.open_functions import open_sizes
from jaxseq.memory import Part, size_of
from jaxseq.metrics.metric import Metric
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.reporting import recognition as reporting
from jaxseq.signals import Poll, never
from jaxseq.tasks.layer_table import traced_layers
from jaxseq.tasks.picture_form import PICTURES, PictureForm
from jaxseq.tasks.recognition.made_examples import MadeConfig, classes_of, count_of, examples_of, form_of
from jaxseq.tasks.recognition.recognizer import Recognizer, build_recognizer
from jaxseq.tasks.task import (
    Evaluation,
    IsOurs,
    LayerOutputs,
    Showcase,
    TaskDefaults,
    Variables,
    Workspace,
    register_task,
)

_ROWS = 256
"""Rectangles of a batch that is not trained on; pictures come as they do in training."""


@register_task(RecognitionConfig)
@dataclass(frozen=True)
class Recognition(TaskDefaults):
    """See `jaxseq.tasks.task.Task`. Its examples are made up, so that it has them wherever it is restored."""

    experiment: ExperimentConfig
    form: PictureForm | None = None
    """Of pictures, where examples are such."""

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("loss", "nats"),
        Metric("accuracy", better="higher", form=".2%"),
    )
    counted: ClassVar[str] = "examples"
    showcase_files: ClassVar[Mapping[str, IsOurs]] = reporting.SHOWCASE_FILES

    @classmethod
    def create(cls, experiment: ExperimentConfig, workspace: Workspace) -> Self:
        """Without artifacts it finds what pixels are scaled by.

        Raises:
            InputError: the sections do not fit each other.
        """
        if workspace.artifacts is not None:
            return cls.restore(experiment, workspace.artifacts)
        _, data, _ = _sections(experiment)
        if isinstance(data, RectanglesConfig):
            return cls._of(experiment)
        return cls._of(experiment, form_of(data, seed=experiment.train.seed))

    @classmethod
    def restore(cls, experiment: ExperimentConfig, artifacts: Mapping[str, bytes]) -> Self:
        """The same from what a checkpoint holds.

        Raises:
            InputError: an artifact is missing or cannot be read.
        """
        _, data, _ = _sections(experiment)
        if isinstance(data, RectanglesConfig):
            return cls._of(experiment)
        if PICTURES not in artifacts:
            raise InputError(f"there is no {PICTURES}")
        form = PictureForm.from_bytes(artifacts[PICTURES])
        if form.shape != (*data.size, 3):
            raise InputError(f"{PICTURES} is of pictures of {form}, and data.size is {data.size}")
        return cls._of(experiment, form)

    @classmethod
    def _of(cls, experiment: ExperimentConfig, form: PictureForm | None = None) -> Self:
        task = cls(experiment, form)
        try:
            jax.eval_shape(task.init, jax.random.key(0))
        except ValueError as error:
            raise InputError(
                f"pictures of {form} do not fit the model: {error}; change data.size, or model.kernel, model.stride "
                "and model.pool"
            ) from error
        return task

    @property
    def section(self) -> RecognitionConfig:
        """What the experiment says of the task."""
        return _sections(self.experiment)[0]

    @property
    def data(self) -> MadeConfig:
        """What the experiment says of the data."""
        return _sections(self.experiment)[1]

    @property
    def classes(self) -> tuple[str, str]:
        """Names of the classes 0 and 1."""
        return classes_of(self.data)

    @cached_property
    def model(self) -> nn.Module:
        """Gives logits."""
        model, dtype = _sections(self.experiment)[2], self.experiment.train.compute_dtype
        return build_recognizer(model, self.form, dtype=dtype)

    @cached_property
    def recognizer(self) -> Recognizer:
        """The model over batches."""
        return Recognizer(self.model)

    def functions(self) -> Mapping[str, ExportedFunction]:
        """logits: inputs [b, ...] -> logits [b] of the second class; b is open."""
        (rows,) = open_sizes("b")
        inputs = {"inputs": jax.ShapeDtypeStruct((rows, *self._shape), self._type)}
        return {"logits": ExportedFunction(self.model.apply, inputs, ("logits",))}

    def artifacts(self) -> dict[str, bytes]:
        """The form of pictures."""
        return {} if self.form is None else {PICTURES: self.form.to_bytes()}

    def fingerprint(self) -> str:
        """Changes when the first examples of a split do."""
        sums = []
        for split in SPLITS:
            inputs, labels = examples_of(self.data, split, seed=self.experiment.train.seed)(np.arange(2))
            sums.append(f"{zlib.crc32(inputs.tobytes() + labels.tobytes()):08x}")
        return "-".join(sums)

    def overview(self) -> str:
        """How many examples there are."""
        counts = ", ".join(f"{count_of(self.data, split):,} {split}" for split in SPLITS)
        loader = self.loader("train", train=True)
        what = "rectangles" if self.form is None else f"pictures of {self.form}"
        return (
            f"{counts} {what}, {' or '.join(self.classes)}; {loader.steps_per_epoch:,} batches of {loader.batch_size} "
            "an epoch"
        )

    def splits(self) -> Sequence[str]:
        """All three."""
        return list(SPLITS)

    def loader(self, split: str, *, train: bool, rows: int | None = None) -> NumberedLoader:
        """Batches of a split: shuffled as for training, or each example once, in order."""
        seed, pictures = self.experiment.train.seed, self.form is not None
        own = self.data.batch_size if train or pictures else _ROWS
        return NumberedLoader(
            examples_of(self.data, split, seed=seed),
            count_of(self.data, split),
            batch_size=rows or own,
            shuffle=train,
            seed=seed,
            pad=not train,
            uniform=not pictures,
        )

    def init(self, key: jax.Array) -> Variables:
        """Fresh parameters."""
        return self.model.init(key, jnp.zeros((1, *self._shape), self._type))

    @property
    def _shape(self) -> tuple[int, ...]:
        """Of an example."""
        return (4, 2) if self.form is None else self.form.shape

    @property
    def _type(self) -> Any:
        return jnp.float32 if self.form is None else jnp.uint8

    def loss(self, variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        """Logistic loss in nats ("loss") and hits ("accuracy") of a batch."""
        return self._loss(variables, carry, batch, context)

    @cached_property
    def _loss(self) -> LossFn:
        return self.recognizer.loss()

    def evaluations(self, split: str, *, rows: int | None = None) -> Mapping[str, Evaluation]:
        """ "examples": every example of the split once."""
        loader, title = self.loader(split, train=False, rows=rows), "every example once"
        return {
            "examples": Evaluation(
                self._loss, loader, self.metrics, title=title, shown=self.metrics, counted=self.counted
            )
        }

    def describe(self, metrics: Mapping[str, float]) -> str:
        """Accuracy and loss."""
        return f"accuracy {metrics['accuracy']:.2%}, loss {metrics['loss']:.4f}"

    def layer_outputs(self) -> LayerOutputs:
        """For a training batch."""
        batch = jax.ShapeDtypeStruct((self.data.batch_size, *self._shape), self._type)
        return traced_layers(self.model, batch, kinds={"PixelConv": "Conv"})

    def training_memory(self, *, batches: int) -> list[Part]:
        """`batches` batches, and what the layers make of one."""
        batch = jax.ShapeDtypeStruct((self.data.batch_size, *self._shape), self._type)
        lower = "lower data.batch_size, or data.size and model.filters where there are pictures"
        return [
            Part("the outputs of the layers", size_of(self.layer_outputs().outputs), lower),
            Part(f"{batches:,} batches for one dispatch", batches * size_of(batch), lower),
        ]

    def showcase(self, variables: Variables, key: jax.Array, *, step: int, poll: Poll = never) -> Showcase:
        """How the test split is told apart: shares, and of rectangles the parameters and those it is wrong about, of
        pictures some with its verdicts and the unit's weights."""
        logits, labels = self.recognizer.logits(variables, self.loader("test", train=False), poll=poll)
        found = reporting.Recognized(logits, labels, self.classes)
        examples = examples_of(self.data, "test", seed=self.experiment.train.seed)
        title, params = f"test split, by the parameters of step {step:,}", variables["params"]
        if self.form is None:
            wrong = np.flatnonzero(~found.right)[: self.section.examples]
            figures = dict(zip(wrong.tolist(), examples(wrong)[0], strict=True))
            return Showcase({reporting.REPORT: reporting.report(found, title, params, figures).encode()})
        pictures, _ = examples(np.arange(min(self.section.examples, len(labels))))
        return Showcase(reporting.picture_files(found, title, params, pictures, self._weights(params)))

    def _weights(self, params: Mapping[str, Any]) -> np.ndarray | None:
        """Of a detector's unit [rows, columns, filters]; None where it has none for every place."""
        model = _sections(self.experiment)[2]
        if not isinstance(model, DetectorConfig) or model.places != "each":
            return None
        pictures = jax.ShapeDtypeStruct((1, *self._shape), self._type)
        maps: Any = jax.eval_shape(lambda x: self.model.apply({"params": params}, x, method="maps"), pictures)
        return np.asarray(params["unit"]["kernel"]).reshape(maps.shape[1:])


def _sections(experiment: ExperimentConfig) -> tuple[RecognitionConfig, MadeConfig, CornersConfig | DetectorConfig]:
    task, data, model = experiment.task, experiment.data, experiment.model
    if not isinstance(task, RecognitionConfig):
        raise ConfigError(f"task.kind is {task.kind!r}: this task is recognition")
    if not isinstance(data, RectanglesConfig | HandsConfig):
        raise ConfigError(f"data.kind is {data.kind!r}: recognition has examples of its own, take rectangles or hands")
    fitting = CornersConfig if isinstance(data, RectanglesConfig) else DetectorConfig
    if not isinstance(model, fitting):
        raise ConfigError(f"model.kind is {model.kind!r}: for {data.kind} take {fitting.kind}")
    return task, data, model
