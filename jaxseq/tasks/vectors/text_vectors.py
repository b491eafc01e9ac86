"""Text vectors: PV-DM and PV-DBOW with negative sampling (doc2vec; Le and Mikolov 2014)."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jaxseq.config import CorpusConfig, ExperimentConfig, LabelledConfig, LinesConfig, TextVectorsConfig, VectorsConfig
from jaxseq.data.examples import join_sequences
from jaxseq.data.labelled import Labelled, class_ids
from jaxseq.data.subsampling import keep_chances
from jaxseq.data.text_windows import TextWindowLoader
from jaxseq.data.whole_texts import WholeTextLoader
from jaxseq.data.word_windows import WordWindowLoader
from jaxseq.errors import ConfigError, InputError
from jaxseq.memory import Part
from jaxseq.metrics.metric import Metric
from jaxseq.models.text_vectors import TextTables
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.signals import Poll, never
from jaxseq.tasks.capabilities import Export, Prediction
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
from jaxseq.tasks.vectors.counted_words import read_counted_words, write_counted_words
from jaxseq.tasks.vectors.table_outputs import table_outputs
from jaxseq.tasks.vectors.text_answers import NEIGHBOURS, SHOWCASE_FILES, TextAnswers, report
from jaxseq.tasks.vectors.text_inference import ROWS, TextInference
from jaxseq.tasks.vectors.text_splits import Texts, TextSplits, known_words
from jaxseq.tasks.vectors.text_vector_loss import BLOCK, text_vector_loss
from jaxseq.tasks.vectors.trained_texts import TEXTS, TrainedTexts
from jaxseq.text.tokenizers import Tokenizer

TEXT_NAME = "*dt_{}"
"""What a text is called among words, by its number from 0 on; as in gensim."""

_SHOWN = 4
"""Texts whose nearest a run ends with, unless some are named."""
_ERROR = Metric("error", "%", form=".2f", heading="error (%)")
"""Of a linear classifier, in percent of the texts."""


@register_task(TextVectorsConfig)
@dataclass(frozen=True)
class TextVectorLearning(TaskDefaults):
    """See `jaxseq.tasks.task.Task`. It predicts and exports.

    Texts of the training split have rows of a table that are trained; what vectors other texts have, those of other
    splits included, is found when it is asked for.
    """

    experiment: ExperimentConfig
    tokenizer: Tokenizer
    counts: tuple[int, ...]
    """How often each word of the vocabulary occurs in what is trained on."""
    trained: TrainedTexts
    """The texts that have a row."""
    texts: TextSplits | None = field(default=None, compare=False, repr=False)
    """None where it was restored without data."""

    metrics: ClassVar[tuple[Metric, ...]] = (Metric("loss", "nats a word"),)
    counted: ClassVar[str] = "words"
    showcase_files: ClassVar[Mapping[str, IsOurs]] = SHOWCASE_FILES

    @classmethod
    def create(cls, experiment: ExperimentConfig, workspace: Workspace) -> Self:
        """Reads the texts; without artifacts it finds the words, counts them, and finds the classes of labelled texts.

        Raises:
            InputError: a source cannot be used, or the sections do not fit each other.
        """
        _, data, _ = _sections(experiment)
        before = None if workspace.artifacts is None else cls.restore(experiment, workspace.artifacts)
        seed = experiment.train.seed
        texts = TextSplits.create(data, before and before.tokenizer, workspace, seed=seed)
        if before is None:
            train = texts.parts["train"]
            trained = TrainedTexts(tuple(train.begins), None if train.labels is None else tuple(train.labels))
            task = cls(experiment, texts.tokenizer, tuple(texts.counts().tolist()), trained, texts)
            assert task._loss  # what cannot be drawn is told before anything is written
        else:
            task = dataclasses.replace(before, texts=texts)
        for name, part in texts.parts.items():
            if part.labels is not None:
                class_ids(Labelled(part.begins, part.labels, data.source), task.trained.classes, part=name)
        return task

    @classmethod
    def restore(cls, experiment: ExperimentConfig, artifacts: Mapping[str, bytes]) -> Self:
        """The words, their counts, and what is kept of the texts.

        Raises:
            InputError: an artifact is missing, or cannot be read.
        """
        _sections(experiment)
        words = read_counted_words(artifacts)
        if TEXTS not in artifacts:
            raise InputError(f"there is no {TEXTS}")
        return cls(experiment, *words, TrainedTexts.from_json(artifacts[TEXTS]))

    @property
    def section(self) -> TextVectorsConfig:
        """What the experiment says of the task."""
        return _sections(self.experiment)[0]

    @property
    def data(self) -> LabelledConfig | CorpusConfig | LinesConfig:
        """What the experiment says of the data."""
        return _sections(self.experiment)[1]

    @cached_property
    def model(self) -> TextTables:
        """The tables."""
        return TextTables(
            len(self.trained.begins),
            self.tokenizer.vocabulary_size,
            _sections(self.experiment)[2].features,
            self.section.algorithm == "dm",
            jnp.dtype(self.experiment.train.compute_dtype),
        )

    @cached_property
    def _chances(self) -> NDArray[np.float64]:
        return keep_chances(np.array(self.counts), self.section.subsample)

    def artifacts(self) -> dict[str, bytes]:
        """The tokenizer, the counts of its words, and what is kept of the texts."""
        return {**write_counted_words(self.tokenizer, self.counts), TEXTS: self.trained.to_json()}

    def fingerprint(self) -> str:
        """Changes when the texts do that are trained on."""
        return self._texts.fingerprint

    def overview(self) -> str:
        """How many texts and words there are, and how many texts have no word that is known."""
        loader, parts = self.training_loader, self._texts.parts
        counts = ", ".join(f"{len(part.begins):,} {name}" for name, part in parts.items())
        empty = int((parts["train"].tokens.lengths == 0).sum())
        without = f"; {empty:,} to train on without a known word: their vectors are zero" if empty else ""
        return (
            f"{counts} texts{without}; {sum(self.counts):,} words to train on, vocabulary {len(self.counts):,}, "
            f"{loader.steps_per_epoch:,} batches of {loader.batch_size} x {loader.length} an epoch"
        )

    def splits(self) -> Sequence[str]:
        """Those that hold texts; restored without data, those that a source may have."""
        return list(self.texts.parts) if self.texts is not None else ["train", "validation", "test"]

    def part(self, split: str) -> Texts:
        """The texts of a split.

        Raises:
            InputError: there are none.
        """
        if split not in self._texts.parts:
            raise InputError(f"{self.data.source} has no {split} split: choose {' or '.join(self._texts.parts)}")
        return self._texts.parts[split]

    @cached_property
    def training_loader(self) -> TextWindowLoader:
        """Batches of the training split, drawn anew in each epoch."""
        reads_context = self.section.algorithm == "dm"
        try:
            words = WordWindowLoader(
                self.part("train").tokens,
                chances=self._chances,
                window=self.section.window if reads_context else 1,
                length=BLOCK,
                batch_size=self.data.batch_size,
                shuffle=self.data.shuffle,
                seed=self.experiment.train.seed,
            )
        except InputError as error:
            raise InputError(f"the train split cannot be used: {error}") from error
        return TextWindowLoader(words)

    def loader(self, split: str, *, train: bool) -> TextWindowLoader | WholeTextLoader:
        """Batches to train on; of other splits, which are not trained on, their texts."""
        return self.training_loader if train and split == "train" else self._whole(split)

    def _whole(self, split: str, *, rows: int | None = None) -> WholeTextLoader:
        tokens = self.part(split).tokens
        if not len(tokens.ids):
            raise InputError(f"no text of the {split} split has a known word: give more text, or lower data.min_count")
        return WholeTextLoader(tokens, batch_size=rows or ROWS)

    def init(self, key: jax.Array) -> Variables:
        """Fresh parameters; where there are data, zeros for texts without a word that is known."""
        variables = jax.jit(self.model.init)(key, jnp.zeros((1, 1), jnp.int32))
        if self.texts is None:
            return variables
        has_words = jnp.asarray(self.part("train").tokens.lengths > 0)
        params = variables["params"]
        table = jnp.where(has_words[:, None], params["text"]["table"], 0)
        return {**variables, "params": {**params, "text": {"table": table}}}

    def loss(self, variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        """Nats a word ("loss") of a training batch."""
        return self._loss(variables, carry, batch, context)

    @cached_property
    def _loss(self) -> LossFn:
        return text_vector_loss(self.section, self.model, np.array(self.counts))

    @cached_property
    def inference(self) -> TextInference:
        """What finds the vectors of texts."""
        return TextInference(self.section, self.model, np.array(self.counts), self._chances)

    @property
    def key(self) -> jax.Array:
        """What is drawn for new texts follows from it, unless another is given."""
        return jax.random.key(self.experiment.train.seed)

    @cached_property
    def answers(self) -> TextAnswers:
        """What vectors tell of texts."""
        return TextAnswers(self.trained, penalty=self.section.penalty, neighbours=self.section.neighbours)

    def validation(self) -> Evaluation | None:
        """Nats a word of the validation split, whose vectors are found for it."""
        return self._evaluation("validation") if "validation" in self._texts.parts else None

    def evaluations(self, split: str, *, rows: int | None = None) -> Mapping[str, Evaluation]:
        """ "texts": every text of the split once, with a vector that is found for it; where texts have labels, how many
        a linear classifier of trained vectors gets wrong by it."""
        part, evaluation = self.part(split), self._evaluation(split, rows=rows)
        if part.labels is None:
            return {"texts": evaluation}

        def complete(variables: Variables, means: dict[str, float], poll: Poll) -> dict[str, float]:
            return {**means, "error": self.error(variables, split, poll=poll)}

        return {"texts": evaluation._replace(complete=complete, shown=(*self.metrics, _ERROR))}

    def _evaluation(self, split: str, *, rows: int | None = None) -> Evaluation:
        title, loader = "every text once, its vector found anew", self._whole(split, rows=rows)
        loss = self.inference.loss(self.key)
        return Evaluation(loss, loader, self.metrics, title=title, shown=self.metrics, counted=self.counted)

    def error(self, variables: Variables, split: str, *, poll: Poll = never) -> float:
        """Texts of a split that a linear classifier, fitted to the trained vectors, gets wrong by their vectors that
        are found anew, in percent.

        Raises:
            InputError: the texts have no labels.
        """
        part = self.part(split)
        if part.labels is None:
            raise InputError(f"the {split} texts of {self.data.source} have no labels: take data of kind labelled")
        found = self.inference(variables, part.tokens, key=self.key, poll=poll)
        labelled = Labelled(part.begins, part.labels, self.data.source)
        wanted = class_ids(labelled, self.trained.classes, part=split)
        return 100 * self.answers.error(text_table(variables), found, wanted)

    def predict(
        self, variables: Variables, texts: Iterable[str], *, key: jax.Array | None = None, poll: Poll = never
    ) -> Iterator[Prediction]:
        """For every text, in order: its vector, the nearest of those trained on, and where these have labels the
        probability of each.

        Args:
            key: what is drawn for the texts follows from it; None for that of the run.
        """
        key = self.key if key is None else key

        def vectors_of(texts: Sequence[str]) -> NDArray[np.float32]:
            tokens = known_words(self.data, self.tokenizer, texts)
            return self.inference(variables, tokens, key=key, poll=poll)

        return self._predicted(variables, texts, vectors_of, poll)

    def _predicted(
        self,
        variables: Variables,
        texts: Iterable[str],
        vectors_of: Callable[[Sequence[str]], NDArray[np.float32]],
        poll: Poll,
    ) -> Iterator[Prediction]:
        unknown = getattr(self.tokenizer, "unknown_words", lambda text: [])
        return self.answers.predict(text_table(variables), texts, vectors_of=vectors_of, unknown=unknown, poll=poll)

    def exports(self, variables: Variables) -> Mapping[str, Export]:
        """The vector of each text that is trained on, by its number; and of each word, where words have one."""
        names, table = [TEXT_NAME.format(number) for number in range(len(self.trained.begins))], text_table(variables)
        if self.section.algorithm == "dm":
            first = len(self.tokenizer.vocabulary.specials)  # those stand for no word
            names += self.tokenizer.vocabulary.symbols[first:]
            table = np.concatenate([table, np.asarray(variables["params"]["input"]["table"])[first:]])
        return vector_exports(learned_vectors(names, table))

    def layer_outputs(self) -> LayerOutputs:
        """For a training batch."""
        words = self.training_loader.length
        context = {"input": words + 2 * self.section.window} if self.section.algorithm == "dm" else {}
        return table_outputs(self, {"text": words, **context, "output": words}, rows=self.data.batch_size)

    def training_memory(self, *, batches: int) -> list[Part]:
        """Vectors that are looked up, and `batches` batches."""
        task, rows, loader = self.section, self.data.batch_size, self.training_loader
        around = 2 * task.window if task.algorithm == "dm" else 0
        drawn = task.shared or BLOCK * task.negatives
        looked_up = rows * (3 * BLOCK + around + drawn)
        smaller = "lower data.batch_size or model.features"
        return [
            Part("vectors of words and texts", 4 * looked_up * self.model.features, smaller),
            Part(f"{batches:,} batches for one dispatch", 4 * batches * rows * 5 * loader.length, smaller),
        ]

    def showcase(self, variables: Variables, key: jax.Array, *, step: int, poll: Poll = never) -> Showcase:
        """The texts nearest to some; where texts have labels how well these are told by vectors."""
        split = next((name for name in ("test", "validation") if name in self._texts.parts), "train")
        error = ""
        if self.part(split).labels is not None:
            wrong = self.error(variables, split, poll=poll)
            error = f"a linear classifier of the vectors gets {wrong:.2f} % of the {split} split wrong"
        made = self.predict(variables, self.section.texts, poll=poll)
        if not self.section.texts:
            made = self._of_split(variables, split, poll)
        content = report(made, step=step, error=error)
        return Showcase({NEIGHBOURS: content}, "ask for more with", ("predict", "RUN", "a text of your own"))

    def _of_split(self, variables: Variables, split: str, poll: Poll) -> Iterator[Prediction]:
        """Predictions for some texts, from all over a split."""
        part = self.part(split)
        which = np.unique(np.linspace(0, len(part.begins) - 1, _SHOWN).astype(int))
        ids, offsets = part.tokens
        tokens = join_sequences(ids[offsets[at] : offsets[at + 1]] for at in which)
        vectors = self.inference(variables, tokens, key=self.key, poll=poll)
        return self._predicted(variables, [part.begins[at] for at in which], lambda texts: vectors, poll)

    @property
    def _texts(self) -> TextSplits:
        if self.texts is None:
            raise ValueError("this task was restored without data: create it to have some")
        return self.texts


def text_table(variables: Variables) -> NDArray[np.float32]:
    """The vectors [n, d] of the texts that are trained on."""
    return np.asarray(variables["params"]["text"]["table"])


def _sections(
    experiment: ExperimentConfig,
) -> tuple[TextVectorsConfig, LabelledConfig | CorpusConfig | LinesConfig, VectorsConfig]:
    task, data, model = experiment.task, experiment.data, experiment.model
    if not isinstance(task, TextVectorsConfig):
        raise ConfigError(f"task.kind is {task.kind!r}: this task is text_vectors")
    if not isinstance(data, LabelledConfig | CorpusConfig | LinesConfig):
        raise ConfigError(f"data.kind is {data.kind!r}: text_vectors reads texts, take labelled, lines or corpus")
    if not isinstance(model, VectorsConfig):
        raise ConfigError(f"model.kind is {model.kind!r}: text_vectors trains a model of kind vectors")
    if model.buckets:
        raise ConfigError(f"model.buckets is {model.buckets}: text_vectors gives n-grams no vectors, leave it at 0")
    return task, data, model
