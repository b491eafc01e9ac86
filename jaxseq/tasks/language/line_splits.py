"""Lines as `TokenSplits`: each from its start to its end, read from the initial carry."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Self

import numpy as np

from jaxseq.config import LinesConfig
from jaxseq.data.corpus import SPLITS
from jaxseq.data.examples import Sequences, join_sequences
from jaxseq.data.line_loader import LineLoader
from jaxseq.data.sources import read_pieces, waits
from jaxseq.data.text_lines import lines_of
from jaxseq.data.windows import split_bounds
from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.signals import Poll
from jaxseq.tasks.language.token_splits import Extent, Pass, TrainingTokens, extent_of
from jaxseq.tasks.task import Workspace
from jaxseq.tasks.text_tokenizers import make_tokenizer, word_options
from jaxseq.text.lined import LineTokenizer
from jaxseq.text.tokenizers import Tokenizer

_FEWEST = 3
"""Tokens of a line that has one beside start and end."""


@dataclass(frozen=True)
class LineSplits:
    """See `jaxseq.tasks.language.token_splits.TokenSplits`."""

    config: LinesConfig
    tokenizer: LineTokenizer
    lines: Mapping[str, Sequences]
    """By split, those that hold any."""

    @classmethod
    def create(cls, config: LinesConfig, tokenizer: Tokenizer | None, workspace: Workspace) -> Self:
        """Reads the sources; without a tokenizer it trains one on their lines.

        Raises:
            InputError: a source cannot be used, has symbols that the tokenizer does not know, or a split no line.
        """
        own_sources = {"validation": config.validation_source, "test": config.test_source}
        with workspace.waiting() if any(map(waits, config.sources)) else nullcontext():
            texts = list(_lines(config, config.source, workspace.poll))
            if not texts:
                raise InputError(f"{config.source} has no line to read: give --data.source a source that holds text")
            tokenizer = tokenizer or LineTokenizer(_inner(config, texts))
            if not isinstance(tokenizer, LineTokenizer):
                raise InputError("the tokenizer is of running text, not of lines: it belongs to another run")
            own = _encoded(tokenizer, texts, config.source)
            bounds = split_bounds(len(own), config.split)
            lines = {name: own[bounds[at] : bounds[at + 1]] for at, name in enumerate(SPLITS)}
            for name, source in own_sources.items():
                if source:
                    lines[name] = _encoded(tokenizer, list(_lines(config, source, workspace.poll)), source)
        for name in config.splits:
            if not lines[name]:
                if source := own_sources.get(name):
                    raise InputError(
                        f"{source} has no line to read: give --data.{name}-source a source that holds text"
                    )
                raise InputError(
                    f"the {name} split has no line, data.split is {config.split} of {len(own):,}: give it a larger "
                    "share or add text"
                )
        return cls(config, tokenizer, {name: join_sequences(lines[name]) for name in config.splits})

    def fingerprint(self) -> str:
        """Changes when the token ids do."""
        checksum = 0
        for part in self.lines.values():
            for array in (part.ids, part.offsets):
                checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
        return f"{sum(len(part.ids) for part in self.lines.values())}-{checksum:08x}"

    def has_fingerprint(self, fingerprint: str) -> bool:
        """Whether it is that of these lines."""
        return self.fingerprint() == fingerprint

    def overview(self) -> str:
        """How many lines and tokens there are."""
        lines = sum(len(part.lengths) for part in self.lines.values())
        tokens = sum(len(part.ids) for part in self.lines.values())
        return f"{lines:,} lines, {tokens:,} tokens"

    def training_loader(self, *, seed: int) -> LineLoader:
        """Batches of the training split, as `data.layout` has them."""
        return self._loader("train", shuffle=self.config.shuffle, seed=seed)

    def loader(self, split: str, *, train: bool) -> LineLoader:
        """Batches of a split: drawn as for training, or each line once, in order."""
        if train:
            return self._loader(split, shuffle=self.config.shuffle, seed=0)
        return self._loader(split, shuffle=False, pad=True)

    def training_tokens(self) -> TrainingTokens:
        """The lines to train on, each without its start."""
        part = self.lines["train"]
        starts = part.offsets[:-1] - np.arange(len(part.lengths))
        return TrainingTokens(part.ids[part.ids != self.tokenizer.start], starts, self.tokenizer.start)

    def counts(self) -> np.ndarray:
        """How often each id is predicted in the lines of the source [v]; splits of their own are none of it."""
        own = {"validation": self.config.validation_source, "test": self.config.test_source}
        parts = [part.ids for name, part in self.lines.items() if not own.get(name)]
        found = np.bincount(np.concatenate(parts), minlength=self.tokenizer.vocabulary_size)
        found[self.tokenizer.start] = 0
        return found

    def validation(self, *, last_only: bool) -> Pass | None:
        """That over the validation split; None without one."""
        _refuse_last_only(last_only)
        return self.passes("validation", rows=None, last_only=False)["lines"] if "validation" in self.lines else None

    def passes(self, split: str, *, rows: int | None, last_only: bool) -> Mapping[str, Pass]:
        """ "lines": each once, from the initial carry, `rows` at a time."""
        _refuse_last_only(last_only)
        loader = self._loader(split, shuffle=False, pad=True, rows=rows)
        cells = loader.lines * loader.length if self.config.layout == "padded" else None
        return {"lines": Pass(loader, "every line from its start", cells)}

    def extent(self, split: str, *, poll: Poll) -> Extent:
        """How much text a split is; the start of a line is no token of it, for nothing predicts it."""
        part = self.lines[split]
        return extent_of(self.tokenizer, part.ids, poll=poll)._replace(tokens=len(part.ids) - len(part.lengths))

    def _loader(
        self, split: str, *, shuffle: bool, seed: int = 0, pad: bool = False, rows: int | None = None
    ) -> LineLoader:
        config = self.config
        return LineLoader(
            self.lines[split],
            length=config.length,
            batch_size=rows or config.batch_size,
            layout=config.layout,
            shuffle=shuffle,
            seed=seed,
            pad=pad,
            vocab_size=self.tokenizer.vocabulary_size,
        )


def _inner(config: LinesConfig, texts: Sequence[str]) -> Tokenizer:
    """The tokenizer of what stands in lines."""
    return make_tokenizer(config, texts, words=word_options(config, padding=True), padding=True)


def _lines(config: LinesConfig, source: str, poll: Poll) -> Iterator[str]:
    for line in lines_of(read_pieces(source, encoding=config.encoding), headings=config.headings):
        poll()
        yield line


def _encoded(tokenizer: LineTokenizer, lines: Sequence[str], source: str) -> list[np.ndarray]:
    """The ids of those lines that have any."""
    try:
        return [ids for ids in tokenizer.encode_lines(lines) if len(ids) >= _FEWEST]
    except UnknownSymbolError as error:
        raise UnknownSymbolError(f"{source}, of the lines that are read {error}") from error


def _refuse_last_only(last_only: bool) -> None:
    if last_only:
        raise InputError("task.predict is 'last': lines have no last token of a window, take every")
