"""Masked language modelling as a task."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jaxseq.config import DocumentsConfig, EncoderConfig, ExperimentConfig, MaskedLanguageModelingConfig
from jaxseq.data.documents import Documents
from jaxseq.data.lengths import choose_lengths
from jaxseq.data.masked_batches import MaskedLoader
from jaxseq.data.masking import Masking
from jaxseq.data.next_sentences import SentencePairs, SingleTexts, TextSource
from jaxseq.errors import ConfigError, InputError
from jaxseq.interop.exported import ExportedFunction
from jaxseq.memory import Part
from jaxseq.metrics.metric import Metric
from jaxseq.nn.masked_language_model import MaskedLanguageModel
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.reporting.hidden_tokens import REPORT, is_report, report
from jaxseq.signals import Poll, never
from jaxseq.tasks.capabilities import Prediction
from jaxseq.tasks.layer_table import traced_layers, with_tables
from jaxseq.tasks.pretraining.document_splits import (
    documents_fingerprint,
    encode_splits,
    read_documents,
    train_tokenizer,
)
from jaxseq.tasks.pretraining.encoders import build_masked_language_model
from jaxseq.tasks.pretraining.hidden_examples import hidden_examples, measured
from jaxseq.tasks.pretraining.mask_filling import MaskFilling
from jaxseq.tasks.pretraining.masked_functions import masked_functions
from jaxseq.tasks.pretraining.pretraining_loss import pretraining_loss
from jaxseq.tasks.pretraining.text_embedding import TextEmbedding
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
from jaxseq.text.masked_tokenizer import MaskedTokenizer

TOKENIZER = "tokenizer.json"
_ROWS = 64
"""Examples of a batch that is not trained on."""
_OUTPUT = "output_bias"


@register_task(MaskedLanguageModelingConfig)
@dataclass(frozen=True)
class MaskedLanguageModeling(TaskDefaults):
    """See `jaxseq.tasks.task.Task`. It predicts, and gives texts vectors."""

    experiment: ExperimentConfig
    tokenizer: MaskedTokenizer
    documents: Mapping[str, Documents] | None = field(default=None, compare=False, repr=False)
    """By split; None where it was restored without data."""

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("loss", "nats per hidden token, pairs included"),
        Metric("masked_loss", "nats per hidden token"),
        Metric("accuracy", "of hidden tokens", better="higher", form=".2%"),
        Metric("pair_loss", "nats per pair"),
        Metric("pair_accuracy", "of pairs", better="higher", form=".2%"),
    )
    counted: ClassVar[str] = "tokens"
    showcase_files: ClassVar[Mapping[str, IsOurs]] = {REPORT: is_report}

    @classmethod
    def create(cls, experiment: ExperimentConfig, workspace: Workspace) -> Self:
        """Reads the documents; without artifacts it trains the tokenizer on those to train on.

        Raises:
            InputError: a source cannot be used, or the sections do not fit each other.
        """
        _, data, _ = _sections(experiment)
        splits = read_documents(data, workspace)
        if workspace.artifacts is None:
            task = cls(experiment, train_tokenizer(data, splits["train"]))
        else:
            task = cls.restore(experiment, workspace.artifacts)
        task = dataclasses.replace(task, documents=encode_splits(data, task.tokenizer, splits))
        assert task.masking  # complains of a vocabulary without a token to stand in
        return task

    @classmethod
    def restore(cls, experiment: ExperimentConfig, artifacts: Mapping[str, bytes]) -> Self:
        """Model and tokenizer.

        Raises:
            InputError: an artifact is missing or cannot be read.
        """
        _sections(experiment)
        if TOKENIZER not in artifacts:
            raise InputError(f"there is no {TOKENIZER}")
        try:
            tree = json.loads(artifacts[TOKENIZER])
        except (ValueError, RecursionError) as error:
            raise InputError(f"{TOKENIZER} is no JSON ({error})") from error
        return cls(experiment, MaskedTokenizer.from_json(tree))

    @property
    def section(self) -> MaskedLanguageModelingConfig:
        """The task's section of the configuration."""
        return _sections(self.experiment)[0]

    @property
    def data(self) -> DocumentsConfig:
        """The data section."""
        return _sections(self.experiment)[1]

    @cached_property
    def model(self) -> MaskedLanguageModel:
        """That which the sections describe."""
        return build_masked_language_model(
            _sections(self.experiment)[2],
            vocabulary_size=self.tokenizer.vocabulary_size,
            pairs=self.section.pairs,
            dtype=self.experiment.train.compute_dtype,
        )

    @cached_property
    def masking(self) -> Masking:
        """What is hidden, and how."""
        section, tokenizer = self.section, self.tokenizer
        return Masking(
            tokenizer.mask,
            tokenizer.vocabulary_size,
            tokenizer.specials,
            section.share,
            section.masked,
            section.random,
            section.choice,
        )

    def artifacts(self) -> dict[str, bytes]:
        """The tokenizer."""
        return {TOKENIZER: (json.dumps(self.tokenizer.to_json(), ensure_ascii=False) + "\n").encode()}

    def fingerprint(self) -> str:
        """Changes when a token of a document does that is trained on or validated with."""
        return documents_fingerprint(self._documents)

    def overview(self) -> str:
        """How many documents, sentences, tokens and batches there are."""
        parts = [
            f"{len(some.documents) - 1:,} {name} documents of {len(some.sentences) - 1:,} sentences and "
            f"{len(some.tokens):,} tokens"
            for name, some in self._documents.items()
        ]
        loader = self.training_loader
        shapes = ", ".join(f"{b} x {t} ({k} hidden at the most)" for b, t, k in loader.shapes)
        return (
            f"{', '.join(parts)}, vocabulary {self.tokenizer.vocabulary_size:,}\n"
            f"to train on: {loader.examples:,} examples in {loader.steps_per_epoch:,} batches of {shapes} an epoch"
        )

    def splits(self) -> Sequence[str]:
        """Those that hold documents; restored without data, those that a source may have."""
        return list(self.documents) if self.documents is not None else ["train", "validation", "test"]

    def examples(self, split: str) -> TextSource:
        """The examples of a split.

        Raises:
            InputError: there are none, or pairs cannot be drawn from its documents.
        """
        if split not in self._documents:
            raise InputError(f"{self.data.source} has no {split} split: choose {' or '.join(self._documents)}")
        ids = {"start_id": self.tokenizer.start, "separator_id": self.tokenizer.separator}
        documents, length = self._documents[split], self.data.length
        if not self.section.pairs:
            return SingleTexts(documents, length=length, **ids)
        try:
            return SentencePairs(documents, length=length, seed=self.experiment.train.seed, **ids)
        except InputError as error:
            raise InputError(f"the {split} split of {self.data.source} cannot be used: {error}") from error

    @cached_property
    def training_loader(self) -> MaskedLoader:
        """Batches to train on."""
        return self.loader("train", train=True)

    def loader(self, split: str, *, train: bool, rows: int | None = None) -> MaskedLoader:
        """Batches of a split: drawn anew in each epoch as for training, or each example once with the hidden tokens and
        pairs that it always has."""
        texts, data = self.examples(split), self.data
        return MaskedLoader(
            texts,
            self.masking,
            lengths=choose_lengths(texts.lengths, count=data.lengths, longest=data.length),
            batch_size=data.batch_size if train else rows or _ROWS,
            anew=train,
            shuffle=train and data.shuffle,
            seed=self.experiment.train.seed,
            pad=not train,
        )

    def init(self, key: jax.Array) -> Variables:
        """Fresh parameters."""
        ids = jnp.zeros((1, 2), jnp.int32)
        return jax.jit(self.model.init)(key, ids, ids[:, :1])

    def loss(self, variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        """Cross-entropy in nats and hits of hidden tokens, and of pairs."""
        return self._loss(variables, carry, batch, context)

    @cached_property
    def _loss(self) -> LossFn:
        return pretraining_loss(self.model, pair_weight=float(self.masking.most(self.data.length - 3)))

    def evaluations(self, split: str, *, rows: int | None = None) -> Mapping[str, Evaluation]:
        """ "examples": every example of the split once."""
        loader = self.loader(split, train=False, rows=rows)
        shown = self.metrics if self.section.pairs else self.metrics[1:3]  # the loss is that of tokens
        return {
            "examples": Evaluation(
                self._loss, loader, self.metrics, title="every example once", shown=shown, counted=self.counted
            )
        }

    def describe(self, metrics: Mapping[str, float]) -> str:
        """Losses and accuracies."""
        said = f"loss {metrics['masked_loss']:.4f} a hidden token, accuracy {metrics['accuracy']:.2%}"
        return f"{said}, pairs {metrics['pair_accuracy']:.2%}" if "pair_accuracy" in metrics else said

    def layer_outputs(self) -> LayerOutputs:
        """For a training batch of the longest texts."""
        rows, length, hidden = self.training_loader.shapes[-1]
        ids = jax.ShapeDtypeStruct((rows, length), jnp.int32)
        found = traced_layers(self.model, ids, jax.ShapeDtypeStruct((rows, hidden), jnp.int32))
        tables = ("body/embedding", "body/position_table", "body/segment_table")
        found = with_tables(found, dict.fromkeys(tables, ids.shape))
        # The output layer, which is used last, has no module of its own, and its kernel is the embedding.
        logits = jax.ShapeDtypeStruct((rows, hidden, self.model.vocabulary_size), jnp.float32)
        others = {name: shape for name, shape in found.shapes.items() if name != _OUTPUT}
        return found._replace(
            shapes={**others, _OUTPUT: found.shapes[_OUTPUT]},
            outputs={**found.outputs, _OUTPUT: logits},
            kinds={**found.kinds, _OUTPUT: "Tied output"},
        )

    def training_memory(self, *, batches: int) -> list[Part]:
        """`batches` batches, and what the body makes of one."""
        rows, length, hidden = self.training_loader.shapes[-1]
        body, lower = self.model.body, "lower data.batch_size, data.length or the size of the model"
        outputs = rows * length * body.layers * body.features * self.model.dtype.itemsize
        return [
            Part("the outputs of the layers", outputs, lower),
            Part(f"{batches:,} batches for one dispatch", batches * rows * (9 * length + 9 * hidden + 2), lower),
        ]

    def showcase(self, variables: Variables, key: jax.Array, *, step: int, poll: Poll = never) -> Showcase:
        """What is found in texts of the validation split, or else of another: examples, and figures of all of it."""
        split = next((name for name in ("validation", "test") if name in self._documents), "train")
        evaluation, texts = self.evaluations(split)["examples"], self.examples(split)
        figures = measured(evaluation, variables, batches=self.experiment.train.evaluate_batches, poll=poll)
        which = np.unique(np.linspace(0, len(texts.lengths) - 1, self.section.examples).astype(np.int64))
        some = hidden_examples(
            self.filling, variables, texts, which, self.masking, seed=self.experiment.train.seed, poll=poll
        )
        shown = report(figures, some, split=f"{split} split, by the parameters of step {step:,}")
        return Showcase({REPORT: shown.encode()}, "fill more with", ("predict", "RUN", "a text with a [MASK] in it"))

    @property
    def filling(self) -> MaskFilling:
        """What finds hidden tokens."""
        return MaskFilling(self.model, self.tokenizer, self.data.length)

    def predict(self, variables: Variables, texts: Iterable[str], *, poll: Poll = never) -> Iterator[Prediction]:
        """For every text, in order, what each [MASK] in it stands for."""
        return self.filling(variables, texts, poll=poll)

    def embed(self, variables: Variables, texts: Iterable[str], *, poll: Poll = never) -> Iterator[NDArray[np.float32]]:
        """For every text, in order, its vector [d]: see `TextEmbedding`."""
        return TextEmbedding(self.model, self.tokenizer, self.data.length)(variables, texts, poll=poll)

    def functions(self) -> Mapping[str, ExportedFunction]:
        """Logits at positions, whether the second text follows, and features."""
        return masked_functions(self.model)

    @property
    def _documents(self) -> Mapping[str, Documents]:
        if self.documents is None:
            raise ValueError("this task was restored without data: create it to have some")
        return self.documents


def _sections(experiment: ExperimentConfig) -> tuple[MaskedLanguageModelingConfig, DocumentsConfig, EncoderConfig]:
    """Of the task, of the data and of the model.

    Raises:
        ConfigError: they are of other kinds, or do not fit each other.
    """
    task, data, model = experiment.task, experiment.data, experiment.model
    if not isinstance(task, MaskedLanguageModelingConfig):
        raise ConfigError(f"task.kind is {task.kind!r}: this task is masked_language_modeling")
    if not isinstance(data, DocumentsConfig):
        raise ConfigError(f"data.kind is {data.kind!r}: masked language modelling reads documents, take documents")
    if not isinstance(model, EncoderConfig):
        raise ConfigError(f"model.kind is {model.kind!r}: a model that finds hidden tokens is encoder, take it")
    form, least = ("[CLS] A [SEP] B [SEP]", 5) if task.pairs else ("[CLS] A [SEP]", 3)
    if data.length < least:
        raise ConfigError(f"data.length is {data.length}: {form} takes {least} tokens or more, give as many")
    if model.positions == "learned" and model.context < data.length:
        raise ConfigError(
            f"model.context is {model.context} and data.length {data.length}: a text has more tokens than there are "
            "positions, raise --model.context or lower --data.length"
        )
    if task.pairs and model.segments < 2:
        raise ConfigError(f"model.segments is {model.segments}: with task.pairs two texts are told apart, give 2")
    return task, data, model
