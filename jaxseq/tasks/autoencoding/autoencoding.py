"""Autoencoding: pictures through a small code and back."""

import dataclasses
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jaxseq.config import AutoencoderConfig, AutoencodingConfig, DigitsConfig, ExperimentConfig
from jaxseq.data.digits import Digits, digits_fingerprint, read_digits, split_digits
from jaxseq.data.picture_batches import PictureLoader
from jaxseq.data.pixel_entropy import pixel_entropy
from jaxseq.errors import ConfigError, InputError
from jaxseq.interop.exported import ExportedFunction
from jaxseq.interop.open_functions import open_sizes
from jaxseq.memory import Part
from jaxseq.metrics.metric import Metric
from jaxseq.models import Autoencoder
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.reporting.pictures import is_picture
from jaxseq.reporting.reconstructions import RECONSTRUCTIONS, reconstructions_picture
from jaxseq.signals import Poll, never
from jaxseq.tasks.autoencoding.coder import ROWS, Coder, Wanted
from jaxseq.tasks.capabilities import Export
from jaxseq.tasks.layer_table import LayerOutputs
from jaxseq.tasks.stack_rows import with_stack
from jaxseq.tasks.task import Evaluation, IsOurs, Showcase, TaskDefaults, Variables, Workspace, register_task

PICTURES = "pictures.json"


class PictureShape(NamedTuple):
    """Of all pictures that a model reads. Their pixels, 0 to 255, are divided by 255."""

    height: int
    width: int
    channels: int

    def __str__(self) -> str:
        return f"{self.height} x {self.width}" + (f" x {self.channels}" if self.channels > 1 else "")


@register_task(AutoencodingConfig)
@dataclass(frozen=True)
class Autoencoding(TaskDefaults):
    """See `jaxseq.tasks.task.Task`. It exports codes."""

    experiment: ExperimentConfig
    shape: PictureShape
    digits: Mapping[str, Digits] | None = field(default=None, compare=False, repr=False)
    """By split; None where it was restored without data."""

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("loss", "nats a pixel"),
        Metric("squared_error", form=".5f", heading="squared error"),
    )
    counted: ClassVar[str] = "pictures"
    showcase_files: ClassVar[Mapping[str, IsOurs]] = {RECONSTRUCTIONS: is_picture}

    @classmethod
    def create(cls, experiment: ExperimentConfig, workspace: Workspace) -> Self:
        """Reads the pictures.

        Raises:
            InputError: the source cannot be used, or the model does not give pictures of its size back.
        """
        _, data, _ = _sections(experiment)
        parts = read_digits(data.source)
        shape = PictureShape(*parts["train"].pictures.shape[1:])
        if workspace.artifacts is None:
            task = cls._of(experiment, shape)
        else:
            task = cls.restore(experiment, workspace.artifacts)
            if task.shape != shape:
                raise InputError(f"pictures in {data.source} are {shape}, and the model reads {task.shape}: give such")
        seed = experiment.train.seed
        return dataclasses.replace(
            task, digits=split_digits(parts, validation=data.validation, seed=seed, examples=data.examples)
        )

    @classmethod
    def restore(cls, experiment: ExperimentConfig, artifacts: Mapping[str, bytes]) -> Self:
        """What follows from the shape of a picture.

        Raises:
            InputError: the artifact is missing or cannot be read.
        """
        if PICTURES not in artifacts:
            raise InputError(f"there is no {PICTURES}")
        return cls._of(experiment, _shape(artifacts[PICTURES]))

    @classmethod
    def _of(cls, experiment: ExperimentConfig, shape: PictureShape) -> Self:
        task = cls(experiment, shape)
        try:
            task.model.shapes(shape.height, shape.width)
        except ValueError as error:
            raise InputError(
                f"the model does not fit pictures of {shape}: {error}; change model.poolings, model.upsamplings or the "
                "paddings"
            ) from error
        return task

    @property
    def section(self) -> AutoencodingConfig:
        """What the experiment says of the task."""
        return _sections(self.experiment)[0]

    @property
    def data(self) -> DigitsConfig:
        """What the experiment says of the data."""
        return _sections(self.experiment)[1]

    @cached_property
    def model(self) -> Autoencoder:
        """Encoder and decoder."""
        options = dataclasses.asdict(_sections(self.experiment)[2])
        dtype = jnp.dtype(self.experiment.train.compute_dtype)
        return Autoencoder(channels=self.shape.channels, dtype=dtype, **options)

    @cached_property
    def coder(self) -> Coder:
        """The model over pictures."""
        return Coder(self.model, self.section.noise)

    def artifacts(self) -> dict[str, bytes]:
        """The shape of a picture."""
        return {PICTURES: (json.dumps(self.shape._asdict()) + "\n").encode()}

    def fingerprint(self) -> str:
        """Changes when a picture does that is trained on or validated with."""
        return digits_fingerprint({name: part for name, part in self._digits.items() if name != "test"})

    def overview(self) -> str:
        """How many pictures there are, how small their codes, and the loss that none gets below."""
        counts = ", ".join(f"{len(part.labels):,} {name}" for name, part in self._digits.items())
        loader = self.training_loader
        *_, code = self.model.shapes(self.shape.height, self.shape.width)[0]
        floor = pixel_entropy(self.part("train").pictures)
        noise = f", read with noise of {self.section.noise:g}" if self.section.noise else ""
        return (
            f"{counts} pictures of {self.shape}{noise}; codes of {' x '.join(map(str, code))} ({np.prod(code):,} "
            f"numbers), {loader.steps_per_epoch:,} batches of {loader.batch_size} an epoch\n"
            f"grey is neither 0 nor 1: no loss is below {floor:.4f} nats a pixel, that of pictures that come back "
            "exactly"
        )

    def splits(self) -> Sequence[str]:
        """Those that hold pictures; restored without data, those that a source may have."""
        return list(self.digits) if self.digits is not None else ["train", "validation", "test"]

    def part(self, split: str) -> Digits:
        """The pictures of a split.

        Raises:
            InputError: there are none.
        """
        if split not in self._digits:
            raise InputError(f"{self.data.source} has no {split} split: choose {' or '.join(self._digits)}")
        return self._digits[split]

    @cached_property
    def training_loader(self) -> PictureLoader:
        """Batches to train on."""
        data = self.data
        return PictureLoader(
            *self.part("train"), batch_size=data.batch_size, shuffle=data.shuffle, seed=self.experiment.train.seed
        )

    def loader(self, split: str, *, train: bool, rows: int | None = None) -> PictureLoader:
        """Batches of a split: shuffled as for training, or each picture once, in order."""
        if train:
            return self.training_loader
        return PictureLoader(*self.part(split), batch_size=rows or ROWS, shuffle=False, pad=True)

    def init(self, key: jax.Array) -> Variables:
        """Fresh parameters."""
        return jax.jit(partial(self.model.init, method="weights"))(key)

    def loss(self, variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        """Cross-entropy in nats a pixel ("loss") and squared error of a batch."""
        return self._loss(variables, carry, batch, context)

    @cached_property
    def _loss(self) -> LossFn:
        return self.coder.loss()

    def evaluations(self, split: str, *, rows: int | None = None) -> Mapping[str, Evaluation]:
        """ "pictures": every picture of the split once."""
        loader = self.loader(split, train=False, rows=rows)
        title = "every picture once"
        return {
            "pictures": Evaluation(
                self._loss, loader, self.metrics, title=title, shown=self.metrics, counted=self.counted
            )
        }

    def describe(self, metrics: Mapping[str, float]) -> str:
        """Loss and squared error."""
        return f"loss {metrics['loss']:.4f} nats a pixel, squared error {metrics['squared_error']:.5f}"

    def layer_outputs(self) -> LayerOutputs:
        """For a training batch."""
        shapes = jax.eval_shape(self.init, jax.random.key(0))["params"]
        found = LayerOutputs({name: shapes[name] for name in ("encoder", "decoder")}, {}, {})
        down, up = self.model.shapes(self.shape.height, self.shape.width)
        rows = self.data.batch_size
        found = with_stack(found, "encoder", self.model.encoder_layers, [self.shape, *down], rows=rows)
        return with_stack(found, "decoder", self.model.decoder_layers, [down[-1], *up], rows=rows)

    def training_memory(self, *, batches: int) -> list[Part]:
        """`batches` batches, and what the layers make of one."""
        rows = self.data.batch_size
        encoder, decoder = self.model.shapes(self.shape.height, self.shape.width)
        outputs = sum(map(math.prod, (*encoder, *decoder)))
        lower = "lower data.batch_size or model.filters"
        return [
            Part("the outputs of the layers", rows * outputs * jnp.dtype(self.model.dtype).itemsize, lower),
            Part(f"{batches:,} batches for one dispatch", batches * rows * (math.prod(self.shape) + 5), lower),
        ]

    def showcase(self, variables: Variables, key: jax.Array, *, step: int, poll: Poll = never) -> Showcase:
        """Pictures of the test split above what came back of them; with noise, what the encoder read between."""
        part = self.part("test")
        some = part.pictures[: self.section.examples]
        rows: dict[str, NDArray[np.floating]] = {"original": some / np.float32(255)}
        if self.section.noise:
            rows["read"] = self.coder(variables, some, "inputs", poll=poll)
        rows["came back"] = self.coder(variables, some, "reconstructions", poll=poll)
        title = f"test split, by the parameters of step {step:,}"
        files = {RECONSTRUCTIONS: reconstructions_picture(rows, title=title)}
        return Showcase(files, "write the codes of all pictures with", ("export", "RUN", "codes.npz"))

    def exports(self, variables: Variables) -> Mapping[str, Export]:
        """Codes of the pictures of every split, and their labels."""
        *_, code = self.model.shapes(self.shape.height, self.shape.width)[0]
        what = f"codes of {' x '.join(map(str, code))} numbers for the pictures of {self.data.source} are"
        return {".npz": Export(what, partial(self._codes, variables))}

    def functions(self) -> Mapping[str, ExportedFunction]:
        """encode and reconstruct: pictures [b, h, w, c] uint8 -> codes [b, rows, columns, d], or pixels [b, h, w, c]
        from 0 to 1; b is open. No noise is added to what is given."""
        (rows,) = open_sizes("b")
        pictures = {"pictures": jax.ShapeDtypeStruct((rows, *self.shape), jnp.uint8)}
        made: dict[str, Wanted] = {"encode": "codes", "reconstruct": "reconstructions"}
        return {
            name: ExportedFunction(partial(Coder(self.model).made, wanted=wanted), pictures, (wanted,))
            for name, wanted in made.items()
        }

    def _codes(self, variables: Variables) -> Iterator[bytes]:
        task = self
        if task.digits is None:
            task = type(self).create(self.experiment, Workspace(artifacts=self.artifacts()))
        arrays: dict[str, np.ndarray] = {}
        for name, part in task._digits.items():
            arrays[f"{name}_codes"] = self.coder(variables, part.pictures, "codes")
            arrays[f"{name}_labels"] = part.labels
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        yield buffer.getvalue()

    @property
    def _digits(self) -> Mapping[str, Digits]:
        if self.digits is None:
            raise ValueError("this task was restored without data: create it to have some")
        return self.digits


def _sections(experiment: ExperimentConfig) -> tuple[AutoencodingConfig, DigitsConfig, AutoencoderConfig]:
    task, data, model = experiment.task, experiment.data, experiment.model
    if not isinstance(task, AutoencodingConfig):
        raise ConfigError(f"task.kind is {task.kind!r}: this task is autoencoding")
    if not isinstance(data, DigitsConfig):
        raise ConfigError(f"data.kind is {data.kind!r}: autoencoding reads pictures, take digits")
    if not isinstance(model, AutoencoderConfig):
        raise ConfigError(f"model.kind is {model.kind!r}: autoencoding trains an autoencoder, take autoencoder")
    return task, data, model


def _shape(content: bytes) -> PictureShape:
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{PICTURES} is no JSON ({error})") from error
    names = PictureShape._fields
    if (
        not isinstance(tree, dict)
        or set(tree) != set(names)
        or not all(type(n) is int and n > 0 for n in tree.values())
    ):
        raise InputError(f"{PICTURES} must hold {', '.join(names[:-1])} and {names[-1]}, whole numbers above 0")
    return PictureShape(**tree)
