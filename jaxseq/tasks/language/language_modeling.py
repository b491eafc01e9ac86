"""Language modelling: the next token of running text, with the carry handed on or window by window; and samples."""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar, Self

import jax
import numpy as np

from jaxseq.config import (
    CorpusConfig,
    ExperimentConfig,
    LanguageModelingConfig,
    LinesConfig,
    NGramConfig,
)
from jaxseq.data.backoff import BackoffTables
from jaxseq.decoding import Sampling, Transcript, prompt_ids, prompt_remark, stream
from jaxseq.errors import ConfigError, InputError, UnknownSymbolError
from jaxseq.interop.exported import ExportedFunction
from jaxseq.interop.open_functions import causal_functions
from jaxseq.memory import Part, require_memory
from jaxseq.metrics.metric import Metric
from jaxseq.metrics.perplexity import (
    BITS_PER_CHARACTER,
    LOSS_WITH_PADDING,
    PERPLEXITY_PER_WORD,
    TOKEN_METRICS,
    perplexity,
)
from jaxseq.models.ngram import NGram
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.signals import Poll, never
from jaxseq.tasks.capabilities import Export, Fitted
from jaxseq.tasks.language.corpus_splits import CorpusSplits
from jaxseq.tasks.language.language_memory import counting_parts, evaluation_parts, sampling_parts, training_parts
from jaxseq.tasks.language.language_model import (
    LanguageModel,
    build_model,
    evaluation,
    init_variables,
    layer_outputs,
    make_loss_fn,
)
from jaxseq.tasks.language.line_splits import LineSplits
from jaxseq.tasks.language.ngram_files import arpa_exports, read_ngrams
from jaxseq.tasks.language.ngram_fitting import fit_ngrams, fitted_tables
from jaxseq.tasks.language.token_scores import token_log_probabilities
from jaxseq.tasks.language.token_splits import Extent, TextLoader, TokenSplits
from jaxseq.tasks.task import Evaluation, IsOurs, LayerOutputs, Showcase, Variables, Workspace, register_task
from jaxseq.tasks.vector_exports import learned_vectors, vector_exports
from jaxseq.tasks.vocabulary_objective import require_objective, training_model
from jaxseq.text.lined import LineTokenizer
from jaxseq.text.tokenizers import Tokenizer, tokenizer_from_text

TOKENIZER, SAMPLES = "tokenizer.json", "samples.txt"

_LINES_SHOWN = 8
"""Samples at the end of a run that reads lines."""


@register_task(LanguageModelingConfig)
@dataclass(frozen=True)
class LanguageModeling:
    """See `jaxseq.tasks.task.Task`. It generates."""

    experiment: ExperimentConfig
    tokenizer: Tokenizer
    model: LanguageModel | NGram
    texts: TokenSplits | None = field(default=None, compare=False, repr=False)
    """None where it was restored without data."""
    ngrams: BackoffTables | None = field(default=None, compare=False, repr=False)
    """Those of model.arpa, where a run begins with them."""

    metrics: ClassVar[tuple[Metric, ...]] = TOKEN_METRICS
    counted: ClassVar[str] = "tokens"
    showcase_files: ClassVar[Mapping[str, IsOurs]] = {
        SAMPLES: lambda begin: re.match(rb"step \d+, temperature [-+.\de]+\n\n", begin) is not None
    }

    @classmethod
    def create(cls, experiment: ExperimentConfig, workspace: Workspace) -> Self:
        """Reads the texts; without artifacts it trains a tokenizer on them.

        Raises:
            InputError: a source or a file cannot be used, the prompt or the texts have symbols that the tokenizer does
                not know, or the sections do not fit each other.
        """
        task, data = _sections(experiment)
        before = None if workspace.artifacts is None else _tokenizer(workspace.artifacts)
        texts: TokenSplits
        if isinstance(data, LinesConfig):
            texts = LineSplits.create(data, before, workspace)
        else:
            texts = CorpusSplits.create(data, before, workspace)
        tokenizer = texts.tokenizer
        if workspace.artifacts is None and (remark := getattr(tokenizer, "remark", None)):
            workspace.tell(remark)
        try:
            prompt_ids(tokenizer, task.prompt)
        except UnknownSymbolError as error:
            raise InputError(f"task.prompt is {task.prompt!r}: {error}") from error
        if remark := prompt_remark(tokenizer, task.prompt):
            workspace.tell(f"task.prompt: {remark}")
        if task.objective != "full":
            require_objective(task, tokenizer, texts.counts())
        made, model = cls._of(experiment, tokenizer), experiment.model
        if workspace.artifacts is None and isinstance(model, NGramConfig) and model.arpa:
            return dataclasses.replace(made, texts=texts, ngrams=read_ngrams(model, tokenizer, silent=made.forbidden))
        return dataclasses.replace(made, texts=texts)

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
        size, dtype = tokenizer.vocabulary_size, experiment.train.compute_dtype
        return cls(
            experiment,
            tokenizer,
            build_model(
                experiment.model,
                vocabulary_size=size,
                predict=task.predict,
                cutoffs=task.cutoffs if task.objective == "adaptive" else (),
                dtype=dtype,
            ),
        )

    @property
    def section(self) -> LanguageModelingConfig:
        """What the experiment says of the task."""
        return _sections(self.experiment)[0]

    @property
    def data(self) -> CorpusConfig | LinesConfig:
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

    @property
    def stop(self) -> Sequence[str]:
        """Where lines are read, the end of one."""
        return ("\n",) if isinstance(self.tokenizer, LineTokenizer) else ()

    @property
    def forbidden(self) -> Sequence[int]:
        """Padding and the start of a line, which no text goes on with."""
        return getattr(self.tokenizer, "silent_ids", ())

    def artifacts(self) -> dict[str, bytes]:
        """The tokenizer."""
        return {TOKENIZER: (json.dumps(self.tokenizer.to_json(), ensure_ascii=False) + "\n").encode()}

    def fingerprint(self) -> str:
        """Changes when the token ids do."""
        return self._texts.fingerprint()

    def has_fingerprint(self, fingerprint: str) -> bool:
        """Whether the token ids had it."""
        return self._texts.has_fingerprint(fingerprint)

    def overview(self) -> str:
        """How many tokens, symbols and batches there are."""
        if self.fits_at_once:
            return f"{self._texts.overview()}, vocabulary {self.tokenizer.vocabulary_size:,}"
        loader = self.training_loader
        batches = f"{loader.steps_per_epoch:,} batches of {loader.batch_size} x {loader.length} an epoch"
        return f"{self._texts.overview()}, vocabulary {self.tokenizer.vocabulary_size:,}, {batches}"

    def splits(self) -> Sequence[str]:
        """Those that hold text."""
        return list(self.data.splits)

    @cached_property
    def training_loader(self) -> TextLoader:
        """Batches of the training split, as the data section has them."""
        return self._texts.training_loader(seed=self.experiment.train.seed)

    def loader(self, split: str, *, train: bool) -> TextLoader:
        """Batches of a split: drawn as for training, or each token once, in order."""
        return self.training_loader if train and split == "train" else self._texts.loader(split, train=train)

    @property
    def fits_at_once(self) -> bool:
        """Whether the model is one of counts."""
        return isinstance(self.model, NGram)

    def fitted(self) -> Fitted:
        """The n-grams of the training split, smoothed; or those that it begins with."""
        assert isinstance(self.model, NGram)
        if self.ngrams is not None:
            return fitted_tables(self.ngrams)
        return fit_ngrams(self.model, self._texts.training_tokens(), silent=self.forbidden)

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
        counts = self._texts.counts() if self.section.objective == "sampled" else np.zeros(0)
        return make_loss_fn(training_model(self.section, self.model, counts), self.training_loader)

    def validation(self) -> Evaluation | None:
        """A pass over the validation split, read as the training split is.

        Raises:
            InputError: the split is too short for it.
        """
        found = self._texts.validation(last_only=self.section.predict == "last")
        return None if found is None else evaluation(self.model, found.loader)

    def evaluations(self, split: str, *, rows: int | None = None) -> Mapping[str, Evaluation]:
        """The passes that the data have, a corpus "carried" and "windows"; and what a whole text makes of their means.

        Raises:
            InputError: there are more rows than tokens, or than fit into memory.
        """
        passes = self._texts.passes(split, rows=rows, last_only=self.section.predict == "last")
        most = rows or 1
        parts = self.evaluation_memory(rows=most)
        require_memory(f"reading {most:,} rows of windows of {self.data.length:,}", parts, remedy="lower --rows")
        extent: Extent | None = None

        def complete(cells: int | None, variables: Variables, means: dict[str, float], poll: Poll) -> dict[str, float]:
            nonlocal extent
            extent = self._texts.extent(split, poll=poll) if extent is None else extent
            padded = {} if cells is None else {LOSS_WITH_PADDING.name: means["loss"] * means["tokens"] / cells}
            return {
                **means,
                **padded,
                BITS_PER_CHARACTER.name: means["bits_per_token"] * extent.tokens / extent.characters,
                PERPLEXITY_PER_WORD.name: perplexity(means["loss"] * extent.tokens / max(1, extent.words)),
                "split_tokens": extent.tokens,
            }

        shown = [metric for metric in TOKEN_METRICS if metric.name != "bits_per_token"]
        shown[2:2] = [PERPLEXITY_PER_WORD, BITS_PER_CHARACTER]
        return {
            name: evaluation(self.model, each.loader)._replace(
                complete=partial(complete, each.cells),
                title=each.title,
                shown=shown if each.cells is None else [*shown, LOSS_WITH_PADDING],
            )
            for name, each in passes.items()
        }

    def token_log_probabilities(
        self, variables: Variables, split: str, *, rows: int | None, poll: Poll = never
    ) -> np.ndarray:
        """Of every token that the first way to read a split predicts [n]: a corpus with the carry, each line alone."""
        passes = self._texts.passes(split, rows=rows, last_only=False)
        return token_log_probabilities(self.model, variables, next(iter(passes.values())).loader, poll=poll)

    def describe(self, metrics: Mapping[str, float]) -> str:
        """Bits per symbol, or of words and pieces of them the perplexity; loss and accuracy."""
        kinds = {"char": "character", "jamo": "symbol", "byte": "byte"}
        if self.data.tokenizer in kinds:
            first = f"{metrics['bits_per_token']:.4f} bits per {kinds[self.data.tokenizer]}"
        else:
            first = f"perplexity {metrics['perplexity']:,.2f}"
        return f"{first}, loss {metrics['loss']:.4f}, accuracy {metrics['accuracy']:.2%}"

    def layer_outputs(self) -> LayerOutputs:
        """For a training batch."""
        return layer_outputs(self.model, batch_size=self.data.batch_size, length=self.data.length)

    def training_memory(self, *, batches: int) -> list[Part]:
        """Outputs of layers, carry, weights of attention, and `batches` batches."""
        if self.ngrams is not None:
            return [Part("the n-grams", self.ngrams.nbytes, "give a file of fewer", on_host=True)]
        if isinstance(self.model, NGram):
            return counting_parts(self.model, tokens=len(self._texts.training_tokens().ids))
        rows, length, carried = self.data.batch_size, self.data.length, self.training_loader.carried
        section = self.experiment.model
        return training_parts(self.model, section, rows=rows, length=length, carried=carried, batches=batches)

    def evaluation_memory(self, *, rows: int) -> list[Part]:
        """What an evaluation of `rows` rows holds."""
        return evaluation_parts(self.model, rows=rows, length=self.data.length)

    def sampling_memory(self, *, rows: int, length: int) -> list[Part]:
        """What is held while `rows` samples of `length` tokens are made, some tokens of each in one call."""
        return sampling_parts(self.model, rows=rows, length=length)

    def exports(self, variables: Variables) -> Mapping[str, Export]:
        """The embedding of each token, or the n-grams.

        Raises:
            InputError: the model reads one-hot vectors.
        """
        if self.fits_at_once:
            return arpa_exports(variables["params"], self.tokenizer)
        if "embedding" not in variables["params"]:
            raise InputError("the model reads one-hot vectors and has no embedding: train one with --model.embedding")
        table = np.asarray(variables["params"]["embedding"])
        return vector_exports(learned_vectors(self.tokenizer.vocabulary.symbols, table))

    def functions(self) -> Mapping[str, ExportedFunction]:
        """The logits of texts and of single tokens, and the carry before them; none of n-grams."""
        model = self.model
        if isinstance(model, NGram):
            return {}

        def apply(variables: Variables, tokens: jax.Array, carry: Any) -> tuple[jax.Array, Any]:
            found: Any = model.apply(variables, tokens, carry)
            return found

        return causal_functions(apply, model.initial_carry, symbols=model.vocabulary_size)

    def require_showcase_memory(self) -> None:
        """Refuses a sample at the end that cannot fit.

        Raises:
            InputError: it needs more memory than there is.
        """
        parts = self.sampling_memory(rows=_LINES_SHOWN if self.stop else 1, length=self.sample_length)
        require_memory("the sample at the end", parts, remedy="lower task.sample_length, or the size of the model")

    def showcase(self, variables: Variables, key: jax.Array, *, step: int, poll: Poll = never) -> Showcase:
        """A sample, of lines several, and the command that makes more."""
        choice, prompt = Sampling(temperature=self.temperature, forbidden=tuple(self.forbidden)), self.prompt
        rows = _LINES_SHOWN if self.stop else 1
        transcripts = [Transcript(self.tokenizer, prompt, stop=self.stop) for _ in range(rows)]
        ids = np.tile(prompt_ids(self.tokenizer, prompt), (rows, 1))
        params, length = variables["params"], self.sample_length
        for chunk in stream(self.model, params, ids, length=length, key=key, sampling=choice):
            poll()
            for transcript, tokens in zip(transcripts, chunk, strict=True):
                transcript.push(tokens)
        for transcript in transcripts:
            transcript.finish()
        sample = "\n".join(transcript.prompt + transcript.text for transcript in transcripts)
        text = f"step {step}, temperature {choice.temperature}\n\n{sample}\n"
        begin = prompt or _beginning(sample)
        option = [f"--prompt={begin}"] if begin.startswith("-") else ["--prompt", begin]  # it looks like an option
        return Showcase({SAMPLES: text.encode()}, "sample more with", ("sample", "RUN", *option))

    @property
    def _texts(self) -> TokenSplits:
        if self.texts is None:
            raise ValueError("this task was restored without data: create it to have some")
        return self.texts


def _sections(experiment: ExperimentConfig) -> tuple[LanguageModelingConfig, CorpusConfig | LinesConfig]:
    task, data = experiment.task, experiment.data
    if not isinstance(task, LanguageModelingConfig):
        raise ConfigError(f"task.kind is {task.kind!r}: this task is language_modeling")
    if not isinstance(data, CorpusConfig | LinesConfig):
        raise ConfigError(f"data.kind is {data.kind!r}: language_modeling reads running text, take corpus or lines")
    return task, data


def _tokenizer(artifacts: Mapping[str, bytes]) -> Tokenizer:
    if TOKENIZER not in artifacts:
        raise InputError(f"there is no {TOKENIZER}")
    return tokenizer_from_text(artifacts[TOKENIZER])


def _beginning(text: str) -> str:
    """The first words of a text, on one line: a prompt of which the vocabulary surely has every character."""
    lines = (line.strip(" -") for line in text.splitlines())  # what begins with a dash looks like an option
    line, most = next(filter(None, lines), ""), 24
    return line if len(line) <= most else line[:most].rpartition(" ")[0] or line[:most]
