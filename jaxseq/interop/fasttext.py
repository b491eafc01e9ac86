"""fastText's own format of models (.bin): read for the vectors of words and n-grams, and written.

As fastText's fasttext.cc, args.cc, dictionary.cc and densematrix.cc have it, all of it little-endian:

    int32 793712314, int32 version
    12 x int32 and a float64        settings
    3 x int32, 2 x int64            entries, words, labels; tokens; pairs by which n-grams were pruned, -1 for none
    an entry                        a word in UTF-8, 0, int64 count, int8 0 (1 for a label)
    bool                            whether the input is quantized
    2 x int64, float32 ...          the input: rows of words, then of n-grams' buckets
    bool, 2 x int64, float32 ...    the output

The vector of a word is the mean of its row and of its n-grams' ("jaxseq.interop.ngram_vectors").
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.interop.ngram_vectors import NgramVectors
from jaxseq.interop.vector_lookup import WordVectors
from jaxseq.interop.vector_selection import LONGEST_WORD, WIDEST, KeptWords, Selection, first_infinite
from jaxseq.interop.vector_source import PORTION, Source
from jaxseq.reading import shown

_NUMBER, _VERSION = 793712314, 12
MAGIC = struct.pack("<i", _NUMBER)
"""What such a file begins with."""
_HEAD = struct.Struct("<2i")
_SETTINGS = struct.Struct("<12id")
_DICTIONARY = struct.Struct("<3i2q")
_ENTRY = struct.Struct("<qb")
_SHAPE = struct.Struct("<2q")
_LONGEST_NGRAM = 100
"""Characters in it; fastText's default is 6."""
_ALGORITHMS = {"cbow": 1, "skipgram": 2}
_SUPERVISED, _NEGATIVE_SAMPLING = 3, 2


@dataclass(frozen=True)
class FastTextSettings:
    """What a model says of its training; fastText's defaults."""

    algorithm: Literal["cbow", "skipgram"] = "skipgram"
    window: int = 5
    epochs: int = 5
    min_count: int = 5
    negatives: int = 5
    subsample: float = 1e-4


@dataclass(frozen=True, eq=False)
class FastTextModel:
    """A model that fastText and gensim can read."""

    words: Sequence[str]
    """The most frequent first."""
    counts: Sequence[int]
    """How often each occurs in the text [n]."""
    own: NDArray[np.float32]
    """Vectors [n, d] of the words themselves."""
    ngrams: NgramVectors
    output: NDArray[np.float32] | None = None
    """Vectors [n, d] of the words as contexts; zeros if None, by which training cannot go on."""
    settings: FastTextSettings = FastTextSettings()

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The vectors [n, d] of the words with their n-grams."""
        return self.ngrams.means([word.encode("utf-8", "surrogatepass") for word in self.words], self.own)[0]


def fasttext_file(model: FastTextModel) -> Iterator[bytes]:
    """The content of a model's file, in fastText's format of version 12.

    Raises:
        InputError: a word is empty or holds the character 0, which ends it there.
    """
    for word in model.words:
        if not word or "\0" in word:
            raise InputError(f"the word {word!r} cannot stand in a .bin of fastText: write an .npz")
    size, width = model.own.shape
    ngrams, settings = model.ngrams, model.settings
    yield _HEAD.pack(_NUMBER, _VERSION)
    yield _SETTINGS.pack(
        *(width, settings.window, settings.epochs, settings.min_count, settings.negatives, 1, _NEGATIVE_SAMPLING),
        *(_ALGORITHMS[settings.algorithm], len(ngrams.buckets), ngrams.shortest, ngrams.longest, 100),
        settings.subsample,
    )
    yield _DICTIONARY.pack(size, size, 0, sum(model.counts), -1)
    for word, count in zip(model.words, model.counts, strict=True):
        yield word.encode("utf-8", "surrogatepass") + b"\0" + _ENTRY.pack(count, 0)
    yield b"\0" + _SHAPE.pack(size + len(ngrams.buckets), width)
    yield from _portions(model.own)
    yield from _portions(ngrams.buckets)
    yield b"\0" + _SHAPE.pack(size, width)
    yield from _portions(np.broadcast_to(np.float32(0), (size, width)) if model.output is None else model.output)


def _portions(vectors: NDArray[np.float32]) -> Iterator[bytes]:
    """The bytes of a matrix, some rows at a time."""
    step = max(1, PORTION // (4 * vectors.shape[1]))
    for begin in range(0, len(vectors), step):
        yield vectors[begin : begin + step].astype("<f4").tobytes()


@dataclass(frozen=True)
class FastTextFile:
    """A model's file whose settings have been read."""

    source: Source
    width: int
    """Numbers in a vector."""
    buckets: int
    shortest: int
    longest: int
    """Characters in an n-gram; 0 where words have none."""

    @property
    def place(self) -> str:
        """Its name in messages."""
        return self.source.place

    def read(self, selection: Selection) -> WordVectors:
        """The words and vectors asked for, and those of n-grams. The output, which has no vectors of words, is read
        to see that the file is whole, unless `selection` has a limit.

        Raises:
            InputError: the file is damaged, or quantized, or a word is no UTF-8.
        """
        kept, contents, rows, count = self._dictionary(selection)
        found, height = self._matrix_shape("the input")
        if (found, height) != (count + self.buckets, self.width):
            self._fail(f"its input is {found:,} x {height:,}, not {count + self.buckets:,} x {self.width:,}")
        vectors = self._rows(count, rows, selection)
        if (row := first_infinite(vectors)) is not None:
            word = shown([*kept.words][row])
            raise InputError(f"{self.place}: the vector of {word} is not finite: leave the word out")
        ngrams = None
        if self.longest and self.buckets:
            buckets = self._rows(self.buckets, None, selection)
            if (row := first_infinite(buckets)) is not None:
                raise InputError(f"{self.place}: the vector of bucket {row:,} is not finite: fetch the file again")
            ngrams = NgramVectors(buckets, self.shortest, self.longest)
            vectors = ngrams.means(contents, vectors)[0]
        elif self.buckets:  # of n-grams of words, which a classifier may have
            self._skip(4 * self.buckets * self.width)
        if selection.limit is None:
            self._output()
        return WordVectors(tuple(kept.words), vectors, self.place, kept.repeated, ngrams)

    def _dictionary(self, selection: Selection) -> tuple[KeptWords, list[bytes], NDArray[np.int64], int]:
        """The words kept, their bytes, their numbers, and how many words there are."""
        size, count, labels, _, pruned = self._unpack(_DICTIONARY)
        if count < 0 or labels < 0 or size != count + labels or pruned < -1:
            self._fail(f"it has {size:,} entries, {count:,} words and {labels:,} labels")
        kept = KeptWords(selection, lambda number: f"{self.place}, word {number:,}")
        contents: list[bytes] = []
        rows: list[int] = []
        for row in range(size):
            word = self.source.until(b"\0", most=LONGEST_WORD)
            if word is None:
                self._fail(f"no word ends in {LONGEST_WORD:,} bytes")
            if self._unpack(_ENTRY)[1] != (row >= count):
                self._fail("a word is marked as a label, or a label as a word")
            # fastText writes an empty word where its training began with another program's vectors.
            if word and row < selection.amount(count) and kept.take(word, row + 1):
                contents.append(word)
                rows.append(row)
            if row % 2**16 == 0:
                selection.told(self.place, selection.amount(row), selection.amount(count))
        if pruned >= 0 or self._flag():  # fastText itself reads no pruned model that is not quantized
            raise InputError(
                f"{self.place} is a quantized or pruned model, which has no vectors as they were trained: give the "
                ".bin or .vec that it was made of"
            )
        return kept, contents, np.array(rows, np.int64), count

    def _rows(self, count: int, rows: NDArray[np.int64] | None, selection: Selection) -> NDArray[np.float32]:
        """Those of the next `count` rows of a matrix, or all of them."""
        size = 4 * self.width
        step = max(1, PORTION // size)
        held = bytearray()
        for begin in range(0, count, step):
            data = self._exactly(size * min(step, count - begin))
            if rows is None:
                held += data
            else:
                low, high = np.searchsorted(rows, (begin, begin + step))
                held += np.frombuffer(data, np.uint8).reshape(-1, size)[rows[low:high] - begin].tobytes()
            if begin // step % 64 == 0:
                what = "n-grams" if rows is None else "words"
                selection.progress(f"{self.place}: vectors of {begin:,} of {count:,} {what}")
        return np.frombuffer(held, "<f4").astype(np.float32, copy=False).reshape(-1, self.width)

    def _output(self) -> None:
        """Reads what is left."""
        self._flag()
        rows, width = self._matrix_shape("the output")
        if width != self.width:
            self._fail(f"its output is {rows:,} x {width:,}, and a vector has {self.width:,} numbers")
        self._skip(4 * rows * width)
        if self.source.peek(1):
            self._fail("it goes on behind its end")

    def _matrix_shape(self, what: str) -> tuple[int, int]:
        rows, width = self._unpack(_SHAPE)
        if rows < 0 or width < 0:
            self._fail(f"{what} is {rows:,} x {width:,}")
        return rows, width

    def _flag(self) -> bool:
        flag = self._exactly(1)
        if flag not in (b"\0", b"\1"):
            self._fail(f"a flag is {flag[0]}, neither 0 nor 1")
        return flag == b"\1"

    def _unpack(self, form: struct.Struct) -> tuple[int, ...]:
        return form.unpack(self._exactly(form.size))

    def _skip(self, size: int) -> None:
        while size > 0:
            size -= len(self._exactly(min(size, PORTION)))

    def _exactly(self, size: int) -> bytes:
        """The next `size` bytes; asked for `PORTION` or a row at most, so that memory is bounded by what is there."""
        data = self.source.exactly(size)
        if len(data) < size:
            raise InputError(f"{self.place} ends at byte {self.source.offset:,}, before its end: fetch it again")
        return data

    def _fail(self, what: str) -> NoReturn:
        raise InputError(f"{self.place} is damaged before byte {self.source.offset:,}: {what}: fetch it again")


def open_fasttext(source: Source) -> FastTextFile:
    """The model in a stream of bytes that begins with `MAGIC`.

    Raises:
        InputError: it is of another version, or damaged.
    """
    head = source.exactly(_HEAD.size)
    version = _HEAD.unpack(head)[1] if len(head) == _HEAD.size else 0
    if version not in (11, _VERSION):
        raise InputError(
            f"{source.place} is a model of fastText of version {version}: only 11 and 12 are read, fetch it again"
        )
    content = source.exactly(_SETTINGS.size)
    if len(content) < _SETTINGS.size:
        raise InputError(f"{source.place} ends at byte {source.offset:,}, before its end: fetch it again")
    width, *_, algorithm, buckets, shortest, longest, _, _ = _SETTINGS.unpack(content)
    if not 1 <= width <= WIDEST or buckets < 0 or not 0 <= longest <= _LONGEST_NGRAM:
        raise InputError(
            f"{source.place} is damaged: by its settings there are vectors of {width:,} numbers, {buckets:,} buckets "
            f"and n-grams of up to {longest:,} characters: fetch it again"
        )
    if version < _VERSION and algorithm == _SUPERVISED:
        longest = 0  # fasttext.cc: old classifiers use no n-grams of characters
    return FastTextFile(source, width, buckets, shortest, longest)
