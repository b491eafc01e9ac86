"""Word vectors written to files, and read back from NumPy's."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.archives import shown
from jaxseq.errors import InputError

NPZ = ".npz"
_WORDS, _VECTORS = "words", "vectors"


def npz_file(words: Sequence[str], vectors: NDArray[np.float32]) -> Iterator[bytes]:
    """The content of NumPy's archive of `words` [v] (text) and `vectors` [v, d]; nothing in it needs pickle."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{_WORDS: np.array(words), _VECTORS: vectors})
    yield buffer.getvalue()


def word2vec_file(words: Sequence[str], vectors: NDArray[np.float32]) -> Iterator[bytes]:
    """The content of a file of word vectors [v, d] as word2vec's text: "v d", and then a line a word.

    Raises:
        InputError: a word holds white space, which stands between the numbers there.
    """
    for word in words:
        if not word or any(map(str.isspace, word)):
            raise InputError(
                f"the word {word!r} holds white space, which no word in a .txt of vectors may: write an .npz"
            )
    yield f"{len(words)} {vectors.shape[1]}\n".encode()
    for word, vector in zip(words, vectors, strict=True):
        yield f"{word} {' '.join(map(repr, vector.tolist()))}\n".encode("utf-8", "surrogatepass")


def read_npz(path: Path) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """The words and vectors of what `npz_file` gives.

    Raises:
        InputError: it is another file, or damaged.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            words, vectors = file[_WORDS], file[_VECTORS]
    except KeyError as error:
        raise InputError(f"{shown(path)} holds no word vectors: it must have {_WORDS!r} and {_VECTORS!r}") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{shown(path)} is damaged, or no .npz ({shown(error)}): fetch it again") from error
    if words.ndim != 1 or words.dtype.kind != "U" or vectors.ndim != 2 or vectors.dtype.kind != "f":
        raise InputError(f"{shown(path)} holds no word vectors: words must be [v] texts, vectors [v, d] numbers")
    if len(words) != len(vectors) or not vectors.shape[1]:
        raise InputError(f"{shown(path)} holds {len(words):,} words and vectors of shape {list(vectors.shape)}")
    with np.errstate(over="ignore"):
        numbers = vectors.astype(np.float32)
    if not np.isfinite(numbers).all():
        word = str(words[~np.isfinite(numbers).all(axis=1)][0])
        raise InputError(f"{shown(path)}: the vector of {shown(word)} is not finite in float32: leave the word out")
    return tuple(map(str, words)), numbers
