"""Word vectors: skip-gram or CBOW with negative sampling (word2vec), with n-grams of characters (fastText)."""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jaxseq.config import CorpusConfig, ExperimentConfig, LinesConfig, VectorsConfig, WordVectorsConfig
from jaxseq.data.subsampling import keep_chances
from jaxseq.data.word_windows import WordWindowLoader
from jaxseq.errors import ConfigError, InputError
from jaxseq.interop.fasttext import FastTextModel, FastTextSettings
from jaxseq.interop.ngram_vectors import NgramVectors
from jaxseq.memory import Part
from jaxseq.metrics.metric import Metric
from jaxseq.models.word_vectors import WordParts, WordVectors
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.signals import Poll, never
from jaxseq.tasks.capabilities import Export
from jaxseq.tasks.negative_sampling import word_vector_loss
from jaxseq.tasks.task import Evaluation, IsOurs, Showcase, TaskDefaults, Variables, Workspace, register_task
from jaxseq.tasks.vector_exports import vector_exports
from jaxseq.tasks.word_parts import mean_rows, ngram_rows, parts_of
from jaxseq.tasks.word_splits import WordSplits
from jaxseq.text.tokenizers import Tokenizer, tokenizer_from_text

TOKENIZER, COUNTS, NEIGHBOURS = "tokenizer.json", "counts.json", "neighbours.txt"

_RANKS = (50, 100, 200, 400, 800, 1600)
"""Of words that are shown where none are named: frequent ones, but no function words."""


class Looked(NamedTuple):
    """Vectors of words that were asked for."""

    vectors: NDArray[np.float32]
    """[n, d]; zeros where there is none."""
    known: NDArray[np.bool_]
    """[n], whether a word has a vector: it is one of the vocabulary, or has an n-gram."""


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
    showcase_files: ClassVar[Mapping[str, IsOurs]] = {
        NEIGHBOURS: lambda begin: re.match(rb"step \d+, nearest by cosine\n\n", begin) is not None
    }

    @classmethod
    def create(cls, experiment: ExperimentConfig, workspace: Workspace) -> Self:
        """Reads the text; without artifacts it finds the words, and counts them.

        Raises:
            InputError: a source cannot be used, or the sections do not fit each other.
        """
        _, data, _ = _sections(experiment)
        before = None if workspace.artifacts is None else cls.restore(experiment, workspace.artifacts)
        texts = WordSplits.create(data, before and before.tokenizer, workspace)
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
        for name in (TOKENIZER, COUNTS):
            if name not in artifacts:
                raise InputError(f"there is no {name}")
        tokenizer = tokenizer_from_text(artifacts[TOKENIZER])
        return cls(experiment, tokenizer, _counts(artifacts[COUNTS], tokenizer.vocabulary_size))

    @property
    def section(self) -> WordVectorsConfig:
        """What the experiment says of the task."""
        return _sections(self.experiment)[0]

    @property
    def data(self) -> CorpusConfig | LinesConfig:
        """What the experiment says of the data."""
        return _sections(self.experiment)[1]

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The vocabulary, by id."""
        return self.tokenizer.vocabulary.symbols

    @cached_property
    def model(self) -> WordVectors:
        """The tables."""
        section = _sections(self.experiment)[2]
        return WordVectors(
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
        trees = {TOKENIZER: self.tokenizer.to_json(), COUNTS: list(self.counts)}
        return {name: (json.dumps(tree, ensure_ascii=False) + "\n").encode() for name, tree in trees.items()}

    def fingerprint(self) -> str:
        """Changes when the words do, or where sentences end."""
        return self._texts.fingerprint()

    def overview(self) -> str:
        """How many words there are, and how many an epoch keeps."""
        loader, part = self.training_loader, self._texts.sentences["train"]
        kept = self._chances @ np.bincount(part.ids, minlength=len(self._chances)) / len(part.ids)
        return (
            f"{self._texts.words:,} words, of those to train on {kept:.0%} in an epoch, vocabulary "
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
        """ "pairs": one draw of the split's pairs, each with all negatives in the mean."""
        loader = self._loader(split, shuffle=False, rows=rows)
        title = "pairs of one draw, all negatives in the mean"
        return {"pairs": Evaluation(self._loss, loader, self.metrics, title=title, shown=self.metrics, counted="pairs")}

    def training_memory(self, *, batches: int) -> list[Part]:
        """Vectors that are looked up, and `batches` batches."""
        data, task, around = self.data, self.section, 2 * self.section.window
        drawn = task.shared * -(-data.length // 32) if task.shared else data.length * task.negatives
        drawn *= 1 if task.shared or task.algorithm == "cbow" else around
        looked_up = max(data.length + around, self._most_parts) + data.length + around + drawn
        smaller = "lower data.batch_size, data.length or model.features"
        return [
            Part("vectors of words", 4 * data.batch_size * looked_up * self.model.features, smaller),
            Part(f"{batches:,} batches for one dispatch", 4 * batches * data.batch_size * 4 * data.length, smaller),
        ]

    def vectors(self, variables: Variables) -> NDArray[np.float32]:
        """Those of the vocabulary [v, d], n-grams included."""
        table = np.asarray(variables["params"]["input"]["table"])
        return table if self._parts is None else mean_rows(table, self._parts.rows, self._parts.offsets)

    def look_up(self, variables: Variables, words: Sequence[str]) -> Looked:
        """Vectors of any words: of those that are not known, the mean of their n-grams.

        A word without n-grams, or any that is not known where the model has none, has zeros and is not `known`.
        """
        table, section = np.asarray(variables["params"]["input"]["table"]), _sections(self.experiment)[2]
        ids = {word: id for id, word in enumerate(self.words)}
        rows: list[NDArray[np.int64]] = []
        for word in words:
            if word in ids and self._parts is not None:
                at = self._parts.offsets[ids[word] : ids[word] + 2]
                rows.append(self._parts.rows[at[0] : at[1]])
            elif word in ids:
                rows.append(np.array([ids[word]]))
            else:
                rows.append(ngram_rows(word, section, len(self.words)))
        offsets = np.cumsum([0, *map(len, rows)])
        return Looked(mean_rows(table, np.concatenate(rows), offsets), np.diff(offsets) > 0)

    def exports(self, variables: Variables) -> Mapping[str, Export]:
        """The vector of each word of the vocabulary; with them those of n-grams, if they are of characters."""
        task, _, model = _sections(self.experiment)
        fasttext = None
        if model.buckets and not model.jamo:  # other programs would look n-grams of jamo up by characters
            table, count = np.asarray(variables["params"]["input"]["table"]), len(self.words)
            fasttext = FastTextModel(
                self.words,
                self.counts,
                table[:count],
                NgramVectors(table[count:], model.shortest, model.longest),
                np.asarray(variables["params"]["output"]["table"]),
                FastTextSettings(
                    task.algorithm, task.window, self.experiment.train.epochs, 1, task.negatives, task.subsample
                ),
            )
        return vector_exports(self.words, self.vectors(variables), fasttext=fasttext)

    def showcase(self, variables: Variables, key: jax.Array, *, step: int, poll: Poll = never) -> Showcase:
        """The words nearest to some, and the command that asks for more."""
        asked = self.section.words or [self.words[rank] for rank in _RANKS if rank < len(self.words)] or self.words[:6]
        looked = self.look_up(variables, list(asked))
        directions = _directions(self.vectors(variables))
        lines = []
        for word, vector, known in zip(asked, _directions(looked.vectors), looked.known, strict=True):
            poll()
            cosines = directions @ vector
            best = [at for at in np.argsort(-cosines, kind="stable") if self.words[at] != word]
            near = ", ".join(f"{self.words[at]} {cosines[at]:.2f}" for at in best[: self.section.neighbours])
            lines.append(f"{word}: {near if known else 'no vector, the word is not known and has no n-grams'}")
        text = f"step {step}, nearest by cosine\n\n" + "\n".join(lines) + "\n"
        return Showcase({NEIGHBOURS: text.encode()}, "ask for more with", ("nearest", "RUN", asked[0]))

    @property
    def _texts(self) -> WordSplits:
        if self.texts is None:
            raise ValueError("this task was restored without data: create it to have some")
        return self.texts


def _directions(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors [n, d] of length 1; zeros stay zeros."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)


def _sections(experiment: ExperimentConfig) -> tuple[WordVectorsConfig, CorpusConfig | LinesConfig, VectorsConfig]:
    task, data, model = experiment.task, experiment.data, experiment.model
    if not isinstance(task, WordVectorsConfig):
        raise ConfigError(f"task.kind is {task.kind!r}: this task is word_vectors")
    if not isinstance(data, CorpusConfig | LinesConfig):
        raise ConfigError(f"data.kind is {data.kind!r}: word_vectors reads running text, take corpus or lines")
    if not isinstance(model, VectorsConfig):
        raise ConfigError(f"model.kind is {model.kind!r}: word_vectors trains a model of kind vectors")
    return task, data, model


def _counts(content: bytes, size: int) -> tuple[int, ...]:
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{COUNTS} is no JSON: it was changed by hand") from error
    if not isinstance(tree, list) or len(tree) != size or not all(type(n) is int and n >= 0 for n in tree):
        raise InputError(f"{COUNTS} is no list of {size:,} counts, one a word: it was changed by hand")
    return tuple(tree)
