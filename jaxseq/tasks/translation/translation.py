"""Translation: what a source becomes, token by token, found by beam search."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.config import ExperimentConfig, PairedConfig, TranslationConfig
from jaxseq.data.pair_batches import PairLoader
from jaxseq.data.pair_shapes import PairShape, choose_shapes, with_room
from jaxseq.data.pair_tokens import PairTokens, encode_pairs
from jaxseq.decoding.beam import Beam
from jaxseq.errors import ConfigError, InputError
from jaxseq.interop.exported import ExportedFunction
from jaxseq.memory import Part
from jaxseq.metrics.metric import Metric
from jaxseq.metrics.translation import TRANSLATION_METRICS, TranslationScores, require_packages, translation_scores
from jaxseq.nn.encoder_decoder import EncoderDecoder
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.ops.proposals import Proposal
from jaxseq.reporting import translation as reporting
from jaxseq.reporting.attention_pictures import MOST_WORDS, attention_picture, is_attention_picture
from jaxseq.signals import Poll, never
from jaxseq.tasks.candidates import ROWS
from jaxseq.tasks.capabilities import Translation, TranslationOptions
from jaxseq.tasks.layer_table import traced_layers, with_tables
from jaxseq.tasks.target_functions import encoder_decoder_functions
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
from jaxseq.tasks.translation.encoder_decoders import build_encoder_decoder
from jaxseq.tasks.translation.pair_loss import pair_loss
from jaxseq.tasks.translation.pair_texts import (
    TEST,
    PairTexts,
    SplitTexts,
    fingerprint,
    read_splits,
    remarks,
    train_tokenizers,
)
from jaxseq.tasks.translation.text_translator import SEARCH, TextTranslator
from jaxseq.tasks.vocabulary_objective import proposal_of, require_objective
from jaxseq.text.pair_tokenizers import PairTokenizers

TOKENIZERS, ATTENTION = "tokenizers.json", "attention.png"
_MULTIPLE = 8
"""Rows of a batch that is measured by its tokens are a multiple of this, so that devices can share them."""


@register_task(TranslationConfig)
@dataclass(frozen=True)
class TranslationTask(TaskDefaults):
    """See `jaxseq.tasks.task.Task`. It translates."""

    experiment: ExperimentConfig
    tokenizers: PairTokenizers
    model: EncoderDecoder
    texts: SplitTexts | None = field(default=None, compare=False, repr=False)
    """None where it was restored without data."""

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("loss", "nats per token"),
        Metric("accuracy", better="higher", form=".2%"),
        *TRANSLATION_METRICS,
    )
    counted: ClassVar[str] = "tokens"
    showcase_files: ClassVar[Mapping[str, IsOurs]] = {
        reporting.REPORT: reporting.is_report,
        ATTENTION: is_attention_picture,
    }

    @classmethod
    def create(cls, experiment: ExperimentConfig, workspace: Workspace) -> Self:
        """Reads the pairs; without artifacts it trains the tokenizers on those to train on.

        Raises:
            InputError: a source cannot be used, or the sections do not fit each other.
        """
        section, data = _sections(experiment)
        require_packages(section.tokenize)
        texts = read_splits(data, seed=experiment.train.seed, poll=workspace.poll)
        for remark in remarks(texts):
            workspace.tell(remark)
        if workspace.artifacts is None:
            task = cls._of(experiment, train_tokenizers(data, texts["train"]["train"].pairs))
        else:
            task = cls.restore(experiment, workspace.artifacts)
        task = dataclasses.replace(task, texts=texts)
        if workspace.artifacts is None:
            _ = task._loss  # complains of an objective that the vocabulary does not serve for
        if remark := task.tokens("train", "train").longer(data.source_length, data.target_length):
            workspace.tell(remark)
        return task

    @classmethod
    def restore(cls, experiment: ExperimentConfig, artifacts: Mapping[str, bytes]) -> Self:
        """Model and tokenizers.

        Raises:
            InputError: an artifact is missing or cannot be read.
        """
        if TOKENIZERS not in artifacts:
            raise InputError(f"there is no {TOKENIZERS}")
        try:
            tree = json.loads(artifacts[TOKENIZERS])
        except (ValueError, RecursionError) as error:
            raise InputError(f"{TOKENIZERS} is no JSON ({error})") from error
        return cls._of(experiment, PairTokenizers.from_json(tree))

    @classmethod
    def _of(cls, experiment: ExperimentConfig, tokenizers: PairTokenizers) -> Self:
        return cls(experiment, tokenizers, _model(experiment, tokenizers))

    @property
    def section(self) -> TranslationConfig:
        """The task's section of the configuration."""
        return _sections(self.experiment)[0]

    @property
    def data(self) -> PairedConfig:
        """The data section."""
        return _sections(self.experiment)[1]

    def artifacts(self) -> dict[str, bytes]:
        """The tokenizers of both sides."""
        return {TOKENIZERS: (json.dumps(self.tokenizers.to_json(), ensure_ascii=False) + "\n").encode()}

    def fingerprint(self) -> str:
        """Changes when a sentence does that is trained on or validated with."""
        return fingerprint(self._texts)

    def overview(self) -> str:
        """How many pairs, tokens and batches there are."""
        counts = ", ".join(f"{sum(map(_count, parts.values())):,} {name}" for name, parts in self._texts.items())
        source, target = self.tokenizers.source.vocabulary_size, self.tokenizers.target.vocabulary_size
        sizes = (
            f"a joint vocabulary of {target:,}" if self.tokenizers.joint else f"vocabularies {source:,} and {target:,}"
        )
        loader = self.training_loader
        shapes = ", ".join(f"{rows} x {s}+{t}" for rows, (s, t) in loader.shapes)
        return (
            f"{counts} pairs, {sizes}\n"
            f"to train on: {self._to_train_on.overview()}; {loader.steps_per_epoch:,} batches of {shapes} an epoch, "
            f"{loader.padding:.1%} of them padding"
        )

    def splits(self) -> Sequence[str]:
        """Those that hold pairs; restored without data, those that a source may have."""
        return list(self.texts) if self.texts is not None else ["train", "validation", TEST]

    def tokens(self, split: str, name: str) -> PairTokens:
        """The pairs of a part of a split as token ids."""
        if (split, name) not in self._encoded:
            self._encoded[split, name] = encode_pairs(self.tokenizers, self._texts[split][name].pairs)
        return self._encoded[split, name]

    @cached_property
    def _encoded(self) -> dict[tuple[str, str], PairTokens]:
        return {}

    @cached_property
    def _to_train_on(self) -> PairTokens:
        return self.tokens("train", "train").within(self.data.source_length, self.data.target_length)

    @cached_property
    def _shapes(self) -> tuple[PairShape, ...]:
        """Those of batches to train on."""
        tokens = self._to_train_on
        return choose_shapes(tokens.source_lengths, tokens.target_lengths, count=self.data.lengths)

    @cached_property
    def training_loader(self) -> PairLoader:
        """Batches to train on."""
        data = self.data
        size: dict[str, int] = {"batch_size": data.batch_size}
        if data.batch_tokens:
            size = {"batch_tokens": data.batch_tokens, "multiple": _MULTIPLE}
        seed = self.experiment.train.seed
        return PairLoader(*self._to_train_on, shapes=self._shapes, shuffle=data.shuffle, seed=seed, pad=False, **size)

    def loader(self, split: str, *, train: bool, rows: int | None = None) -> PairLoader:
        """Batches of a split: shuffled as for training, or each pair of its first part once, from short to long."""
        if train:
            return self.training_loader
        return self._measuring_loader(split, next(iter(self._parts(split))), rows)

    def _measuring_loader(self, split: str, name: str, rows: int | None) -> PairLoader:
        tokens = self.tokens(split, name)
        shapes = with_room(self._shapes, tokens.source_lengths, tokens.target_lengths)
        return PairLoader(*tokens, shapes=shapes, batch_size=rows or ROWS, shuffle=False)

    def init(self, key: jax.Array) -> Variables:
        """Fresh parameters."""
        one = jnp.zeros((1, 1), jnp.int32)
        return jax.jit(self.model.init)(key, one, one)

    def loss(self, variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        """Cross-entropy in nats ("loss") and hits ("accuracy") of the targets' tokens."""
        return self._loss(variables, carry, batch, context)

    @cached_property
    def _loss(self) -> LossFn:
        """That of training."""
        task, target = self.section, self.tokenizers.target
        if task.objective == "full":
            return pair_loss(self.model, task)
        ids = self._to_train_on.targets.ids
        counts = np.bincount(ids[ids != target.start], minlength=target.vocabulary_size)
        require_objective(task, target, counts)
        return pair_loss(_model(self.experiment, self.tokenizers, proposal_of(task, counts)), task)

    @cached_property
    def _measured_loss(self) -> LossFn:
        return pair_loss(self.model, self.section)

    def validation(self) -> Evaluation | None:
        """A pass over the validation split, translated by the beam for that."""
        if "validation" not in self._texts:
            return None
        beam = dataclasses.replace(self.translator.beam, size=self.section.validation_beam)
        return self._evaluation("validation", "validation", beam)

    def evaluations(self, split: str, *, rows: int | None = None) -> Mapping[str, Evaluation]:
        """Each part of the split by its name: every pair once, and its translation."""
        return {name: self._evaluation(split, name, self.translator.beam, rows=rows) for name in self._parts(split)}

    def _evaluation(self, split: str, name: str, beam: Beam, *, rows: int | None = None) -> Evaluation:
        part = self._parts(split)[name]

        def complete(variables: Variables, means: dict[str, float], poll: Poll) -> dict[str, float]:
            scores, _ = self._scored(variables, part, beam, poll)
            return {**means, **scores.summary()}

        loader = self._measuring_loader(split, name, rows)
        title = f"{name}, beam {beam.size}"
        return Evaluation(self._measured_loss, loader, self.metrics, complete=complete, title=title, shown=self.metrics)

    def describe(self, metrics: Mapping[str, float]) -> str:
        """BLEU, chrF, exact matches, accuracy and loss."""
        return (
            f"BLEU {metrics['bleu']:.2f}, chrF {metrics['chrf']:.2f}, {metrics['exact']:.1f} % exact, token accuracy "
            f"{metrics['accuracy']:.2%}, loss {metrics['loss']:.4f}"
        )

    def layer_outputs(self) -> LayerOutputs:
        """For a training batch of the longest pairs."""
        rows, (s, t) = self.training_loader.shapes[-1]
        found = traced_layers(self.model, *(jax.ShapeDtypeStruct((rows, n), jnp.int32) for n in (s, t)))
        return with_tables(found, {"embedding": (rows, t), "source_embedding": (rows, s)})

    def training_memory(self, *, batches: int) -> list[Part]:
        """`batches` batches, and what the layers make of one."""
        rows, (s, t) = self.training_loader.shapes[-1]
        section: Any = self.experiment.model
        lower = "lower data.batch_size or data.batch_tokens, data.source_length and data.target_length, or the model"
        width = section.layers * section.features
        return [
            Part("the outputs of the layers", rows * (s + t) * width * self.model.dtype.itemsize, lower),
            Part(f"{batches:,} batches for one dispatch", batches * rows * (5 * s + 9 * t), lower),
        ]

    @cached_property
    def translator(self) -> TextTranslator:
        """From texts to translations."""
        return TextTranslator(self.model, self.tokenizers, self.section)

    def showcase(self, variables: Variables, key: jax.Array, *, step: int, poll: Poll = never) -> Showcase:
        """The test split, or else that of validation, translated: scores, some examples, and what their words looked
        at."""
        split = next((name for name in (TEST, "validation") if name in self._texts), "train")
        scores: dict[str, TranslationScores] = {}
        examples: list[reporting.Example] = []
        for name, part in self._parts(split).items():
            scores[name], made = self._scored(variables, part, self.translator.beam, poll)
            if not examples:
                shown = zip(part.scored, made, strict=True)
                examples = [reporting.Example(one.source, text, one.references) for one, text in shown]
        chosen = _spread(examples, self.section.examples)
        by = f"by the parameters of step {step:,}, beam {self.section.beam}"
        files = {reporting.REPORT: reporting.report(scores, chosen, by=by).encode()}
        picture = self._picture(variables, [example.source for example in chosen], poll)
        if picture is not None:
            files[ATTENTION] = picture
        return Showcase(files, "translate more with", ("translate", "RUN", chosen[0].source if chosen else "a text"))

    def _picture(self, variables: Variables, sources: Sequence[str], poll: Poll) -> bytes | None:
        """What the words looked at of the first of `sources` that a picture has room for; None where there is none, or
        the model looks at nothing."""
        for made in self.translate(variables, sources, options=TranslationOptions(attention=True), poll=poll):
            best = next(iter(made.hypotheses), None)
            if best is not None and best.attention is not None and max(best.attention.shape) <= MOST_WORDS:
                return attention_picture(best.attention, source=made.source_tokens, target=best.tokens, name=ATTENTION)
        return None

    def translate(
        self,
        variables: Variables,
        texts: Iterable[str],
        *,
        options: TranslationOptions = SEARCH,
        poll: Poll = never,
    ) -> Iterator[Translation]:
        """A translation for every text, in order."""
        return self.translator.translate(variables, texts, options=options, poll=poll)

    def functions(self) -> Mapping[str, ExportedFunction]:
        """What beam search steps with."""
        return encoder_decoder_functions(self.model, jax.eval_shape(self.init, jax.random.key(0)))

    def _scored(
        self, variables: Variables, part: PairTexts, beam: Beam, poll: Poll
    ) -> tuple[TranslationScores, list[str]]:
        """The scores of a part, and the translation of each of its sources."""
        made = self.translator.best(variables, [one.source for one in part.scored], beam, poll=poll)
        references = [one.references for one in part.scored]
        section = self.section
        scores = translation_scores(
            hypotheses=made, references=references, tokenize=section.tokenize, lowercase=section.lowercase
        )
        return scores, made

    def _parts(self, split: str) -> Mapping[str, PairTexts]:
        if split not in self._texts:
            raise InputError(f"there is no {split} split: choose {' or '.join(self._texts)}")
        return self._texts[split]

    @property
    def _texts(self) -> SplitTexts:
        if self.texts is None:
            raise ValueError("this task was restored without data: create it to have some")
        return self.texts


def _model(
    experiment: ExperimentConfig, tokenizers: PairTokenizers, proposal: Proposal | None = None
) -> EncoderDecoder:
    """The model that the sections describe; with a proposal, as it is trained on draws from that."""
    task, _ = _sections(experiment)
    return build_encoder_decoder(
        experiment.model,
        vocabulary_size=tokenizers.target.vocabulary_size,
        start_token=tokenizers.target.start,
        source_vocabulary=0 if tokenizers.joint else tokenizers.source.vocabulary_size,
        label_smoothing=task.label_smoothing,
        proposal=proposal,
        dtype=experiment.train.compute_dtype,
    )


def _count(part: PairTexts) -> int:
    return len(part.pairs.sources)


def _spread(examples: Sequence[reporting.Example], count: int) -> list[reporting.Example]:
    """`count` of them, evenly from all over."""
    if not count or not examples:
        return []
    step = max(1, len(examples) // count)
    return list(examples[::step][:count])


def _sections(experiment: ExperimentConfig) -> tuple[TranslationConfig, PairedConfig]:
    task, data = experiment.task, experiment.data
    if not isinstance(task, TranslationConfig):
        raise ConfigError(f"task.kind is {task.kind!r}: this task is translation")
    if not isinstance(data, PairedConfig):
        raise ConfigError(f"data.kind is {data.kind!r}: translation reads pairs, take pairs or made_up")
    return task, data
