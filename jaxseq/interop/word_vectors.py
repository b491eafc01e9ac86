"""Word vectors that other programs have trained, and the embedding that a model starts with by them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.archives import DAMAGE, open_streams, shown
from jaxseq.errors import InputError
from jaxseq.interop.vector_files import NPZ, read_npz
from jaxseq.interop.vector_records import Record, VectorFile, fields, is_number, open_vectors

_FIELD = "model.embedding"


@dataclass(frozen=True)
class WordVectors:
    """Words and their vectors."""

    words: tuple[str, ...]
    """Each once, in the order of the file."""
    vectors: NDArray[np.float32]
    """Their vectors [n, d]."""
    source: str
    """Name of the file, for messages."""
    repeated: int = 0
    """Later records of one of these words: the first one counts, as in gensim."""

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return self.vectors.shape[1]


class WordTable(NamedTuple):
    """An embedding for the words of a vocabulary."""

    table: NDArray[np.float32]
    """[v, d]."""
    is_known: NDArray[np.bool_]
    """Whether the row of a word is its vector, [v]; the others are drawn."""
    source: str

    def __str__(self) -> str:
        found, count = int(self.is_known.sum()), len(self.is_known)
        share = f" ({found / count:.1%})" if count else ""
        return f"{found:,} of {count:,} words{share} have a vector in {self.source}"


def read_word_vectors(
    path: str | Path,
    *,
    features: int | None = None,
    words: Collection[str] | None = None,
    errors: Literal["strict", "replace"] = "strict",
    field: str = _FIELD,
) -> WordVectors:
    """The word vectors in a file, or in a .gz, .bz2, .xz or .zip of one: GloVe's text, word2vec's or fastText's text,
    or word2vec's binary format, whichever it is; or in a .npz of `jaxseq export`.

    Memory follows from the vectors that are kept, not from what the file says of its size.

    Args:
        features: the width wanted. Of a .zip of several files, as glove.6B.zip, it is the first that has it.
        words: keep these only; of the records of others no number is looked at.
        errors: "replace" takes words that are no UTF-8, with U+FFFD for what is none: word2vec's own program cuts long
            words, if need be in the middle of a character.
        field: of a configuration, the one that says how wide the embedding is; for the error about another width.

    Raises:
        InputError: it cannot be read, is damaged, or has vectors of another width; a word is no UTF-8; a number is not
            finite in float32. The message names the line, or in binary the record.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == NPZ:
            return _from_npz(path, features, words, field)
        return _read(path, features, words, errors, field)
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(
                f"{shown(path)} cannot be read ({error.strerror}): check the name and permissions"
            ) from error
        raise InputError(
            f"{shown(path)} is damaged, or not what its name says ({shown(error)}): fetch it again"
        ) from error


def table_for(words: Sequence[str], vectors: WordVectors, *, features: int, seed: int = 0) -> WordTable:
    """The embedding [v, `features`] that a model with the vocabulary `words` starts with.

    A word of `vectors` has its vector. The others, special symbols among them, are drawn: normal, with the variance of
    the vectors found, by which unknown words do better (Kim 2014, "Convolutional Neural Networks for Sentence
    Classification", "Further Observations"). What is drawn for a row depends on `seed`, on how many rows there are and
    on that variance alone.

    Raises:
        InputError: the vectors have another width.
    """
    if vectors.width != features:
        raise _other_width([(vectors.source, vectors.width)], features, _FIELD)
    rows = {word: row for row, word in enumerate(vectors.words)}
    at = np.array([rows.get(word, -1) for word in words], np.int64)
    is_known = at >= 0
    known = vectors.vectors[at[is_known]]
    deviation = float(known.std()) if known.size else 1 / np.sqrt(features)
    drawn = np.random.default_rng(seed).standard_normal((len(words), features), np.float32)
    table = drawn * np.float32(deviation)
    table[is_known] = known
    return WordTable(table, is_known, vectors.source)


def _from_npz(path: Path, features: int | None, words: Collection[str] | None, field: str) -> WordVectors:
    found, vectors = read_npz(path)
    if features is not None and vectors.shape[1] != features:
        raise _other_width([(shown(path), vectors.shape[1])], features, field)
    rows = {word: row for row, word in reversed([*enumerate(found)]) if words is None or word in words}
    kept = sorted(rows.items(), key=lambda pair: pair[1])
    return WordVectors(
        tuple(word for word, _ in kept), vectors[[row for _, row in kept]], shown(path), len(found) - len({*found})
    )


def _read(path: Path, features: int | None, words: Collection[str] | None, errors: str, field: str) -> WordVectors:
    found: WordVectors | None = None
    others: list[tuple[str, int]] = []
    for place, stream in open_streams(path):
        file = open_vectors(place, stream)
        if features is not None and file.width != features:
            others.append((place, file.width))
        elif found is not None:
            raise InputError(f"{shown(path)} holds several files of vectors: unpack it and name the one to read")
        else:
            found = _collected(file, words, errors)
            if features is not None:
                break
    if found is None:
        raise _other_width(others, features, field)
    return found


def _other_width(found: Sequence[tuple[str, int]], wanted: int | None, field: str) -> InputError:
    has = " and ".join(f"{place} has vectors of {width:,} numbers" for place, width in found)
    widths = " or ".join(str(width) for width in dict.fromkeys(width for _, width in found))
    return InputError(f"{has}, the model's embedding is {wanted} wide: give --{field} {widths}, or other vectors")


@np.errstate(over="ignore")
def _collected(file: VectorFile, words: Collection[str] | None, errors: str) -> WordVectors:
    wanted = None if words is None else {word.encode("utf-8", "surrogatepass") for word in words}
    kept: dict[str, None] = {}
    numbers = bytearray()
    repeated = 0
    for record in file.records:
        if not record.word:
            raise InputError(f"{file.where(record)}: no word stands before the numbers: mend it or fetch it again")
        if wanted is not None and record.word not in wanted:
            continue
        word = _word(file, record, errors)
        if word in kept:
            repeated += 1
            continue
        kept[word] = None
        numbers += _vector(file, record).tobytes()
    vectors = np.frombuffer(numbers, np.float32).reshape(len(kept), file.width)
    return WordVectors(tuple(kept), vectors, file.place, repeated)


def _word(file: VectorFile, record: Record, errors: str) -> str:
    try:
        return record.word.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file.where(record)}: the word {_shown(record.word)} is no UTF-8: fetch the file again, or read it with "
            'errors="replace"'
        ) from error


def _vector(file: VectorFile, record: Record) -> NDArray[np.float32]:
    """The numbers [d] of a record."""
    if file.is_binary:
        vector = np.frombuffer(record.numbers, "<f4").astype(np.float32)
    else:
        parts = fields(record.numbers)
        try:
            vector = np.array(list(map(float, parts)), np.float64).astype(np.float32)
            if b"_" in record.numbers:  # Python allows it between digits
                raise ValueError
        except ValueError as error:
            wrong = next(part for part in parts if not is_number(part))
            raise InputError(
                f"{file.where(record)}: {_shown(wrong)} is no number: mend it or fetch the file again"
            ) from error
    if not np.isfinite(vector).all():
        raise InputError(
            f"{file.where(record)}: the vector of {_shown(record.word)} is not finite in float32: leave the word out"
        )
    return vector


def _shown(content: bytes) -> str:
    return shown(content[:60].decode("utf-8", "backslashreplace"))
