"""A corpus as `TokenSplits`: documents laid end to end, read in contiguous rows or in windows."""

import dataclasses
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Self

import numpy as np

from jaxseq.config import CorpusConfig
from jaxseq.data.corpus import Corpus, take_split
from jaxseq.data.sources import waits
from jaxseq.errors import InputError
from jaxseq.signals import Poll
from jaxseq.tasks.language.corpora import Prepared, prepare, prepared_before, row_loader, training_loader, window_loader
from jaxseq.tasks.language.token_splits import Extent, Pass, TextLoader, TrainingTokens, extent_of
from jaxseq.tasks.task import Workspace
from jaxseq.text.tokenizers import Tokenizer

TOKENS = "tokens.npy"


@dataclass(frozen=True)
class CorpusSplits:
    """See `jaxseq.tasks.language.token_splits.TokenSplits`."""

    config: CorpusConfig
    tokenizer: Tokenizer
    corpus: Corpus

    @classmethod
    def create(cls, config: CorpusConfig, tokenizer: Tokenizer | None, workspace: Workspace) -> Self:
        """Reads the sources; without a tokenizer it trains one on them.

        Raises:
            InputError: a source cannot be used, or has symbols that the tokenizer does not know.
        """
        with workspace.waiting() if any(map(waits, config.sources)) else nullcontext():
            return cls(config, *_prepared(config, tokenizer, workspace))

    @property
    def _ids(self) -> Prepared:
        return Prepared(self.tokenizer, self.corpus)

    def fingerprint(self) -> str:
        """Changes when the token ids do."""
        return self._ids.fingerprint()

    def has_fingerprint(self, fingerprint: str) -> bool:
        """Whether these ids had that fingerprint, be it in memory or in a token file."""
        return self._ids.has_fingerprint(fingerprint)

    def overview(self) -> str:
        """How many tokens there are."""
        return f"{len(self.corpus.ids):,} tokens"

    def training_loader(self, *, seed: int) -> TextLoader:
        """Batches of the training split, as `data.layout` cuts them."""
        return training_loader(self.config, self.corpus, seed=seed)

    def loader(self, split: str, *, train: bool) -> TextLoader:
        """Batches of a split; in order they are windows that do not overlap."""
        part = self._part(split)
        if train:
            return training_loader(dataclasses.replace(self._whole, split=(1.0, 0.0, 0.0)), part, seed=0)
        return window_loader(self.config, part, shift=self.config.length)

    def training_tokens(self) -> TrainingTokens:
        """The training split; each document begins anew."""
        part = self._part("train")
        return TrainingTokens(np.asarray(part.ids), part.document_starts)

    def counts(self) -> np.ndarray:
        """How often each id occurs in the source [v]; splits of their own are none of it."""
        own = {"validation": self.config.validation_source, "test": self.config.test_source}
        found = np.zeros(self.tokenizer.vocabulary_size, np.int64)
        for name in self.config.splits:
            if not own.get(name):
                found += np.bincount(self._part(name).ids, minlength=len(found))
        return found

    def validation(self, *, last_only: bool) -> Pass | None:
        """That over the validation split, in as many rows as in training where it is long enough to fill them."""
        config = self.config
        if not config.has_validation:
            return None
        part = self._part("validation")
        how = "carried" if config.layout == "rows" else "windows"
        rows = max(1, min(config.batch_size, (len(part.ids) - 1) // config.length))
        try:
            return self._pass(how, part, rows, last_only)
        except InputError as error:
            raise InputError(
                f"the validation split cannot be used: {error}, or give data.split other shares"
            ) from error

    def passes(self, split: str, *, rows: int | None, last_only: bool) -> Mapping[str, Pass]:
        """ "carried", in `rows` contiguous rows, 1 by default, and "windows".

        Carried, every token is predicted but the first, which nothing precedes. In windows those after the last whole
        window are not either; the loader's `left_out` says so in words.
        """
        part, rows = self._part(split), rows or 1
        if rows >= len(part.ids):
            raise InputError(f"--rows is {rows}, the {split} split has {len(part.ids)} tokens: give a lower one")
        return {how: self._pass(how, part, rows, last_only) for how in _TITLES}

    def extent(self, split: str, *, poll: Poll) -> Extent:
        """How much text a split is."""
        return extent_of(self.tokenizer, self._part(split).ids, poll=poll)

    def _pass(self, how: str, part: Corpus, rows: int, last_only: bool) -> Pass:
        if how == "carried":
            return Pass(row_loader(self.config, part, rows=rows), _TITLES[how])
        shift = self.config.shift if last_only else self.config.length
        return Pass(window_loader(self.config, part, shift=shift), _TITLES[how])

    def _part(self, split: str) -> Corpus:
        return take_split(self.corpus, self.config.split, split)

    @property
    def _whole(self) -> CorpusConfig:
        """The configuration of a corpus that is one split."""
        return dataclasses.replace(self.config, validation_source="", test_source="")


_TITLES = {"carried": "carry kept over the split", "windows": "carry reset at every window"}


def _prepared(config: CorpusConfig, tokenizer: Tokenizer | None, workspace: Workspace) -> tuple[Tokenizer, Corpus]:
    kept = workspace.directory and workspace.directory / TOKENS
    if config.memory_map and workspace.scratch is not None:
        # A token file that fits is read, and never written: that is for training to do.
        ready = prepared_before(config, tokenizer, kept) if kept and tokenizer else None
        if ready is not None:
            return ready
        kept = workspace.scratch() / TOKENS
    return prepare(
        config,
        tokenizer=tokenizer,
        token_file=kept,
        anew=workspace.anew,
        progress=lambda count: workspace.progress(f"token file: {count:,} tokens"),
        poll=workspace.poll,
    )
