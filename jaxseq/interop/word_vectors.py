"""Word vectors that other programs have trained, in any format that is read here."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Literal

from jaxseq.data.archives import open_streams
from jaxseq.data.pieces import ByteStream
from jaxseq.errors import InputError
from jaxseq.interop.fasttext import MAGIC, open_fasttext
from jaxseq.interop.vector_archives import ARCHIVES
from jaxseq.interop.vector_lookup import FIELD, Found, WordTable, WordVectors, other_width, table_for
from jaxseq.interop.vector_records import LONGEST_LINE, open_records
from jaxseq.interop.vector_selection import OpenedVectors, Selection
from jaxseq.interop.vector_source import Source
from jaxseq.reading import reading, shown

__all__ = ["Found", "WordTable", "WordVectors", "read_word_vectors", "table_for"]


def read_word_vectors(
    path: str | Path,
    *,
    features: int | None = None,
    words: Collection[str] | None = None,
    limit: int | None = None,
    errors: Literal["strict", "replace"] = "strict",
    progress: Callable[[str], None] = lambda line: None,
    field: str = FIELD,
) -> WordVectors:
    """The word vectors in a file: GloVe's text, word2vec's or fastText's text, word2vec's binary format, or fastText's
    own with its n-grams, whichever it is, also in a .gz, .bz2, .xz or .zip; or the .npz and .safetensors of
    `jaxseq export`.

    Memory follows from the vectors that are kept, not from what the file says of its size; an .npz is read whole.

    Args:
        features: the width wanted. Of a .zip of several files, as glove.6B.zip, it is the first that has it.
        words: keep these only; of the records of others no number is looked at.
        limit: look at so many records, the first ones, which are the most frequent words in most files; what comes
            after them is neither read nor checked.
        errors: "replace" takes words that are no UTF-8, with U+FFFD for what is none: word2vec's own program cuts long
            words, if need be in the middle of a character.
        progress: called with a line now and then, which each later one replaces.
        field: of a configuration, the one that says how wide the embedding is; for the error about another width.

    Raises:
        InputError: it cannot be read, is damaged, or has vectors of another width; a word is no UTF-8; a number is not
            finite in float32. The message names the line, in binary the record or the byte.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}: give the number of words to read, 1 or more")
    path, selection = Path(path), Selection(words, limit, errors, progress)
    with reading(path):
        if archive := ARCHIVES.get(path.suffix.lower()):
            file = archive(path)
            if features not in (None, file.width):
                raise other_width([(file.place, file.width)], features, field)
            return file.read(selection)
        return _read(path, selection, features, field)


def _read(path: Path, selection: Selection, features: int | None, field: str) -> WordVectors:
    found: WordVectors | None = None
    others: list[tuple[str, int]] = []
    for place, stream in open_streams(path):
        file = _opened(place, stream)
        if features is not None and file.width != features:
            others.append((place, file.width))
        elif found is not None:
            raise InputError(f"{shown(path)} holds several files of vectors: unpack it and name the one to read")
        else:
            found = file.read(selection)
            if features is not None:
                break
    if found is None:
        raise other_width(others, features, field)
    return found


def _opened(place: str, stream: ByteStream) -> OpenedVectors:
    source = Source(place, stream, longest=LONGEST_LINE)
    return open_fasttext(source) if source.peek(len(MAGIC)) == MAGIC else open_records(source)
