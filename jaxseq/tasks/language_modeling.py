"""Language modelling: the next token of running text, with the carry handed on or window by window; and samples."""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import jax
import numpy as np

from jaxseq.config import CorpusConfig, ExperimentConfig, LanguageModelingConfig, TransformerConfig
from jaxseq.data.corpus import Corpus, take_split
from jaxseq.data.sources import waits
from jaxseq.decoding import Sampling, Transcript, prompt_ids, prompt_remark, stream
from jaxseq.errors import ConfigError, InputError, UnknownSymbolError
from jaxseq.memory import Part, require_memory, size_of
from jaxseq.metrics.metric import Metric
from jaxseq.metrics.perplexity import BITS_PER_CHARACTER, TOKEN_METRICS
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.signals import Poll, never
from jaxseq.tasks.corpora import (
    Prepared,
    TextLoader,
    prepare,
    prepared_before,
    split_names,
    training_loader,
    window_loader,
)
from jaxseq.tasks.language_model import (
    LanguageModel,
    build_model,
    evaluation,
    init_variables,
    layer_outputs,
    make_loss_fn,
    validation,
)
from jaxseq.tasks.task import Evaluation, IsOurs, LayerOutputs, Showcase, Variables, Workspace, register_task
from jaxseq.text.tokenizers import Tokenizer, tokenizer_from_text

TOKENIZER, TOKENS, SAMPLES = "tokenizer.json", "tokens.npy", "samples.txt"

_NUMBER = np.dtype(np.float32).itemsize
_TOKEN = 2 * np.dtype(np.int32).itemsize + 2 * np.dtype(bool).itemsize
"""Bytes of a token in a batch: input, target, mask and reset."""
_TRANSCRIPT = 600
"""Bytes of a transcript without text in CPython: the object, its decoder and its filter."""
_CHUNK = 64
"""Tokens of a sample that `jaxseq.decoding.stream` makes at a time."""


@register_task(LanguageModelingConfig)
@dataclass(frozen=True)
class LanguageModeling:
    """See `jaxseq.tasks.task.Task`. It generates."""

    experiment: ExperimentConfig
    tokenizer: Tokenizer
    model: LanguageModel
    corpus: Corpus | None = field(default=None, compare=False, repr=False)
    """None where it was restored without data."""

    metrics: ClassVar[tuple[Metric, ...]] = TOKEN_METRICS
    counted: ClassVar[str] = "tokens"
    showcase_files: ClassVar[Mapping[str, IsOurs]] = {
        SAMPLES: lambda begin: re.match(rb"step \d+, temperature [-+.\de]+\n\n", begin) is not None
    }

    @classmethod
    def create(cls, experiment: ExperimentConfig, workspace: Workspace) -> Self:
        """Reads the corpus; without artifacts it trains a tokenizer on it.

        Raises:
            InputError: the source cannot be used, the prompt or the corpus has symbols that the tokenizer does not
                know, or the sections do not fit each other.
        """
        task, data = _sections(experiment)
        tokenizer = None if workspace.artifacts is None else _tokenizer(workspace.artifacts)
        with workspace.waiting() if waits(data.source) else nullcontext():
            tokenizer, corpus = _prepared(data, tokenizer, workspace)
        if workspace.artifacts is None and (remark := getattr(tokenizer, "remark", None)):
            workspace.tell(remark)
        try:
            prompt_ids(tokenizer, task.prompt)
        except UnknownSymbolError as error:
            raise InputError(f"task.prompt is {task.prompt!r}: {error}") from error
        if remark := prompt_remark(tokenizer, task.prompt):
            workspace.tell(f"task.prompt: {remark}")
        return dataclasses.replace(cls._of(experiment, tokenizer), corpus=corpus)

    @classmethod
    def restore(cls, experiment: ExperimentConfig, artifacts: Mapping[str, bytes]) -> Self:
        """The model and its tokenizer.

        Raises:
            InputError: there is no tokenizer, or it cannot be read.
        """
        return cls._of(experiment, _tokenizer(artifacts))

    @classmethod
    def _of(cls, experiment: ExperimentConfig, tokenizer: Tokenizer) -> Self:
        task, _ = _sections(experiment)
        size, dtype = len(tokenizer.vocabulary), experiment.train.compute_dtype
        return cls(
            experiment,
            tokenizer,
            build_model(experiment.model, vocabulary_size=size, predict=task.predict, dtype=dtype),
        )

    @property
    def section(self) -> LanguageModelingConfig:
        """What the experiment says of the task."""
        return _sections(self.experiment)[0]

    @property
    def data(self) -> CorpusConfig:
        """What the experiment says of the data."""
        return _sections(self.experiment)[1]

    @property
    def prompt(self) -> str:
        """That of the sample at the end."""
        return self.section.prompt

    @property
    def sample_length(self) -> int:
        """Tokens of the sample at the end."""
        return self.section.sample_length

    @property
    def temperature(self) -> float:
        """That of the sample at the end."""
        return self.section.temperature

    def artifacts(self) -> dict[str, bytes]:
        """The tokenizer."""
        return {TOKENIZER: (json.dumps(self.tokenizer.to_json(), ensure_ascii=False) + "\n").encode()}

    def fingerprint(self) -> str:
        """Changes when the token ids do."""
        return Prepared(self.tokenizer, self._corpus).fingerprint()

    def has_fingerprint(self, fingerprint: str) -> bool:
        """Whether these ids had that fingerprint, be it in memory or in a token file."""
        return Prepared(self.tokenizer, self._corpus).has_fingerprint(fingerprint)

    def overview(self) -> str:
        """How many tokens, symbols and batches there are."""
        loader = self.training_loader
        batches = f"{loader.steps_per_epoch:,} batches of {loader.batch_size} x {loader.length} an epoch"
        return f"{len(self._corpus.ids):,} tokens, vocabulary {len(self.tokenizer.vocabulary)}, {batches}"

    def splits(self) -> Sequence[str]:
        """Those that hold text."""
        return split_names(self.data)

    @cached_property
    def training_loader(self) -> TextLoader:
        """Batches of the training split, as `data.layout` cuts them."""
        return training_loader(self.data, self._corpus, seed=self.experiment.train.seed)

    def loader(self, split: str, *, train: bool) -> TextLoader:
        """Batches of a split; in order they are windows that do not overlap."""
        if train and split == "train":
            return self.training_loader
        part = take_split(self._corpus, self.data.split, split)
        if train:
            return training_loader(dataclasses.replace(self.data, split=(1.0, 0.0, 0.0)), part, seed=0)
        return window_loader(self.data, part, shift=self.data.length)

    def init(self, key: jax.Array) -> Variables:
        """Fresh parameters, nested dicts of float32 arrays."""
        return init_variables(self.model, key)

    def initial_carry(self, batch_size: int) -> Any:
        """That of the model where rows are handed on."""
        return self.model.initial_carry(batch_size) if self.training_loader.carried else None

    def loss(self, variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        """Cross-entropy in nats ("loss") and hits ("accuracy") of a batch of the training loader."""
        return self._loss(variables, carry, batch, context)

    @cached_property
    def _loss(self) -> LossFn:
        return make_loss_fn(self.model, self.training_loader)

    def validation(self) -> Evaluation | None:
        """A pass over the validation split, read as the training split is.

        Raises:
            InputError: the split is too short for it.
        """
        return validation(self.data, self.model, self._corpus)

    def evaluations(self, split: str, *, rows: int | None = None) -> Mapping[str, Evaluation]:
        """ "carried", in `rows` contiguous rows, 1 by default, and "windows"; see `evaluation`.

        Raises:
            InputError: there are more rows than tokens, or than fit into memory.
        """
        part, rows = take_split(self._corpus, self.data.split, split), rows or 1
        if rows >= len(part.ids):
            raise InputError(f"--rows is {rows}, the {split} split has {len(part.ids)} tokens: give a lower one")
        parts = self.evaluation_memory(rows=rows)
        require_memory(f"reading {rows:,} rows of windows of {self.data.length:,}", parts, remedy="lower --rows")
        length: int | None = None

        def complete(variables: Variables, means: dict[str, float], poll: Poll) -> dict[str, float]:
            nonlocal length
            length = _text_length(self.tokenizer, part.ids, poll) if length is None else length
            bits = means["bits_per_token"] * len(part.ids) / length
            return {**means, BITS_PER_CHARACTER.name: bits, "split_tokens": len(part.ids)}

        titles: dict[Literal["carried", "windows"], str] = {
            "carried": "carry kept over the split",
            "windows": "carry reset at every window",
        }
        shown = [metric for metric in TOKEN_METRICS if metric.name != "bits_per_token"]
        shown.insert(2, BITS_PER_CHARACTER)
        return {
            how: evaluation(self.model, self.data, part, how=how, rows=rows)._replace(
                complete=complete, title=title, shown=shown
            )
            for how, title in titles.items()
        }

    def describe(self, metrics: Mapping[str, float]) -> str:
        """Bits per symbol, loss and accuracy."""
        kind = "character" if self.data.tokenizer == "char" else "symbol"
        return (
            f"{metrics['bits_per_token']:.4f} bits per {kind}, loss {metrics['loss']:.4f}, "
            f"accuracy {metrics['accuracy']:.2%}"
        )

    def layer_outputs(self) -> LayerOutputs:
        """For a training batch."""
        return layer_outputs(self.model, batch_size=self.data.batch_size, length=self.data.length)

    def training_memory(self, *, batches: int) -> list[Part]:
        """Outputs of layers, carry, weights of attention, and `batches` batches."""
        rows, length, carried = self.data.batch_size, self.data.length, self.training_loader.carried
        section: Any = self.experiment.model
        smaller = "lower data.batch_size, data.length or the size of the model"
        outputs = section.layers * rows * length * section.features * self.model.dtype.itemsize
        parts = [Part("the outputs of the layers", outputs, smaller)]
        if carried:
            lower = "lower data.batch_size or the size of the model"
            if isinstance(section, TransformerConfig):
                lower = "lower model.context, data.batch_size or the size of the model"
            parts.append(Part("the carry", self._carry_size(rows), lower))
        if isinstance(section, TransformerConfig):
            keys = length + (section.context if carried else 0)
            scores = section.layers * rows * section.heads * length * keys * _NUMBER
            lower = f"lower data.length{', model.context' if carried else ''} or data.batch_size"
            parts.append(Part("the weights of attention", scores, lower))
        lower = "lower train.steps_per_dispatch" if batches > 1 else smaller
        return [*parts, Part(f"{batches:,} batches for one dispatch", batches * rows * length * _TOKEN, lower)]

    def evaluation_memory(self, *, rows: int) -> list[Part]:
        """What an evaluation of `rows` rows holds."""
        return [
            Part("parameters", self._params_size, "take a smaller model"),
            Part("the carry", self._carry_size(rows), "lower the number of rows"),
            Part("a batch", rows * self.data.length * _TOKEN, "lower the number of rows"),
        ]

    def sampling_memory(self, *, rows: int, length: int) -> list[Part]:
        """What is held while `rows` samples of `length` tokens are made, some tokens of each in one call.

        A character of the text is a byte or more, and two tokens at most on average.
        """
        fewer = "sample fewer at once"
        return [
            Part("parameters", self._params_size, "take a smaller model"),
            Part("the carry", self._carry_size(rows), f"{fewer}, or take a model with a smaller carry"),
            Part("logits", rows * self.model.vocabulary_size * _NUMBER, fewer),
            Part("tokens and what they are drawn with", 2 * _NUMBER * rows * min(_CHUNK, length), fewer),
            Part("the texts", rows * (_TRANSCRIPT + length // 2), f"make the sample shorter, or {fewer}", on_host=True),
        ]

    @cached_property
    def _params_size(self) -> int:
        return size_of(jax.eval_shape(self.init, jax.random.key(0)))

    def _carry_size(self, rows: int) -> int:
        return size_of(jax.eval_shape(lambda: self.model.initial_carry(rows)))

    def require_showcase_memory(self) -> None:
        """Refuses a sample at the end that cannot fit.

        Raises:
            InputError: it needs more memory than there is.
        """
        parts = self.sampling_memory(rows=1, length=self.sample_length)
        require_memory("the sample at the end", parts, remedy="lower task.sample_length, or the size of the model")

    def showcase(self, variables: Variables, key: jax.Array, *, step: int, poll: Poll = never) -> Showcase:
        """A sample, and the command that makes more."""
        choice, prompt = Sampling(temperature=self.temperature), self.prompt
        transcript = Transcript(self.tokenizer, prompt)
        ids = prompt_ids(self.tokenizer, prompt)
        params, length = variables["params"], self.sample_length
        for chunk in stream(self.model, params, ids, length=length, key=key, sampling=choice):
            poll()
            transcript.push(chunk)
        transcript.finish()
        sample = transcript.prompt + transcript.text
        text = f"step {step}, temperature {choice.temperature}\n\n{sample}\n"
        begin = prompt or _beginning(sample)
        option = [f"--prompt={begin}"] if begin.startswith("-") else ["--prompt", begin]  # it looks like an option
        return Showcase({SAMPLES: text.encode()}, "sample more with", ("sample", "RUN", *option))

    @property
    def _corpus(self) -> Corpus:
        if self.corpus is None:
            raise ValueError("this task was restored without data: create it to have some")
        return self.corpus


def _sections(experiment: ExperimentConfig) -> tuple[LanguageModelingConfig, CorpusConfig]:
    task, data = experiment.task, experiment.data
    if not isinstance(task, LanguageModelingConfig):
        raise ConfigError(f"task.kind is {task.kind!r}: this task is language_modeling")
    if not isinstance(data, CorpusConfig):
        raise ConfigError(f"data.kind is {data.kind!r}: language_modeling reads running text, take corpus")
    return task, data


def _tokenizer(artifacts: Mapping[str, bytes]) -> Tokenizer:
    if TOKENIZER not in artifacts:
        raise InputError(f"there is no {TOKENIZER}")
    return tokenizer_from_text(artifacts[TOKENIZER])


def _prepared(data: CorpusConfig, tokenizer: Tokenizer | None, workspace: Workspace) -> tuple[Tokenizer, Corpus]:
    kept = workspace.directory and workspace.directory / TOKENS
    if data.memory_map and workspace.scratch is not None:
        # A token file that fits is read, and never written: that is for training to do.
        ready = prepared_before(data, tokenizer, kept) if kept and tokenizer else None
        if ready is not None:
            return ready
        kept = workspace.scratch() / TOKENS
    return prepare(
        data,
        tokenizer=tokenizer,
        token_file=kept,
        anew=workspace.anew,
        progress=lambda count: workspace.progress(f"token file: {count:,} tokens"),
        poll=workspace.poll,
    )


def _text_length(tokenizer: Tokenizer, ids: np.ndarray, poll: Poll) -> int:
    """Characters of the text of `ids`, which need not fit into memory."""
    stream, at_once, length = tokenizer.stream(), 2**20, 0
    for at in range(0, len(ids), at_once):
        poll()
        length += len(stream.push(ids[at : at + at_once]))
    return length + len(stream.flush())


def _beginning(text: str) -> str:
    """The first words of a text, on one line: a prompt of which the vocabulary surely has every character."""
    lines = (line.strip(" -") for line in text.splitlines())  # what begins with a dash looks like an option
    line, most = next(filter(None, lines), ""), 24
    return line if len(line) <= most else line[:most].rpartition(" ")[0] or line[:most]
