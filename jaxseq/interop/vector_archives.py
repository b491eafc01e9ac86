"""Word vectors as named arrays: NumPy's .npz and .safetensors, written and read back.

vectors         [v, d] float32
words           .npz: [v] texts; .safetensors, which has none: a JSON list of them in UTF-8, [bytes] uint8
buckets         [b, d] float32, where n-grams have vectors too ("jaxseq.interop.ngram_vectors")
ngram_lengths   [2] int64, characters in the shortest and the longest of these
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.interop.ngram_vectors import NgramVectors
from jaxseq.interop.vector_lookup import WordVectors
from jaxseq.interop.vector_selection import OpenedVectors, Selection, first_infinite
from jaxseq.reading import shown

_WORDS, _VECTORS, _BUCKETS, _LENGTHS = "words", "vectors", "buckets", "ngram_lengths"


def npz_file(words: Sequence[str], vectors: NDArray[np.float32], ngrams: NgramVectors | None = None) -> Iterator[bytes]:
    """The content of NumPy's archive of `words` [v] (text) and `vectors` [v, d]; nothing in it needs pickle."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{_WORDS: np.array(words, np.str_)}, **_numbers(vectors, ngrams))
    yield buffer.getvalue()


def safetensors_file(
    words: Sequence[str], vectors: NDArray[np.float32], ngrams: NgramVectors | None = None
) -> Iterator[bytes]:
    """The content of a .safetensors of the same.

    Raises:
        InputError: the library safetensors is missing.
    """
    _library()
    from safetensors.numpy import save

    listed = json.dumps(list(words), ensure_ascii=False).encode("utf-8", "surrogatepass")
    arrays = {name: np.ascontiguousarray(array) for name, array in _numbers(vectors, ngrams).items()}
    yield save({_WORDS: np.frombuffer(listed, np.uint8), **arrays}, metadata={"content": "word vectors"})


def _numbers(vectors: NDArray[np.float32], ngrams: NgramVectors | None) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {_VECTORS: vectors.astype(np.float32, copy=False)}
    if ngrams is not None:
        arrays |= {_BUCKETS: ngrams.buckets, _LENGTHS: np.array([ngrams.shortest, ngrams.longest], np.int64)}
    return arrays


@dataclass(frozen=True)
class ArrayFile:
    """An archive of arrays that has been looked into."""

    place: str
    words: Sequence[str]
    shape: tuple[int, ...]
    """Of the vectors: [v, d]."""
    load: Callable[[str, int | None], NDArray[Any]]
    """The first rows of an array, so many or all."""
    names: frozenset[str]
    """Of all arrays."""

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return self.shape[1]

    def read(self, selection: Selection) -> WordVectors:
        """The words and vectors asked for.

        Raises:
            InputError: it is damaged, or a vector is not finite.
        """
        amount = selection.amount(len(self.words))
        rows: dict[str, int] = {}
        repeated = 0
        for row, word in enumerate(self.words[:amount]):
            if selection.words is None or word in selection.words:
                repeated += word in rows
                rows.setdefault(word, row)
        vectors = self._floats(_VECTORS, amount)
        if len(rows) < amount:
            vectors = vectors[[*rows.values()]]
        if (row := first_infinite(vectors)) is not None:
            word = shown([*rows][row])
            raise InputError(f"{self.place}: the vector of {word} is not finite in float32: leave the word out")
        selection.told(self.place, amount, amount)
        return WordVectors(tuple(rows), vectors, self.place, repeated, self._ngrams())

    def _ngrams(self) -> NgramVectors | None:
        if not {_BUCKETS, _LENGTHS} <= self.names:
            return None
        lengths, buckets = self.load(_LENGTHS, None), self._floats(_BUCKETS, None)
        if lengths.shape != (2,) or lengths.dtype.kind not in "iu" or not 1 <= lengths[1] <= 100:
            raise InputError(f"{self.place} is damaged: {_LENGTHS} must be two numbers from 1 to 100: fetch it again")
        if buckets.ndim != 2 or not len(buckets) or buckets.shape[1] != self.width:
            raise InputError(
                f"{self.place} holds vectors of {self.width} numbers and {_BUCKETS} of shape {list(buckets.shape)}: "
                "fetch it again"
            )
        if (row := first_infinite(buckets)) is not None:
            raise InputError(f"{self.place}: the vector of bucket {row:,} is not finite: fetch the file again")
        return NgramVectors(buckets, int(lengths[0]), int(lengths[1]))

    @np.errstate(over="ignore")
    def _floats(self, name: str, amount: int | None) -> NDArray[np.float32]:
        array = self.load(name, amount)
        if array.dtype.kind != "f":
            raise InputError(f"{self.place}: {name} are {array.dtype}: write them as float32")
        return array.astype(np.float32, copy=False)


def _checked(file: ArrayFile) -> ArrayFile:
    if len(file.shape) != 2:
        raise InputError(f"{file.place} holds no word vectors: words must be [v] texts, vectors [v, d] numbers")
    if len(file.words) != file.shape[0] or not file.shape[1]:
        raise InputError(f"{file.place} holds {len(file.words):,} words and vectors of shape {list(file.shape)}")
    return file


def _require(place: str, names: frozenset[str]) -> None:
    if not {_WORDS, _VECTORS} <= names:
        raise InputError(f"{place} holds no word vectors: it must have {_WORDS!r} and {_VECTORS!r}")


def open_npz(path: Path) -> ArrayFile:
    """An .npz of word vectors, read whole.

    Raises:
        InputError: it is another file, or damaged.
        OSError: it cannot be opened.
    """
    place = shown(path)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            names = frozenset(file.files)
            _require(place, names)
            arrays = {name: file[name] for name in names & {_WORDS, _VECTORS, _BUCKETS, _LENGTHS}}
    except (ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:  # an .npy is no context
        raise InputError(f"{place} is damaged, or no .npz ({shown(error)}): fetch it again") from error
    words = arrays[_WORDS]
    if words.ndim != 1 or words.dtype.kind != "U":
        raise InputError(f"{place} holds no word vectors: words must be [v] texts, vectors [v, d] numbers")

    def load(name: str, count: int | None) -> NDArray[Any]:
        return arrays[name][:count]

    return _checked(ArrayFile(place, list(map(str, words)), arrays[_VECTORS].shape, load, names))


def open_safetensors(path: Path) -> ArrayFile:
    """A .safetensors of word vectors; of the vectors no more is read than is asked for.

    Raises:
        InputError: it is another file, or damaged; or the library safetensors is missing.
        OSError: it cannot be opened.
    """
    place, library = shown(path), _library()
    with path.open("rb"):  # its errors have numbers, the library's have none
        pass
    try:
        file = library.safe_open(path, framework="numpy")
        names = frozenset(file.keys())
        _require(place, names)
        words = json.loads(file.get_tensor(_WORDS).tobytes())
        shape = tuple(file.get_slice(_VECTORS).get_shape())
    except (library.SafetensorError, ValueError, RecursionError, TypeError) as error:
        raise InputError(f"{place} is damaged, or no .safetensors ({shown(error)}): fetch it again") from error
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InputError(f"{place} holds no word vectors: words must be a JSON list of texts in UTF-8")

    def load(name: str, count: int | None) -> NDArray[Any]:
        try:
            part = file.get_slice(name)
            is_whole = count is None or count >= part.get_shape()[0]  # of no rows the library takes no slice
            return file.get_tensor(name) if is_whole else np.array(part[:count])
        except (library.SafetensorError, TypeError) as error:  # a type that NumPy has not, as bfloat16
            raise InputError(f"{place}: {name} cannot be read ({shown(error)}): write them as float32") from error

    return _checked(ArrayFile(place, words, shape, load, names))


def _library() -> Any:
    try:
        import safetensors
    except ImportError as error:
        raise InputError(".safetensors needs the library safetensors: pip install 'jaxseq[vectors]'") from error
    return safetensors


ARCHIVES: Mapping[str, Callable[[Path], OpenedVectors]] = {".npz": open_npz, ".safetensors": open_safetensors}
"""What opens a file, by the end of its name."""
