"""Sentences of word ids, split by split, whatever running text they are read from."""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Self

import numpy as np

from jaxseq.config import CorpusConfig, LinesConfig
from jaxseq.data.corpus import SPLITS, Corpus, TokenChunk, join_chunks, take_split
from jaxseq.data.examples import Sequences
from jaxseq.data.sources import read_pieces, waits
from jaxseq.data.text_files import TextPiece
from jaxseq.data.text_lines import lines_of
from jaxseq.data.windows import split_bounds
from jaxseq.errors import ConfigError, InputError, UnknownSymbolError
from jaxseq.signals import Poll
from jaxseq.tasks.task import Workspace
from jaxseq.tasks.text_tokenizers import make_tokenizer
from jaxseq.text.tokenizers import Tokenizer, encode_each
from jaxseq.text.word_options import WordOptions

_AT_ONCE = 4096
"""Texts that are encoded together."""


@dataclass(frozen=True)
class WordSplits:
    """The words of a text that its tokenizer knows, others left out as if they were not there."""

    tokenizer: Tokenizer
    sentences: Mapping[str, Sequences]
    """By split, those that hold any."""
    description: str
    """What there is, for people."""

    @classmethod
    def create(cls, config: CorpusConfig | LinesConfig, tokenizer: Tokenizer | None, workspace: Workspace) -> Self:
        """Reads the sources; without a tokenizer it trains one on them.

        Raises:
            InputError: a source cannot be used, or has symbols that the tokenizer does not know.
        """
        if isinstance(config, CorpusConfig) and config.memory_map:
            raise ConfigError("data.memory_map is True: word vectors are trained on words in memory, leave it out")
        with workspace.waiting() if any(map(waits, config.sources)) else nullcontext():
            texts = list(_texts(config, config.source, workspace.poll))
            if tokenizer is None:
                words = _word_options(config)
                tokenizer = make_tokenizer(config, (text.text for text in texts), words=words, padding=False)
            own = _encoded(tokenizer, texts, config.source, workspace.poll)
            if isinstance(config, LinesConfig):
                own = own._replace(bounds=_bounds_of_lines(own, config))
            others = [
                _encoded(tokenizer, _texts(config, source, workspace.poll), source, workspace.poll) if source else None
                for source in (config.validation_source, config.test_source)
            ]
        splits = _splits(own, others, config)
        return cls(tokenizer, splits, f"{sum(len(part.ids) for part in splits.values()):,} words")

    def fingerprint(self) -> str:
        """Changes when the words do, or where sentences end."""
        checksum = 0
        for part in self.sentences.values():
            for array in part:
                checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
        return f"{self.words}-{checksum:08x}"

    @property
    def words(self) -> int:
        """How many there are in all splits."""
        return sum(len(part.ids) for part in self.sentences.values())

    def counts(self) -> np.ndarray:
        """How often each word occurs in the training split [v]."""
        return np.bincount(self.sentences["train"].ids, minlength=self.tokenizer.vocabulary_size)


def _word_options(config: CorpusConfig | LinesConfig) -> WordOptions:
    return WordOptions(
        splitter=config.splitter if config.tokenizer == "word" else "whitespace",
        max_words=config.max_words or None,
        min_count=config.min_count,
        padding=False,
        unknown="drop",
    )


def _texts(config: CorpusConfig | LinesConfig, source: str, poll: Poll) -> Iterator[TextPiece]:
    """The text of a source in pieces; a sentence starts with those that start a document."""
    pieces = read_pieces(source, encoding=config.encoding)
    if isinstance(config, LinesConfig):
        pieces = (TextPiece(line, True) for line in lines_of(pieces, headings=config.headings))
    for piece in pieces:
        poll()
        yield piece


def _encoded(tokenizer: Tokenizer, texts: list[TextPiece] | Iterator[TextPiece], source: str, poll: Poll) -> Corpus:
    def chunks() -> Iterator[TokenChunk]:
        remaining = iter(texts)
        while group := list(islice(remaining, _AT_ONCE)):
            poll()
            encoded = encode_each(tokenizer, [piece.text for piece in group])
            for ids, piece in zip(encoded, group, strict=True):
                yield TokenChunk(ids, piece.starts_document)

    try:
        return join_chunks(chunks(), vocab_size=tokenizer.vocabulary_size)
    except UnknownSymbolError as error:
        raise UnknownSymbolError(f"{source}: {error}") from error
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def _bounds_of_lines(corpus: Corpus, config: LinesConfig) -> tuple[tuple[int, int], ...]:
    """Where splits begin and end that are shares of the lines."""
    ends = np.append(corpus.document_starts, len(corpus.ids))
    cut = [int(ends[at]) for at in split_bounds(len(corpus.document_starts), config.split)]
    return tuple(pairwise(cut))


def _splits(own: Corpus, others: list[Corpus | None], config: CorpusConfig | LinesConfig) -> dict[str, Sequences]:
    found = {}
    for name, other in zip(SPLITS, [None, *others], strict=True):
        if name in config.splits:
            found[name] = _sentences(take_split(own, config.split, name) if other is None else other)
    return found


def _sentences(part: Corpus) -> Sequences:
    offsets = np.unique(np.concatenate([[0], part.document_starts, [len(part.ids)]])).astype(np.int64)
    return Sequences(np.asarray(part.ids, np.int32), offsets)
