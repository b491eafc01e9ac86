"""Captioning: what a picture shows, written token by token, in several languages from one encoder."""

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp

from jaxseq.config import CaptionedConfig, CaptionerConfig, CaptioningConfig, ExperimentConfig
from jaxseq.data.caption_tokens import CaptionTokens, encode_captions
from jaxseq.data.lengths import choose_lengths
from jaxseq.data.picture_batches import CaptionLoader
from jaxseq.decoding.beam import Beam
from jaxseq.errors import ConfigError, InputError
from jaxseq.interop.exported import ExportedFunction
from jaxseq.memory import Part
from jaxseq.metrics.metric import Metric
from jaxseq.metrics.translation import require_packages
from jaxseq.nn.picture_decoder import PictureDecoder
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.ops.picture_layers import output_shapes
from jaxseq.reporting import captions as reporting
from jaxseq.reporting.caption_pictures import is_caption_picture
from jaxseq.signals import Poll, never
from jaxseq.tasks.candidates import ROWS
from jaxseq.tasks.capabilities import CaptionOptions
from jaxseq.tasks.captioning.caption_parts import (
    TEST,
    CaptionPart,
    SplitParts,
    fingerprint,
    languages_of,
    read_parts,
    size_of,
)
from jaxseq.tasks.captioning.caption_scores import (
    CAPTION_METRICS,
    metrics_of,
    tokenization,
)
from jaxseq.tasks.captioning.captioners import build_captioner, caption_loss
from jaxseq.tasks.captioning.picture_captioner import SEARCH, PictureCaptioner
from jaxseq.tasks.captioning.scene_attention import ATTENTION_METRICS
from jaxseq.tasks.captioning.shown import drawing_of, report_of
from jaxseq.tasks.captioning.written import attention_of, write_captions
from jaxseq.tasks.described import Described, Picture, PictureSize
from jaxseq.tasks.layer_table import LayerOutputs, traced_layers, with_tables
from jaxseq.tasks.picture_form import PICTURES, PictureForm
from jaxseq.tasks.stack_rows import with_stack
from jaxseq.tasks.target_functions import picture_decoder_functions
from jaxseq.tasks.task import Evaluation, IsOurs, Showcase, TaskDefaults, Variables, Workspace, register_task
from jaxseq.tasks.text_tokenizers import make_sentence_tokenizer
from jaxseq.text.caption_tokenizer import CaptionTokenizer

TOKENIZER, ATTENTION = "tokenizer.json", "attention.png"


@register_task(CaptioningConfig)
@dataclass(frozen=True)
class Captioning(TaskDefaults):
    """See `jaxseq.tasks.task.Task`. It captions pictures."""

    experiment: ExperimentConfig
    tokenizer: CaptionTokenizer
    form: PictureForm
    parts: SplitParts | None = field(default=None, compare=False, repr=False)
    """None where it was restored without data."""

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("loss", "nats per token, those before it given"),
        Metric("accuracy", "of tokens, those before it given", better="higher", form=".2%"),
        *CAPTION_METRICS,
    )
    counted: ClassVar[str] = "tokens"
    showcase_files: ClassVar[Mapping[str, IsOurs]] = {
        reporting.REPORT: reporting.is_report,
        ATTENTION: is_caption_picture,
    }

    @classmethod
    def create(cls, experiment: ExperimentConfig, workspace: Workspace) -> Self:
        """Reads pictures and captions; without artifacts it trains the tokenizer on those to train on, and finds what
        their pixels are scaled by.

        Raises:
            InputError: a source cannot be used, or the sections do not fit each other.
        """
        section, data = _sections(experiment)
        parts = read_parts(data, seed=experiment.train.seed, poll=workspace.poll, tell=workspace.tell)
        train = parts["train"]["train"].captioned
        if workspace.artifacts is None:
            captions = [caption for some in train.captions for caption in some]
            tokenizer = CaptionTokenizer.train(
                captions, languages_of(data, parts), lambda texts: make_sentence_tokenizer(data, texts)
            )
            task = cls(experiment, tokenizer, PictureForm.of(train.pictures))
        else:
            task = cls.restore(experiment, workspace.artifacts)
            if task.form.shape != train.pictures.shape[1:]:
                found = " x ".join(map(str, train.pictures.shape[1:3]))
                raise InputError(f"pictures in {data.source} are {found}, and the model reads {task.form}: give such")
        for language in task.tokenizer.languages:
            require_packages(tokenization(section.tokenize, language))
        _ = task.model  # complains of pictures that are too small
        task = dataclasses.replace(task, parts=parts)
        if remark := task.tokens("train", "train").longer(data.longest):
            workspace.tell(remark)
        return task

    @classmethod
    def restore(cls, experiment: ExperimentConfig, artifacts: Mapping[str, bytes]) -> Self:
        """Model, tokenizer, and the form of pictures.

        Raises:
            InputError: an artifact is missing or cannot be read.
        """
        for name in (TOKENIZER, PICTURES):
            if name not in artifacts:
                raise InputError(f"there is no {name}")
        try:
            tree = json.loads(artifacts[TOKENIZER])
        except (ValueError, RecursionError) as error:
            raise InputError(f"{TOKENIZER} is no JSON ({error})") from error
        return cls(experiment, CaptionTokenizer.from_json(tree), PictureForm.from_bytes(artifacts[PICTURES]))

    @property
    def section(self) -> CaptioningConfig:
        """The task's section of the configuration."""
        return _sections(self.experiment)[0]

    @property
    def data(self) -> CaptionedConfig:
        """The data section."""
        return _sections(self.experiment)[1]

    @cached_property
    def model(self) -> PictureDecoder:
        """That which the sections describe."""
        tokenizer = self.tokenizer
        return build_captioner(
            self.experiment.model,
            form=self.form,
            vocabulary_size=tokenizer.vocabulary_size,
            start_token=tokenizer.begin(tokenizer.languages[0]),
            label_smoothing=self.section.label_smoothing,
            dtype=self.experiment.train.compute_dtype,
        )

    def artifacts(self) -> dict[str, bytes]:
        """The tokenizer, and the form of pictures with what they are scaled by."""
        tokenizer = json.dumps(self.tokenizer.to_json(), ensure_ascii=False) + "\n"
        return {TOKENIZER: tokenizer.encode(), PICTURES: self.form.to_bytes()}

    def fingerprint(self) -> str:
        """Changes when a picture or a caption does that is trained on or validated with."""
        return fingerprint(self._parts)

    def overview(self) -> str:
        """How many pictures, captions and batches there are."""
        counts = ", ".join(
            f"{sum(len(part.captioned.names) for part in parts.values()):,} {split}"
            for split, parts in self._parts.items()
        )
        named = ", ".join(filter(None, self.tokenizer.languages))
        loader, grid = self.training_loader, self.model.encoder.grid(*self.form.shape[:2])
        lengths = self._to_train_on.lengths
        return (
            f"{counts} pictures of {self.form}, read as {grid.rows} x {grid.columns} cells; "
            f"{len(lengths):,} captions{f' ({named})' if named else ''} of {lengths.mean():.1f} tokens, at most "
            f"{lengths.max():,}, a vocabulary of {self.tokenizer.vocabulary_size:,}\n"
            f"to train on: {loader.steps_per_epoch:,} batches of {loader.batch_size} captions an epoch, of lengths "
            f"{', '.join(map(str, loader.lengths))}"
        )

    def splits(self) -> Sequence[str]:
        """Those that hold pictures; restored without data, those that a source may have."""
        return list(self.parts) if self.parts is not None else ["train", "validation", TEST]

    def tokens(self, split: str, name: str) -> CaptionTokens:
        """The captions of a part of a split as token ids."""
        if (split, name) not in self._encoded:
            self._encoded[split, name] = encode_captions(self.tokenizer, self._of(split)[name].captioned)
        return self._encoded[split, name]

    @cached_property
    def _encoded(self) -> dict[tuple[str, str], CaptionTokens]:
        return {}

    @cached_property
    def _to_train_on(self) -> CaptionTokens:
        return self.tokens("train", "train").within(self.data.longest)

    @cached_property
    def _lengths(self) -> tuple[int, ...]:
        """Those of batches to train on."""
        return choose_lengths(self._to_train_on.lengths, count=self.data.lengths, multiple=1)

    @cached_property
    def training_loader(self) -> CaptionLoader:
        """Batches to train on."""
        data = self.data
        return CaptionLoader(
            self._of("train")["train"].captioned.pictures,
            *self._to_train_on,
            lengths=self._lengths,
            batch_size=data.batch_size,
            shuffle=data.shuffle,
            seed=self.experiment.train.seed,
            pad=False,
        )

    def loader(self, split: str, *, train: bool, rows: int | None = None) -> CaptionLoader:
        """Batches of a split: shuffled as for training, or each caption of its first part once, from short to long."""
        if train:
            return self.training_loader
        return self._measuring_loader(split, next(iter(self._of(split))), rows)

    def _measuring_loader(self, split: str, name: str, rows: int | None) -> CaptionLoader:
        tokens = self.tokens(split, name)
        longest = int(tokens.lengths.max())
        lengths = self._lengths if longest <= self._lengths[-1] else (*self._lengths, longest)
        pictures = self._of(split)[name].captioned.pictures
        return CaptionLoader(pictures, *tokens, lengths=lengths, batch_size=rows or ROWS, shuffle=False)

    def init(self, key: jax.Array) -> Variables:
        """Fresh parameters."""
        return jax.jit(self.model.init)(key, jnp.zeros((1, *self.form.shape), jnp.uint8), jnp.zeros((1, 1), jnp.int32))

    def functions(self) -> Mapping[str, ExportedFunction]:
        """What beam search steps with."""
        shapes = jax.eval_shape(self.init, jax.random.key(0))
        return picture_decoder_functions(self.model, shapes, self.form.shape)

    def loss(self, variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        """Cross-entropy in nats ("loss") and hits ("accuracy") of the captions' tokens."""
        return self._loss(variables, carry, batch, context)

    @cached_property
    def _loss(self) -> LossFn:
        return caption_loss(self.model)

    @cached_property
    def captioner(self) -> PictureCaptioner:
        """From pictures to captions."""
        return PictureCaptioner(self.model, self.tokenizer, self.section)

    def validation(self) -> Evaluation | None:
        """A pass over the validation split, captioned by the beam for that."""
        if "validation" not in self._parts:
            return None
        beam = dataclasses.replace(self.captioner.beam(), size=self.section.validation_beam)
        return self._evaluation("validation", "validation", beam)

    def evaluations(self, split: str, *, rows: int | None = None) -> Mapping[str, Evaluation]:
        """Each part of the split by its name: every caption once, then captions that are written from pictures alone;
        of made scenes also where their words looked."""
        beam = self.captioner.beam()
        return {name: self._evaluation(split, name, beam, rows=rows, all_of_it=True) for name in self._of(split)}

    def _evaluation(
        self, split: str, name: str, beam: Beam, *, rows: int | None = None, all_of_it: bool = False
    ) -> Evaluation:
        part = self._of(split)[name]
        shown = self.metrics
        if all_of_it:
            shown = (*shown, *metrics_of(self.tokenizer.languages), *(ATTENTION_METRICS if part.scenes else ()))

        def complete(variables: Variables, means: dict[str, float], poll: Poll) -> dict[str, float]:
            written = write_captions(self.captioner, variables, part, beam, poll=poll)
            scores = written.scores(self.section).summary()
            if all_of_it and (attention := attention_of(self.captioner, variables, part, written, poll=poll)):
                scores |= attention.summary()
            return {**means, **scores}

        loader = self._measuring_loader(split, name, rows)
        title = f"{name}, free-running, beam {beam.size}"
        return Evaluation(self._loss, loader, self.metrics, complete=complete, title=title, shown=shown)

    def describe(self, metrics: Mapping[str, float]) -> str:
        """What was written by itself first, then what was measured with the right words given."""
        return (
            f"free-running: chrF {metrics['chrf']:.2f}, BLEU {metrics['bleu']:.2f}, {metrics['exact']:.1f} % exact, "
            f"{metrics['distinct']:,.0f} distinct captions; words before given: token accuracy "
            f"{metrics['accuracy']:.2%}, loss {metrics['loss']:.4f}"
        )

    @property
    def picture_size(self) -> PictureSize:
        """Of what form pictures are read: brought to their size if those to train on were."""
        return PictureSize(*self.form.shape, resize=size_of(self.data) is not None)

    def caption(
        self,
        variables: Variables,
        pictures: Iterable[Picture],
        *,
        options: CaptionOptions = SEARCH,
        poll: Poll = never,
    ) -> Iterator[Described]:
        """Captions of every picture, in order."""
        return self.captioner.caption(variables, pictures, options=options, poll=poll)

    def layer_outputs(self) -> LayerOutputs:
        """For a training batch of the longest captions."""
        loader = self.training_loader
        pictures = jax.ShapeDtypeStruct((loader.batch_size, *self.form.shape), jnp.uint8)
        rows, t = loader.batch_size, loader.lengths[-1]
        found = traced_layers(self.model, pictures, jax.ShapeDtypeStruct((rows, t), jnp.int32))
        layers = self.model.encoder.picture_layers
        shapes = [self.form.shape, *output_shapes(layers, self.form.shape)]
        found = with_stack(found, "encoder/stack", layers, shapes, rows=rows)
        return with_tables(found, {"embedding": (rows, t)})

    def training_memory(self, *, batches: int) -> list[Part]:
        """`batches` batches, and what the layers make of one."""
        loader, section = self.training_loader, self.experiment.model
        assert isinstance(section, CaptionerConfig)
        rows, t, size = loader.batch_size, loader.lengths[-1], self.model.dtype.itemsize
        maps = sum(map(math.prod, output_shapes(self.model.encoder.picture_layers, self.form.shape)))
        grid = self.model.encoder.grid(*self.form.shape[:2])
        looked = t * grid.rows * grid.columns * section.features if section.attention == "additive" else 0
        lower = "lower data.batch_size, data.size, or the model"
        return [
            Part("the maps of the convolutions", rows * maps * size, lower),
            Part("the outputs of the decoder", rows * (t * section.layers * section.features + looked) * size, lower),
            Part(f"{batches:,} batches for one dispatch", batches * rows * (math.prod(self.form.shape) + 9 * t), lower),
        ]

    def showcase(self, variables: Variables, key: jax.Array, *, step: int, poll: Poll = never) -> Showcase:
        """The test split, or else that of validation, captioned: scores, some examples, and where the words of one
        looked."""
        split = next((name for name in (TEST, "validation") if name in self._parts), "train")
        by = f"by the parameters of step {step:,}, beam {self.section.beam}"
        report, example = report_of(self.captioner, variables, self._of(split), by=by, poll=poll)
        files = {reporting.REPORT: report}
        if example is not None and (drawn := drawing_of(self.captioner, variables, example, name=ATTENTION, poll=poll)):
            files[ATTENTION] = drawn
        return Showcase(files, "caption more with", ("caption", "RUN", "picture.png"))

    def _of(self, split: str) -> Mapping[str, CaptionPart]:
        if split not in self._parts:
            raise InputError(f"there is no {split} split: choose {' or '.join(self._parts)}")
        return self._parts[split]

    @property
    def _parts(self) -> SplitParts:
        if self.parts is None:
            raise ValueError("this task was restored without data: create it to have some")
        return self.parts


def _sections(experiment: ExperimentConfig) -> tuple[CaptioningConfig, CaptionedConfig]:
    task, data = experiment.task, experiment.data
    if not isinstance(task, CaptioningConfig):
        raise ConfigError(f"task.kind is {task.kind!r}: this task is captioning")
    if not isinstance(data, CaptionedConfig):
        raise ConfigError(f"data.kind is {data.kind!r}: captioning reads pictures, take captions or digit_scenes")
    return task, data
