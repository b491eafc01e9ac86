"""Word vectors: skip-gram or CBOW with negative sampling (word2vec), with n-grams of characters (fastText)."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jaxseq.config import BasketsConfig, CorpusConfig, ExperimentConfig, LinesConfig, VectorsConfig, WordVectorsConfig
from jaxseq.data.subsampling import keep_chances
from jaxseq.data.word_windows import WordWindowLoader
from jaxseq.errors import ConfigError, InputError
from jaxseq.interop.fasttext import FastTextModel, FastTextSettings
from jaxseq.interop.ngram_vectors import NgramVectors
from jaxseq.interop.word_vectors import WordVectors
from jaxseq.memory import Part
from jaxseq.metrics.metric import Metric
from jaxseq.models.word_vectors import VectorTables, WordParts
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.signals import Poll, never
from jaxseq.tasks.capabilities import Export
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
from jaxseq.tasks.vector_exports import learned_vectors, vector_exports
from jaxseq.tasks.vectors.basket_splits import basket_splits
from jaxseq.tasks.vectors.counted_words import read_counted_words, write_counted_words
from jaxseq.tasks.vectors.negative_sampling import BLOCK, word_vector_loss
from jaxseq.tasks.vectors.neighbours import is_neighbours_file, neighbours_file, words_to_show
from jaxseq.tasks.vectors.table_outputs import table_outputs
from jaxseq.tasks.vectors.word_parts import JamoNgramVectors, parts_of
from jaxseq.tasks.vectors.word_splits import WordSplits
from jaxseq.text.tokenizers import Tokenizer

WordData = CorpusConfig | LinesConfig | BasketsConfig
"""Data that sentences can be had from."""

NEIGHBOURS = "neighbours.txt"


@register_task(WordVectorsConfig)
@dataclass(frozen=True)
class WordVectorLearning(TaskDefaults):
    """See `jaxseq.tasks.task.Task`. It exports."""

    experiment: ExperimentConfig
    tokenizer: Tokenizer
    counts: tuple[int, ...]
    """How often each word of the vocabulary occurs in what is trained on."""
    texts: WordSplits | None = field(default=None, compare=False, repr=False)
    """None where it was restored without data."""

    metrics: ClassVar[tuple[Metric, ...]] = (Metric("loss", "nats a pair"),)
    counted: ClassVar[str] = "pairs"
    showcase_files: ClassVar[Mapping[str, IsOurs]] = {NEIGHBOURS: is_neighbours_file}

    @classmethod
    def create(cls, experiment: ExperimentConfig, workspace: Workspace) -> Self:
        """Reads the text; without artifacts it finds the words, and counts them.

        Raises:
            InputError: a source cannot be used, or the sections do not fit each other.
        """
        _, data, _ = _sections(experiment)
        before = None if workspace.artifacts is None else cls.restore(experiment, workspace.artifacts)
        tokenizer = before and before.tokenizer
        if isinstance(data, BasketsConfig):
            texts = basket_splits(data, tokenizer, workspace)
        else:
            texts = WordSplits.create(data, tokenizer, workspace)
        if before is not None:
            return dataclasses.replace(before, texts=texts)
        task = cls(experiment, texts.tokenizer, tuple(texts.counts().tolist()), texts)
        assert task._loss  # what cannot be drawn is told before anything is written
        return task

    @classmethod
    def restore(cls, experiment: ExperimentConfig, artifacts: Mapping[str, bytes]) -> Self:
        """The words and their counts.

        Raises:
            InputError: an artifact is missing, or cannot be read.
        """
        _sections(experiment)
        return cls(experiment, *read_counted_words(artifacts))

    @property
    def section(self) -> WordVectorsConfig:
        """What the experiment says of the task."""
        return _sections(self.experiment)[0]

    @property
    def data(self) -> WordData:
        """What the experiment says of the data."""
        return _sections(self.experiment)[1]

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The vocabulary, by id."""
        return self.tokenizer.vocabulary.symbols

    @cached_property
    def model(self) -> VectorTables:
        """The tables."""
        section = _sections(self.experiment)[2]
        return VectorTables(
            self.tokenizer.vocabulary_size,
            section.features,
            self._parts,
            self._most_parts,
            jnp.dtype(self.experiment.train.compute_dtype),
        )

    @cached_property
    def _parts(self) -> WordParts | None:
        section = _sections(self.experiment)[2]
        return parts_of(self.words, section) if section.buckets else None

    @cached_property
    def _chances(self) -> NDArray[np.float64]:
        return keep_chances(np.array(self.counts), self.section.subsample)

    @cached_property
    def _most_parts(self) -> int:
        """Rows of the input table for a row of words: a tenth more than in the mean; the loader cuts what has more."""
        if self._parts is None:
            return 0
        sizes, weights = self._parts.sizes, np.maximum(self.counts, 1) * self._chances
        around = 2 * self.section.window
        mean = float(sizes @ weights / weights.sum())
        return max(int(sizes.max()) * (around + 1), round(1.1 * mean * (self.data.length + around)))

    def artifacts(self) -> dict[str, bytes]:
        """The tokenizer, and the counts of its words."""
        return write_counted_words(self.tokenizer, self.counts)

    def fingerprint(self) -> str:
        """Changes when the words do, or where sentences end."""
        return self._texts.fingerprint()

    def overview(self) -> str:
        """How many words there are, and how many an epoch keeps."""
        loader, part = self.training_loader, self._texts.sentences["train"]
        kept = self._chances @ np.bincount(part.ids, minlength=len(self._chances)) / len(part.ids)
        return (
            f"{self._texts.description}, of those to train on {kept:.0%} in an epoch, vocabulary "
            f"{len(self.words):,}, {loader.steps_per_epoch:,} batches of {loader.batch_size} x {loader.length} an epoch"
        )

    def splits(self) -> Sequence[str]:
        """Those that hold text."""
        return list(self.data.splits)

    @cached_property
    def training_loader(self) -> WordWindowLoader:
        """Batches of the training split, drawn anew in each epoch."""
        return self._loader("train", shuffle=self.data.shuffle, seed=self.experiment.train.seed)

    def loader(self, split: str, *, train: bool) -> WordWindowLoader:
        """Batches of a split: drawn as for training, or one draw of it, in order."""
        if train and split == "train":
            return self.training_loader
        return self._loader(split, shuffle=train and self.data.shuffle)

    def _loader(self, split: str, *, shuffle: bool, seed: int = 0, rows: int | None = None) -> WordWindowLoader:
        data, parts = self.data, self._parts
        try:
            return WordWindowLoader(
                self._texts.sentences[split],
                chances=self._chances,
                window=self.section.window,
                length=data.length,
                batch_size=rows or data.batch_size,
                pieces=None if parts is None else parts.sizes,
                most_pieces=self._most_parts,
                shrink=self.section.shrink_windows,
                ordered=not isinstance(data, BasketsConfig) or data.ordered,
                shuffle=shuffle,
                seed=seed,
            )
        except InputError as error:
            raise InputError(f"the {split} split cannot be used: {error}") from error

    def init(self, key: jax.Array) -> Variables:
        """Fresh parameters: input vectors uniform around 0, output vectors zero."""
        return jax.jit(self.model.init)(key, jnp.zeros((1, 1), jnp.int32))

    def loss(self, variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        """Nats a pair ("loss") of a batch."""
        return self._loss(variables, carry, batch, context)

    @cached_property
    def _loss(self) -> LossFn:
        return word_vector_loss(self.section, self.model, np.array(self.counts))

    def evaluations(self, split: str, *, rows: int | None = None) -> Mapping[str, Evaluation]:
        """ "pairs": one draw of the split's pairs, each with all negatives in the mean.

        Raises:
            InputError: there are none in it.
        """
        loader = self._loader(split, shuffle=False, rows=rows)
        if not loader.pairs(0):
            raise InputError(
                f"the {split} split has no two words beside each other that task.subsample keeps: give it more, or "
                "lower task.subsample to 0"
            )
        title = "pairs of one draw, all negatives in the mean"
        return {"pairs": Evaluation(self._loss, loader, self.metrics, title=title, shown=self.metrics, counted="pairs")}

    def layer_outputs(self) -> LayerOutputs:
        """For a training batch."""
        centres, around = self.data.length, 2 * self.section.window
        reads_context = self.section.algorithm == "cbow"
        places = {"input": centres + around * reads_context, "output": centres + around * (not reads_context)}
        return table_outputs(self, places, rows=self.data.batch_size)

    def training_memory(self, *, batches: int) -> list[Part]:
        """Vectors that are looked up, and `batches` batches."""
        data, task, around = self.data, self.section, 2 * self.section.window
        drawn = task.shared * -(-data.length // BLOCK) if task.shared else data.length * task.negatives
        drawn *= 1 if task.shared or task.algorithm == "cbow" else around
        looked_up = max(data.length + around, self._most_parts) + data.length + around + drawn
        smaller = "lower data.batch_size, data.length or model.features"
        return [
            Part("vectors of words", 4 * data.batch_size * looked_up * self.model.features, smaller),
            Part(f"{batches:,} batches for one dispatch", 4 * batches * data.batch_size * 4 * data.length, smaller),
        ]

    def vectors(self, variables: Variables) -> WordVectors:
        """Those of the vocabulary, and what makes vectors of other words where there are n-grams."""
        table, section, count = _input_table(variables), _sections(self.experiment)[2], len(self.words)
        if not section.buckets:
            return learned_vectors(self.words, table)
        kind = JamoNgramVectors if section.jamo else NgramVectors
        ngrams = kind(table[count:], section.shortest, section.longest)
        contents = [word.encode("utf-8", "surrogatepass") for word in self.words]
        return learned_vectors(self.words, ngrams.means(contents, table[:count])[0], ngrams=ngrams)

    def exports(self, variables: Variables) -> Mapping[str, Export]:
        """The vector of each word of the vocabulary; with them those of n-grams, if they are of characters."""
        found, (task, _, model) = self.vectors(variables), _sections(self.experiment)
        fasttext = None
        if found.ngrams is not None and not model.jamo:  # other programs would look n-grams of jamo up by characters
            epochs = self.experiment.train.epochs
            fasttext = FastTextModel(
                self.words,
                self.counts,
                _input_table(variables)[: len(self.words)],
                found.ngrams,
                np.asarray(variables["params"]["output"]["table"]),
                FastTextSettings(task.algorithm, task.window, epochs, 1, task.negatives, task.subsample),
            )
        return vector_exports(found, fasttext=fasttext)

    def showcase(self, variables: Variables, key: jax.Array, *, step: int, poll: Poll = never) -> Showcase:
        """The words nearest to some, and the command that asks for more."""
        asked = self.section.words or words_to_show(self.words)
        vectors, count = self.vectors(variables), self.section.neighbours
        content = neighbours_file(vectors, asked, count=count, step=step, poll=poll)
        return Showcase({NEIGHBOURS: content}, "ask for more with", ("nearest", "RUN", asked[0]))

    @property
    def _texts(self) -> WordSplits:
        if self.texts is None:
            raise ValueError("this task was restored without data: create it to have some")
        return self.texts


def _input_table(variables: Variables) -> NDArray[np.float32]:
    return np.asarray(variables["params"]["input"]["table"])


def _sections(experiment: ExperimentConfig) -> tuple[WordVectorsConfig, WordData, VectorsConfig]:
    task, data, model = experiment.task, experiment.data, experiment.model
    if not isinstance(task, WordVectorsConfig):
        raise ConfigError(f"task.kind is {task.kind!r}: this task is word_vectors")
    if not isinstance(data, WordData):
        raise ConfigError(
            f"data.kind is {data.kind!r}: word_vectors reads running text or baskets, take corpus, lines or baskets"
        )
    if not isinstance(model, VectorsConfig):
        raise ConfigError(f"model.kind is {model.kind!r}: word_vectors trains a model of kind vectors")
    return task, data, model
