"""Classification: the class of a text, out of two or many."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.config import ClassificationConfig, ExperimentConfig, LabelledConfig, NBSVMConfig
from jaxseq.data.examples import ExampleLoader
from jaxseq.data.labelled import Labelled, class_ids, find_classes, labelled_fingerprint
from jaxseq.data.ratios import log_count_ratios
from jaxseq.errors import ConfigError, InputError
from jaxseq.interop.word_vectors import WordTable, WordVectors
from jaxseq.memory import Part as MemoryPart
from jaxseq.metrics.classification import CLASSIFICATION_METRICS, Classified, classified
from jaxseq.metrics.metric import Metric
from jaxseq.nn.classifier import Classifier
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.reporting import classification as reporting
from jaxseq.signals import Poll, never
from jaxseq.tasks.capabilities import Export, Prediction
from jaxseq.tasks.classification.class_probabilities import ROWS, ClassProbabilities
from jaxseq.tasks.classification.classifiers import build_classifier, classification_loss, init_classifier, with_ratios
from jaxseq.tasks.classification.starting_vectors import starting_table, starting_vectors, with_table
from jaxseq.tasks.labelled_texts import (
    Part,
    encode,
    example_loader,
    fingerprint_parts,
    longest,
    read_parts,
    table_size,
    tokenizer_of,
    told,
    train_tokenizer,
    with_validation,
)
from jaxseq.tasks.layer_table import traced_layers, with_tables
from jaxseq.tasks.task import Evaluation, LayerOutputs, Showcase, TaskDefaults, Variables, Workspace, register_task
from jaxseq.tasks.vector_exports import learned_vectors, vector_exports
from jaxseq.text.tokenizers import Tokenizer, tokenizer_from_text

TOKENIZER, CLASSES = "tokenizer.json", "classes.json"

_AT_ONCE = 4096
"""Texts that are predicted before the next ones are read."""


@register_task(ClassificationConfig)
@dataclass(frozen=True)
class Classification(TaskDefaults):
    """See `jaxseq.tasks.task.Task`. It predicts."""

    experiment: ExperimentConfig
    tokenizer: Tokenizer
    classes: tuple[str, ...]
    """The label of each class id."""
    model: Classifier
    texts: Mapping[str, Labelled] | None = field(default=None, compare=False, repr=False)
    """By split; None where it was restored without data."""
    vectors: WordVectors | None = field(default=None, compare=False, repr=False)
    """Those that the embedding of a new run begins with."""

    metrics: ClassVar[tuple[Metric, ...]] = CLASSIFICATION_METRICS
    counted: ClassVar[str] = "texts"
    showcase_files: ClassVar = reporting.SHOWCASE_FILES

    @classmethod
    def create(cls, experiment: ExperimentConfig, workspace: Workspace) -> Self:
        """Reads the texts; without artifacts it finds the classes, trains a tokenizer on those to train on, and reads
        the vectors of its words.

        Raises:
            InputError: the source or the file of vectors cannot be used, a label is not among those trained on, or the
                sections do not fit each other.
        """
        section, data = _sections(experiment)
        _require_fit(section, data, experiment)
        parts = read_parts(data, poll=workspace.poll)
        texts = with_validation(parts, data, seed=experiment.train.seed)
        if workspace.artifacts is None:
            # As they were read: of a rare class all texts may be drawn for validation.
            classes = find_classes(parts["train"].labels)
            if section.vocabulary == "vectors":
                vectors = starting_vectors(section, experiment, words=None, workspace=workspace)
                tokenizer: Tokenizer = tokenizer_of(data, vectors.words)
            else:
                tokenizer = train_tokenizer(data, texts["train"].texts, reads_padding=not section.mask)
                words = set(tokenizer.vocabulary.symbols)
                vectors = None
                if section.vectors:
                    vectors = starting_vectors(section, experiment, words=words, workspace=workspace)
            task = dataclasses.replace(cls._of(experiment, tokenizer, classes), vectors=vectors)
        else:
            task = cls.restore(experiment, workspace.artifacts)
        for name, part in texts.items():
            class_ids(part, task.classes, part=name)
        return dataclasses.replace(task, texts=texts)

    @classmethod
    def restore(cls, experiment: ExperimentConfig, artifacts: Mapping[str, bytes]) -> Self:
        """Model, tokenizer and classes.

        Raises:
            InputError: an artifact is missing or cannot be read.
        """
        for name in (TOKENIZER, CLASSES):
            if name not in artifacts:
                raise InputError(f"there is no {name}")
        return cls._of(experiment, tokenizer_from_text(artifacts[TOKENIZER]), _classes(artifacts[CLASSES]))

    @classmethod
    def _of(cls, experiment: ExperimentConfig, tokenizer: Tokenizer, classes: tuple[str, ...]) -> Self:
        task, data = _sections(experiment)
        if task.positive and (len(classes) != 2 or task.positive not in classes):
            raise ConfigError(
                f"task.positive is {task.positive!r}: choose one of two classes, these are {_listed(classes)}"
            )
        model = build_classifier(
            task,
            experiment.model,
            vocabulary_size=table_size(data, tokenizer),
            classes=len(classes),
            length=longest(data),
            padding=data.padding,
            dtype=experiment.train.compute_dtype,
        )
        return cls(experiment, tokenizer, classes, model)

    @property
    def section(self) -> ClassificationConfig:
        """What the experiment says of the task."""
        return _sections(self.experiment)[0]

    @property
    def data(self) -> LabelledConfig:
        """What the experiment says of the data."""
        return _sections(self.experiment)[1]

    def artifacts(self) -> dict[str, bytes]:
        """The tokenizer and the classes."""
        trees = {TOKENIZER: self.tokenizer.to_json(), CLASSES: list(self.classes)}
        return {name: (json.dumps(tree, ensure_ascii=False) + "\n").encode() for name, tree in trees.items()}

    def fingerprint(self) -> str:
        """Changes when a text or label does that is trained on or validated with."""
        return labelled_fingerprint(fingerprint_parts(self._texts))

    def overview(self) -> str:
        """How many texts, classes and tokens there are, what truncation and padding do to those to train on, and how
        many words begin with a vector."""
        loader, counts = self.training_loader, ", ".join(f"{len(t.texts):,} {name}" for name, t in self._texts.items())
        *shorter, longest = (str(length) for _, length in loader.shapes)
        shapes = f"{loader.batch_size} x {', '.join(shorter)}{' or ' if shorter else ''}{longest}"
        lines = [
            f"{counts} texts in {len(self.classes)} classes, vocabulary {self.tokenizer.vocabulary_size:,}, "
            f"{loader.steps_per_epoch:,} batches of {shapes} an epoch",
            f"to train on: {told(self.part('train').lengths, self.data)}",
        ]
        if self.vectors is not None:
            lines.append(str(self._table))
        return "\n".join(lines)

    def splits(self) -> Sequence[str]:
        """Those that hold texts; restored without data, those that a source may have."""
        return list(self.texts) if self.texts is not None else ["train", "validation", "test"]

    def part(self, split: str) -> Part:
        """The texts of a split as token ids.

        Raises:
            InputError: there are none.
        """
        if split not in self._texts:
            raise InputError(f"{self.data.source} has no {split} split: choose {' or '.join(self._texts)}")
        if split not in self._encoded:
            examples = self._texts[split]
            tokens, report = encode(self.data, self.tokenizer, examples.texts)
            self._encoded[split] = Part(examples, tokens, class_ids(examples, self.classes, part=split), report)
        return self._encoded[split]

    @cached_property
    def _encoded(self) -> dict[str, Part]:
        return {}

    @cached_property
    def training_loader(self) -> ExampleLoader:
        """Batches to train on."""
        return self.loader("train", train=True)

    def loader(self, split: str, *, train: bool, rows: int | None = None) -> ExampleLoader:
        """Batches of a split: shuffled as for training, or each text once, from short to long."""
        part, data = self.part(split), self.data
        if not train:
            return example_loader(data, part.tokens, part.labels, rows=rows or ROWS)
        seed = self.experiment.train.seed
        return example_loader(
            data, part.tokens, part.labels, rows=data.batch_size, shuffle=data.shuffle, seed=seed, pad=False
        )

    def init(self, key: jax.Array) -> Variables:
        """Fresh parameters; where there are data, the embedding begins with word vectors if they are given, and the
        log-count ratios of an NBSVM are those of the texts to train on."""
        variables = init_classifier(self.model, key)
        if self.texts is None:
            return variables
        if isinstance(self.experiment.model, NBSVMConfig):
            return with_ratios(variables, self._ratios)
        if self.vectors is None:
            return variables
        return with_table(variables, self._table.table)

    @cached_property
    def _ratios(self) -> np.ndarray:
        section, part = self.experiment.model, self.part("train")
        assert isinstance(section, NBSVMConfig)
        size = table_size(self.data, self.tokenizer)
        return log_count_ratios(
            part.tokens, part.labels, classes=len(self.classes), size=size, smoothing=section.smoothing
        )

    @cached_property
    def _table(self) -> WordTable:
        assert self.vectors is not None
        return starting_table(self.section, self.vectors, self.experiment, self.tokenizer)

    def loss(self, variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        """Cross-entropy in nats ("loss") and hits ("accuracy") of a batch."""
        return self._loss(variables, carry, batch, context)

    @cached_property
    def _loss(self) -> LossFn:
        section = self.section
        return classification_loss(
            self.model, masked=section.mask, word_dropout=section.word_dropout, frozen=section.freeze_vectors
        )

    def validation(self) -> Evaluation | None:
        """A pass over the validation split."""
        if "validation" not in self._texts:
            return None
        return Evaluation(self._loss, self.loader("validation", train=False), self.metrics, counted=self.counted)

    def evaluations(self, split: str, *, rows: int | None = None) -> Mapping[str, Evaluation]:
        """ "texts": every text of the split once."""
        part = self.part(split)
        loader = self.loader(split, train=False, rows=rows)

        def complete(variables: Variables, means: dict[str, float], poll: Poll) -> dict[str, float]:
            found = self.classified(variables, part, poll=poll)
            return {**means, "f1": found.f1, "calibration_error": found.reliability.expected_error}

        shown = (*self.metrics, _F1, _CALIBRATION)
        return {
            "texts": Evaluation(
                self._loss,
                loader,
                self.metrics,
                complete=complete,
                title="every text once",
                shown=shown,
                counted="texts",
            )
        }

    def describe(self, metrics: Mapping[str, float]) -> str:
        """Accuracy and loss."""
        return f"accuracy {metrics['accuracy']:.2%}, loss {metrics['loss']:.4f}"

    def layer_outputs(self) -> LayerOutputs:
        """For a training batch of the longest texts."""
        rows, length = self.training_loader.shapes[-1]
        found = traced_layers(self.model, jax.ShapeDtypeStruct((rows, length), jnp.int32))
        return with_tables(found, dict.fromkeys(("body/embedding", "body/position_table"), (rows, length)))

    def training_memory(self, *, batches: int) -> list[MemoryPart]:
        """`batches` batches, and what the body makes of one."""
        rows, length = self.training_loader.shapes[-1]
        section: Any = self.experiment.model
        lower = "lower data.batch_size, data.length or the size of the model"
        width = getattr(section, "layers", 0) * getattr(section, "features", 0)
        outputs = rows * length * width * self.model.dtype.itemsize
        return [
            MemoryPart("the outputs of the layers", outputs, lower),
            MemoryPart(f"{batches:,} batches for one dispatch", batches * rows * (5 * length + 5), lower),
        ]

    def showcase(self, variables: Variables, key: jax.Array, *, step: int, poll: Poll = never) -> Showcase:
        """How the test split, or else that of validation, is classified: a report and pictures."""
        split = next((name for name in ("test", "validation") if name in self._texts), "train")
        part = self.part(split)
        files = reporting.showcase(
            self.classified(variables, part, poll=poll),
            names=self.classes,
            texts=part.examples.texts,
            split=f"{split} split, by the parameters of step {step:,}",
            lengths=told(part.lengths, self.data),
            trained="" if split == "train" else told(self.part("train").lengths, self.data),
        )
        return Showcase(files, "classify more with", ("predict", "RUN", "a text of your own"))

    def classified(self, variables: Variables, part: Part, *, poll: Poll = never) -> Classified:
        """All that is measured over the texts of a split."""
        probabilities = self.probabilities(variables, part.tokens, poll=poll)
        positive = self.classes.index(self.section.positive) if self.section.positive else 1
        return classified(part.labels, probabilities, positive=positive)

    @cached_property
    def probabilities(self) -> ClassProbabilities:
        """Of each class for each of n sequences [n, c]."""
        return ClassProbabilities(self.model, self.data, len(self.classes), masked=self.section.mask)

    def predict(self, variables: Variables, texts: Iterable[str], *, poll: Poll = never) -> Iterator[Prediction]:
        """A prediction for every text, in order; texts are read some thousands at a time."""
        remaining = iter(texts)
        while chunk := list(islice(remaining, _AT_ONCE)):
            tokens, _ = encode(self.data, self.tokenizer, chunk)
            for text, row in zip(chunk, self.probabilities.each_alone(variables, tokens, poll=poll), strict=True):
                best = int(row.argmax())
                probabilities = dict(zip(self.classes, map(float, row), strict=True))
                yield Prediction(text, self.classes[best], probabilities, self._unknown(text))

    def exports(self, variables: Variables) -> Mapping[str, Export]:
        """The embedding of each token; those of n-grams have no names.

        Raises:
            InputError: the model reads one-hot vectors, or has no table of that kind.
        """
        table = variables["params"]["body"].get("embedding")
        if table is None:
            raise InputError("the model has no embedding of tokens: give --model.embedding, or train another kind")
        symbols = self.tokenizer.vocabulary.symbols
        table = np.asarray(table["table"] if isinstance(table, Mapping) else table)
        return vector_exports(learned_vectors(symbols, table[: len(symbols)]))

    def _unknown(self, text: str) -> list[str]:
        unknown_words = getattr(self.tokenizer, "unknown_words", None)
        return [] if unknown_words is None else unknown_words(text)

    @property
    def _texts(self) -> Mapping[str, Labelled]:
        if self.texts is None:
            raise ValueError("this task was restored without data: create it to have some")
        return self.texts


_F1 = Metric("f1", better="higher")
_CALIBRATION = Metric("calibration_error", heading="calibration", form=".2%")


def _sections(experiment: ExperimentConfig) -> tuple[ClassificationConfig, LabelledConfig]:
    task, data = experiment.task, experiment.data
    if not isinstance(task, ClassificationConfig):
        raise ConfigError(f"task.kind is {task.kind!r}: this task is classification")
    if not isinstance(data, LabelledConfig):
        raise ConfigError(f"data.kind is {data.kind!r}: classification reads labelled texts, take labelled")
    return task, data


def _require_fit(task: ClassificationConfig, data: LabelledConfig, experiment: ExperimentConfig) -> None:
    """Refuses fields that mean nothing beside others."""
    given = "task.vectors is given" if task.vectors else "task.freeze_vectors is True" * task.freeze_vectors
    if given and isinstance(experiment.model, NBSVMConfig):
        raise ConfigError(f"{given} and model.kind is 'nbsvm': it has no embedding, leave them out")
    if given and not getattr(experiment.model, "embedding", 1):
        raise ConfigError(f"{given} and model.embedding is 0: give the width of the vectors")
    if task.freeze_vectors and getattr(experiment.optimizer, "weight_decay", 0):
        raise ConfigError("task.freeze_vectors is True: optimizer.weight_decay would shrink them, leave it at 0")
    if not task.mask and data.lengths > 1:
        raise ConfigError(
            f"data.lengths is {data.lengths} and padding is read, so that what is made of a text would depend on "
            "those beside it: set data.lengths to 1, or leave task.mask as it is"
        )


def _classes(content: bytes) -> tuple[str, ...]:
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{CLASSES} is no JSON ({error})") from error
    if not isinstance(tree, list) or not all(isinstance(name, str) for name in tree) or len(set(tree)) < 2:
        raise InputError(f"{CLASSES} must hold a list of two labels or more")
    if len(set(tree)) < len(tree):
        raise InputError(f"{CLASSES} has a label twice")
    return tuple(tree)


def _listed(classes: Sequence[str]) -> str:
    return ", ".join(classes[:10]) + (" ..." if len(classes) > 10 else "")
