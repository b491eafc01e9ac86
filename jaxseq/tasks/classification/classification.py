"""Classification: the class of a text, out of two or many."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.config import ClassificationConfig, ExperimentConfig, LabelledConfig, NBSVMConfig
from jaxseq.data.batching import Loader
from jaxseq.data.examples import ExampleLoader
from jaxseq.data.labelled import Labelled, class_ids, find_classes, labelled_fingerprint
from jaxseq.data.ratios import log_count_ratios
from jaxseq.data.vector_batches import VectorLoader
from jaxseq.errors import InputError
from jaxseq.interop.exported import ExportedFunction
from jaxseq.interop.word_vectors import WordTable, WordVectors
from jaxseq.memory import Part as MemoryPart
from jaxseq.metrics.classification import CLASSIFICATION_METRICS, Classified, classified, logit_loss
from jaxseq.metrics.metric import Metric
from jaxseq.nn.classifier import Classifier
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.reporting import classification as reporting
from jaxseq.signals import Poll, never
from jaxseq.tasks.capabilities import Export, Prediction
from jaxseq.tasks.classification.classifier_functions import classifier_functions
from jaxseq.tasks.classification.classifiers import (
    build_classifier,
    classification_loss,
    init_classifier,
    memory_of_batches,
    with_encoder,
    with_ratios,
)
from jaxseq.tasks.classification.frozen_encoders import Origin, frozen, kept_vectors, pooled_loss, whole
from jaxseq.tasks.classification.remembered import Remembered
from jaxseq.tasks.classification.sections import require_fit, require_positive, sections
from jaxseq.tasks.classification.starting_points import starting_point
from jaxseq.tasks.classification.starting_vectors import embedding_of, starting_table, with_table
from jaxseq.tasks.classification.text_outputs import ROWS, TextOutputs, pooled_width, rows_for
from jaxseq.tasks.labelled_texts import (
    Part,
    encode,
    example_loader,
    fingerprint_parts,
    longest,
    read_parts,
    table_size,
    told,
    with_validation,
)
from jaxseq.tasks.layer_table import traced_layers, with_tables
from jaxseq.tasks.pretrained_encoders import PretrainedEncoder
from jaxseq.tasks.task import Evaluation, LayerOutputs, Showcase, TaskDefaults, Variables, Workspace, register_task
from jaxseq.tasks.vector_exports import vector_exports
from jaxseq.text.delimiting import AnyTokenizer


@register_task(ClassificationConfig)
@dataclass(frozen=True)
class Classification(TaskDefaults):
    """See `jaxseq.tasks.task.Task`. It predicts, and gives texts vectors."""

    experiment: ExperimentConfig
    tokenizer: AnyTokenizer
    classes: tuple[str, ...]
    """The label of each class id."""
    model: Classifier
    texts: Mapping[str, Labelled] | None = field(default=None, compare=False, repr=False)
    """By split; None where it was restored without data."""
    vectors: WordVectors | None = field(default=None, compare=False, repr=False)
    """Those that the embedding of a new run begins with."""
    encoder: PretrainedEncoder | None = field(default=None, compare=False, repr=False)
    """That which a new run begins with."""
    checksum: str = ""
    """Of the encoder, where it is frozen."""
    workspace: Workspace = field(default=Workspace(), compare=False, repr=False)

    metrics: ClassVar[tuple[Metric, ...]] = CLASSIFICATION_METRICS
    counted: ClassVar[str] = "texts"
    showcase_files: ClassVar = reporting.SHOWCASE_FILES

    @classmethod
    def create(cls, experiment: ExperimentConfig, workspace: Workspace) -> Self:
        """Reads the texts; without artifacts it finds the classes, trains a tokenizer on those to train on, and reads
        the vectors of its words, or an encoder with its own tokenizer.

        Raises:
            InputError: the source, the file of vectors or the encoder cannot be used, a label is not among those
                trained on, or the sections do not fit each other.
        """
        section, data = sections(experiment)
        require_fit(section, data, experiment)
        parts = read_parts(data, poll=workspace.poll)
        texts = with_validation(parts, data, seed=experiment.train.seed)
        if workspace.artifacts is None:
            start = starting_point(experiment, texts["train"].texts, workspace)
            # As they were read: of a rare class all texts may be drawn for validation.
            classes = find_classes(parts["train"].labels)
            checksum = start.encoder.checksum() if start.encoder and section.freeze_weights else ""
            task = cls._of(experiment, Remembered(start.tokenizer, classes, checksum))
            task = dataclasses.replace(task, vectors=start.vectors, encoder=start.encoder)
        else:
            task = cls.restore(experiment, workspace.artifacts)
        for name, part in texts.items():
            class_ids(part, task.classes, part=name)
        task = dataclasses.replace(task, texts=texts, workspace=workspace)
        if section.freeze_weights and workspace.scratch is None:
            _ = task._vectors_of_texts  # which takes long, and is told while it goes on
        return task

    @classmethod
    def restore(cls, experiment: ExperimentConfig, artifacts: Mapping[str, bytes]) -> Self:
        """Model, tokenizer and classes.

        Raises:
            InputError: an artifact is missing or cannot be read.
        """
        return cls._of(experiment, Remembered.of(artifacts, *sections(experiment)))

    @classmethod
    def _of(cls, experiment: ExperimentConfig, remembered: Remembered) -> Self:
        task, data = sections(experiment)
        tokenizer, classes, checksum = remembered
        require_positive(task, classes)
        model = build_classifier(
            task,
            experiment.model,
            vocabulary_size=table_size(data, tokenizer),
            classes=len(classes),
            length=longest(data),
            padding=data.padding,
            dtype=experiment.train.compute_dtype,
        )
        return cls(experiment, tokenizer, classes, model, checksum=checksum)

    @property
    def section(self) -> ClassificationConfig:
        """What the experiment says of the task."""
        return sections(self.experiment)[0]

    @property
    def data(self) -> LabelledConfig:
        """What the experiment says of the data."""
        return sections(self.experiment)[1]

    def artifacts(self) -> dict[str, bytes]:
        """The tokenizer, the classes, and what a frozen encoder is known by."""
        return Remembered(self.tokenizer, self.classes, self.checksum).artifacts()

    def fingerprint(self) -> str:
        """Changes when a text or label does that is trained on or validated with."""
        return labelled_fingerprint(fingerprint_parts(self._texts))

    def overview(self) -> str:
        """How many texts, classes and tokens there are, what truncation and padding do to those to train on, and how
        many words begin with a vector."""
        loader, counts = self.training_loader, ", ".join(f"{len(t.texts):,} {name}" for name, t in self._texts.items())
        *shorter, longest = (str(length) for _, length in self._shapes)
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
    def training_loader(self) -> ExampleLoader | VectorLoader:
        """Batches to train on."""
        return self.loader("train", train=True)

    @property
    def _shapes(self) -> Sequence[tuple[int, int]]:
        """Rows and tokens of batches to train on; where an encoder is frozen, of those that are vectors by then."""
        loader = self.training_loader
        return loader.shapes if isinstance(loader, ExampleLoader) else [(loader.batch_size, longest(self.data))]

    def loader(self, split: str, *, train: bool, rows: int | None = None) -> ExampleLoader | VectorLoader:
        """Batches of a split: shuffled as for training, and where an encoder is frozen of what that makes of the texts;
        or each text once, from short to long."""
        part, data = self.part(split), self.data
        if not train:
            return example_loader(data, part.tokens, part.labels, rows=rows or rows_for(self.model, data))
        seed = self.experiment.train.seed
        if self.section.freeze_weights:
            made = self._vectors_of_texts[split]
            return VectorLoader(made, part.labels, batch_size=data.batch_size, shuffle=data.shuffle, seed=seed)
        return example_loader(
            data, part.tokens, part.labels, rows=data.batch_size, shuffle=data.shuffle, seed=seed, pad=False
        )

    def init(self, key: jax.Array) -> Variables:
        """Fresh parameters, or those of the encoder that is given; where there are data, the embedding begins with word
        vectors if they are given, and the log-count ratios of an NBSVM are those of the texts to train on."""
        variables = init_classifier(self.model, key)
        if self.section.weights:
            if self.encoder is not None:
                variables = with_encoder(variables, self.encoder.params)
            return frozen(variables) if self.section.freeze_weights else variables
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
        """Of batches of tokens, or where an encoder is frozen of vectors."""
        section = self.section
        if section.freeze_weights:
            return pooled_loss(self.model)
        options = {"masked": section.mask, "word_dropout": section.word_dropout, "frozen": section.freeze_vectors}
        return classification_loss(self.model, **options)

    def validation(self) -> Evaluation | None:
        """A pass over the validation split."""
        if "validation" not in self._texts:
            return None
        loader: Loader = self.loader("validation", train=False)
        if self.section.freeze_weights:
            part = self.part("validation")
            vectors = self._vectors_of_texts["validation"]
            loader = VectorLoader(vectors, part.labels, batch_size=ROWS, shuffle=False, pad=True)
        return Evaluation(self._loss, loader, self.metrics, counted=self.counted)

    @cached_property
    def _vectors_of_texts(self) -> Mapping[str, np.ndarray]:
        """What a frozen encoder makes of the texts to train on and to validate with, [n, d] by split."""
        parts = {name: self.part(name).tokens for name in fingerprint_parts(self._texts)}
        origin = Origin(self.experiment, self.fingerprint(), self.tokenizer.fingerprint, self.checksum)
        return kept_vectors(parts, self.pooled, origin, encoder=self.encoder, workspace=self.workspace)

    def evaluations(self, split: str, *, rows: int | None = None) -> Mapping[str, Evaluation]:
        """ "texts": every text of the split once."""
        part = self.part(split)
        loader = self.loader(split, train=False, rows=rows)

        def measure(variables: Variables, poll: Poll) -> dict[str, float]:
            logits = self.logits(whole(variables), part.tokens, rows=loader.batch_size, poll=poll)
            found = self._classified(part, np.asarray(jax.nn.softmax(logits)))
            return {**found.summary(), "loss": logit_loss(part.labels, logits), "texts": len(part.labels)}

        shown = (*self.metrics, _F1, _CALIBRATION)
        return {
            "texts": Evaluation(
                None,
                loader,
                self.metrics,
                measure=measure,
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
        rows, length = self._shapes[-1]
        found = traced_layers(self.model, jax.ShapeDtypeStruct((rows, length), jnp.int32))
        return with_tables(found, dict.fromkeys(("body/embedding", "body/position_table"), (rows, length)))

    def training_memory(self, *, batches: int) -> list[MemoryPart]:
        """`batches` batches, and what the body makes of one."""
        rows, length = self._shapes[-1]
        if self.section.freeze_weights:
            kept = sum(vectors.nbytes for vectors in self._vectors_of_texts.values())
            return [MemoryPart("the vectors of the texts", kept, "lower data.examples")]
        return memory_of_batches(self.model, self.experiment.model, rows=rows, length=length, batches=batches)

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
        return self._classified(part, self.probabilities(whole(variables), part.tokens, poll=poll))

    def _classified(self, part: Part, probabilities: np.ndarray) -> Classified:
        positive = self.classes.index(self.section.positive) if self.section.positive else 1
        return classified(part.labels, probabilities, positive=positive)

    @cached_property
    def probabilities(self) -> TextOutputs:
        """Of each class for each of n sequences [n, c]."""
        return TextOutputs(self.model, self.data, len(self.classes), masked=self.section.mask)

    @cached_property
    def logits(self) -> TextOutputs:
        """Of each class for each of n sequences [n, c]."""
        return TextOutputs(self.model, self.data, len(self.classes), masked=self.section.mask, gives="logits")

    @cached_property
    def pooled(self) -> TextOutputs:
        """What the head sees of each of n sequences [n, d]."""
        return TextOutputs(self.model, self.data, pooled_width(self.model), masked=self.section.mask, gives="vectors")

    def predict(self, variables: Variables, texts: Iterable[str], *, poll: Poll = never) -> Iterator[Prediction]:
        """A prediction for every text, in order; texts are read some thousands at a time."""
        for text, row in self.probabilities.of_texts(self.tokenizer, whole(variables), texts, poll=poll):
            probabilities = dict(zip(self.classes, map(float, row), strict=True))
            yield Prediction(text, self.classes[int(row.argmax())], probabilities, self._unknown(text))

    def embed(self, variables: Variables, texts: Iterable[str], *, poll: Poll = never) -> Iterator[np.ndarray]:
        """What the head sees of every text [d], in order."""
        return (row for _, row in self.pooled.of_texts(self.tokenizer, whole(variables), texts, poll=poll))

    def exports(self, variables: Variables) -> Mapping[str, Export]:
        """The embedding of each token; those of n-grams have no names.

        Raises:
            InputError: the model reads one-hot vectors, or has no table of that kind.
        """
        return vector_exports(embedding_of(whole(variables), self.tokenizer.vocabulary.symbols))

    def functions(self) -> Mapping[str, ExportedFunction]:
        """The logits of texts."""
        return classifier_functions(self.model, masked=self.section.mask)

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
