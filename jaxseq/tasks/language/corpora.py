"""From the data section of a configuration to token ids, splits and loaders."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxseq.config import CorpusConfig
from jaxseq.data.corpus import Corpus, TokenChunk, join_chunks, take_split, with_splits
from jaxseq.data.loader import RowLoader, WindowLoader
from jaxseq.data.sources import read_pieces, source_fingerprint
from jaxseq.data.text_files import TextPiece
from jaxseq.data.token_file import StaleTokenFileError, open_token_file, write_token_file
from jaxseq.errors import UnknownSymbolError
from jaxseq.signals import Poll, never
from jaxseq.tasks.text_tokenizers import make_tokenizer, word_options
from jaxseq.text.tokenizers import Tokenizer


class Prepared(NamedTuple):
    """A corpus as token ids, and the tokenizer that made them."""

    tokenizer: Tokenizer
    corpus: Corpus

    def fingerprint(self) -> str:
        """Changes when the token ids do."""
        ids, checksum = self.corpus.ids, self.corpus.checksum
        if checksum is None:
            checksum = zlib.crc32(np.ascontiguousarray(ids).data)
        return f"{len(ids)}-{checksum:08x}"

    def has_fingerprint(self, fingerprint: str) -> bool:
        """Whether these ids had that fingerprint, be it in memory or, where they take less room, in a token file."""
        if self.fingerprint() == fingerprint:
            return True
        ids, at_once = self.corpus.ids, 2**20
        for kind in (np.dtype(np.int32), np.min_scalar_type(self.tokenizer.vocabulary_size - 1)):
            checksum = 0
            for at in range(0, len(ids), at_once):
                checksum = zlib.crc32(ids[at : at + at_once].astype(kind).tobytes(), checksum)
            if f"{len(ids)}-{checksum:08x}" == fingerprint:
                return True
        return False


def prepare(
    config: CorpusConfig,
    *,
    tokenizer: Tokenizer | None = None,
    token_file: Path | None = None,
    anew: bool = False,
    progress: Callable[[int], None] | None = None,
    poll: Poll = never,
) -> Prepared:
    """Reads the source and makes token ids of it.

    Args:
        tokenizer: one that is there already; None trains one on the whole of `config.source`.
        token_file: where ids are kept with `config.memory_map`; written when it is missing or out of date.
        anew: write it in any case, and do not look at what is there.
        progress: called with the number of tokens written so far.
        poll: called before each piece of text.

    Raises:
        DamagedTokenFileError: the token file is not what was written.
        InputError: the source cannot be read, has no text, or has symbols that `tokenizer` does not know; or the
            tokenizer makes ids outside its vocabulary.
    """
    if config.memory_map:
        if token_file is None:
            raise ValueError("data.memory_map needs a place for the token file")
        return _prepare_on_disk(config, tokenizer, token_file, anew, progress, poll)
    pieces = list(_polled(read_pieces(config.source, encoding=config.encoding), poll))
    tokenizer = tokenizer or _tokenizer(config, (piece.text for piece in _polled(pieces, poll)))
    corpus = _in_memory(tokenizer, _polled(pieces, poll), config.source)
    if len(config.sources) == 1:
        return Prepared(tokenizer, corpus)
    others = [
        _in_memory(tokenizer, _polled(read_pieces(source, encoding=config.encoding), poll), source) if source else None
        for source in (config.validation_source, config.test_source)
    ]
    return Prepared(tokenizer, with_splits([corpus, *others], config.split))


def _tokenizer(config: CorpusConfig, texts: Iterator[str]) -> Tokenizer:
    return make_tokenizer(config, texts, words=word_options(config), padding=False)


def _in_memory(tokenizer: Tokenizer, pieces: Iterator[TextPiece], source: str) -> Corpus:
    return join_chunks(_encoded(tokenizer, pieces, source), vocab_size=tokenizer.vocabulary_size)


def _prepare_on_disk(
    config: CorpusConfig,
    tokenizer: Tokenizer | None,
    token_file: Path,
    anew: bool,
    progress: Callable[[int], None] | None,
    poll: Poll,
) -> Prepared:
    """The same, holding one piece of the source in memory at a time; the source is read twice when it is new."""

    def pieces() -> Iterator[TextPiece]:
        return _polled(read_pieces(config.source, encoding=config.encoding), poll)

    source = source_fingerprint(config.source, encoding=config.encoding)
    tokenizer = tokenizer or _tokenizer(config, (piece.text for piece in pieces()))
    ready = None if anew else prepared_before(config, tokenizer, token_file)
    if ready is not None:
        return ready
    write_token_file(
        token_file,
        _encoded(tokenizer, pieces(), config.source),
        vocab_size=tokenizer.vocabulary_size,
        tokenizer=tokenizer.fingerprint,
        source=source,
        progress=progress,
    )
    return Prepared(tokenizer, open_token_file(token_file))


def prepared_before(config: CorpusConfig, tokenizer: Tokenizer, token_file: Path) -> Prepared | None:
    """What `token_file` holds; None where there is none, or it was written for another tokenizer or source or by a
    version that wrote no checksum.

    Raises:
        DamagedTokenFileError: the file is not what was written.
        InputError: the source cannot be read.
    """
    if not token_file.exists():
        return None
    source = source_fingerprint(config.source, encoding=config.encoding)
    try:
        size, fingerprint = tokenizer.vocabulary_size, tokenizer.fingerprint
        return Prepared(tokenizer, open_token_file(token_file, tokenizer=fingerprint, source=source, vocab_size=size))
    except StaleTokenFileError:
        return None


def _polled(pieces: Iterable[TextPiece], poll: Poll) -> Iterator[TextPiece]:
    for piece in pieces:
        poll()
        yield piece


def _encoded(tokenizer: Tokenizer, pieces: Iterator[TextPiece], source: str) -> Iterator[TokenChunk]:
    document = begin = 0
    for piece in pieces:
        document, begin = (document + 1, 0) if piece.starts_document else (document, begin)
        try:
            ids = tokenizer.encode(piece.text)
        except UnknownSymbolError as error:
            # The offset that the tokenizer tells is one in this piece.
            part = f" from its character {begin:,} on" if begin else ""
            raise UnknownSymbolError(f"{source}, document {document}{part}: {error}") from error
        begin += len(piece.text)
        yield TokenChunk(ids, piece.starts_document)


def training_loader(config: CorpusConfig, corpus: Corpus, *, seed: int) -> WindowLoader | RowLoader:
    """Batches of the training split."""
    part = take_split(corpus, config.split, "train")
    sizes = {
        "length": config.length,
        "batch_size": config.batch_size,
        "document_starts": part.document_starts,
        "vocab_size": part.vocab_size,
    }
    if config.layout == "rows":
        return RowLoader(part.ids, **sizes)
    return WindowLoader(part.ids, shift=config.shift, shuffle=config.shuffle, seed=seed, **sizes)


def window_loader(config: CorpusConfig, part: Corpus, *, shift: int) -> WindowLoader:
    """All windows of a split, `shift` apart, in order, each read from the initial carry."""
    return WindowLoader(
        part.ids,
        length=config.length,
        batch_size=config.batch_size,
        shift=shift,
        shuffle=False,
        pad=True,
        document_starts=part.document_starts,
        vocab_size=part.vocab_size,
    )


def row_loader(config: CorpusConfig, part: Corpus, *, rows: int) -> RowLoader:
    """A whole split as `rows` contiguous rows, every token once, the carry handed on."""
    return RowLoader(
        part.ids,
        length=config.length,
        batch_size=rows,
        pad=True,
        document_starts=part.document_starts,
        vocab_size=part.vocab_size,
    )
