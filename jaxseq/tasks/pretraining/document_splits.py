"""From the data section of a configuration to documents as token ids, split by split."""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext

import numpy as np

from jaxseq.config import DocumentsConfig
from jaxseq.data.corpus import SPLITS
from jaxseq.data.documents import Documents, encode_documents, split_documents
from jaxseq.data.pieces import TextPiece
from jaxseq.data.sources import read_pieces, waits
from jaxseq.data.windows import split_bounds
from jaxseq.errors import InputError
from jaxseq.signals import Poll
from jaxseq.tasks.task import Workspace
from jaxseq.tasks.text_tokenizers import make_sentence_tokenizer
from jaxseq.text.masked_tokenizer import MaskedTokenizer
from jaxseq.text.vocab import UNKNOWN

Paragraphs = list[list[str]]
"""Documents, each as its paragraphs."""


def read_documents(data: DocumentsConfig, workspace: Workspace) -> dict[str, Paragraphs]:
    """The documents of every split that there is.

    Raises:
        InputError: a source cannot be used, or a share holds no document.
    """
    with workspace.waiting() if any(map(waits, data.sources)) else nullcontext():
        own = _read(data, data.source, workspace.poll)
        found = {}
        bounds = split_bounds(len(own), data.split)
        for name, begin, end in zip(SPLITS, bounds, bounds[1:], strict=False):
            if end > begin:
                found[name] = own[begin:end]
        for name, source in (("validation", data.validation_source), ("test", data.test_source)):
            if source:
                found[name] = _read(data, source, workspace.poll)
    for name in data.splits:
        if not found.get(name):
            raise InputError(_none_for(name, data, len(own)))
    return found


def train_tokenizer(data: DocumentsConfig, documents: Paragraphs) -> MaskedTokenizer:
    """A tokenizer for documents like these; in WikiText "<unk>" is a word that was taken out.

    Raises:
        InputError: there is no text, or a file of a tokenizer cannot be used.
    """
    unknown = UNKNOWN if data.form == "wikitext" else ""
    paragraphs = (paragraph for document in documents for paragraph in document)
    shown = (paragraph.replace(unknown, " ") for paragraph in paragraphs) if unknown else paragraphs
    return MaskedTokenizer(make_sentence_tokenizer(data, shown), unknown)


def encode_splits(
    data: DocumentsConfig, tokenizer: MaskedTokenizer, splits: Mapping[str, Paragraphs]
) -> dict[str, Documents]:
    """The documents of every split as token ids.

    Raises:
        InputError: a split holds no token.
    """
    found = {}
    for name, documents in splits.items():
        try:
            found[name] = encode_documents(documents, tokenizer.encode_each)
        except InputError as error:
            raise InputError(f"the {name} split of {data.source} cannot be used: {error}") from error
    return found


def documents_fingerprint(splits: Mapping[str, Documents]) -> str:
    """Changes when a token does that is trained on or validated with, or where a sentence or document of these ends."""
    checksum, count = 0, 0
    for name, documents in splits.items():
        if name == "test":  # which may come and go
            continue
        count += len(documents.tokens)
        for array in documents:
            checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
    return f"{count}-{checksum:08x}"


def _none_for(split: str, data: DocumentsConfig, count: int) -> str:
    """That a split has no document, and what helps; the source has `count`."""
    own = {"validation": data.validation_source, "test": data.test_source}.get(split)
    if own or not count:
        return (
            f"{own or data.source} holds no document: give a source with text, or look at how documents are told apart "
            f"(data.form {data.form})"
        )
    return (
        f"{data.source} has {count:,} document{'s' * (count > 1)}, which leaves none for the {split} split: change "
        "data.split, or look at how documents are told apart (data.form)"
    )


def _read(data: DocumentsConfig, source: str, poll: Poll) -> Paragraphs:
    return list(split_documents(_texts(source, data.encoding, poll), data.form))


def _texts(source: str, encoding: str, poll: Poll) -> Iterator[str]:
    """Whole texts of a source, whose pieces are joined."""
    held: list[str] = []
    for piece in _polled(read_pieces(source, encoding=encoding), poll):
        if piece.starts_document and held:
            yield "".join(held)
            held = []
        held.append(piece.text)
    if held:
        yield "".join(held)


def _polled(pieces: Iterable[TextPiece], poll: Poll) -> Iterator[TextPiece]:
    for piece in pieces:
        poll()
        yield piece
