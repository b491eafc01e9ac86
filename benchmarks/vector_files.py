"""How fast files of word vectors are read, beside gensim reading the same.

    python -m benchmarks.vector_files                        a file of 20 MB in each format
    python -m benchmarks.vector_files --megabytes 1000 --rounds 1 --formats "GloVe's text"

The vectors are drawn, 300 wide, and written with five digits as GloVe's are. Of a model of fastText both read the words
and the n-grams, of which they make the vectors. Each reading has a process of its own, and the two take turns; shown
are the median over rounds, in seconds of the processor, which other work on the machine does not add to (the file has
just been written, so that no disk is waited for), and the greatest memory of a process beyond what it held before it
read. Both must find the same words and, to the last bit, the same vectors.
"""

import argparse
import hashlib
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxseq.interop.fasttext import FastTextModel, fasttext_file
from jaxseq.interop.ngram_vectors import NgramVectors

GLOVE, TEXT, BINARY, FASTTEXT = "GloVe's text", "word2vec's text", "word2vec's binary", "fastText's model"
FORMATS = (GLOVE, TEXT, BINARY, FASTTEXT)
_AT_ONCE = 1000


class Reading(NamedTuple):
    """A file read once."""

    seconds: float
    """Of the processor."""
    megabytes: float
    """Memory that it took."""
    digest: str
    """Of the words and vectors."""


def ours(path: Path, form: str) -> Reading:
    """Read by jaxseq, which sees the format in the file."""
    from jaxseq.interop.word_vectors import read_word_vectors

    found, seconds, megabytes = _measured(partial(read_word_vectors, path))
    return Reading(seconds, megabytes, _digest(found.words, found.vectors))


def theirs(path: Path, form: str) -> Reading:
    """Read by gensim, which has to be told the format."""
    from gensim.models import KeyedVectors
    from gensim.models.fasttext import load_facebook_vectors

    options = {"binary": form == BINARY, "no_header": form == GLOVE}
    load = partial(KeyedVectors.load_word2vec_format, **options) if form != FASTTEXT else load_facebook_vectors
    found, seconds, megabytes = _measured(partial(load, str(path)))
    return Reading(seconds, megabytes, _digest(found.index_to_key, found.vectors))


def _measured(work: Callable[[], object]) -> tuple:
    before = _kilobytes("VmRSS")
    start = time.process_time()
    found = work()
    seconds = time.process_time() - start
    return found, seconds, (_kilobytes("VmHWM") - before) / 1e3


def _kilobytes(name: str) -> int:
    """Memory of this process: in use ("VmRSS"), or at most so far ("VmHWM"); 0 where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def _digest(words: Sequence[str], vectors: np.ndarray) -> str:
    digest = hashlib.sha256("\n".join(words).encode())
    digest.update(np.ascontiguousarray(vectors, "<f4").data)
    return digest.hexdigest()


def content(form: str, *, words: int, width: int) -> Iterator[bytes]:
    """A file in pieces: drawn vectors of drawn words. A model of fastText has as many n-grams, and as many outputs."""
    draw = np.random.default_rng(0)
    if form == FASTTEXT:
        own, buckets = draw.standard_normal((2, words, width), np.float32)
        names = [name.decode() for name in _names(draw, range(words))]
        yield from fasttext_file(FastTextModel(names, range(words, 0, -1), own, NgramVectors(buckets)))
        return
    if form != GLOVE:
        yield f"{words} {width}\n".encode()
    numbers = " ".join(["%.5g"] * width)
    for begin in range(0, words, _AT_ONCE):
        some = range(begin, min(begin + _AT_ONCE, words))
        vectors, names = draw.normal(0, 0.4, (len(some), width)).astype("<f4"), _names(draw, some)
        if form == BINARY:
            yield b"".join(name + b" " + row.tobytes() + b"\n" for name, row in zip(names, vectors, strict=True))
        else:
            rows = zip(names, vectors.tolist(), strict=True)
            yield b"".join(name + b" " + (numbers % tuple(row)).encode() + b"\n" for name, row in rows)


def _names(draw: np.random.Generator, numbers: Sequence[int]) -> list[bytes]:
    """Words of letters with their number behind, of which no two are the same."""
    letters = draw.integers(97, 123, (len(numbers), 8), np.uint8)
    lengths = draw.integers(0, 9, len(numbers))
    return [bytes(letters[i, : lengths[i]]) + b"%d" % (1000 + number) for i, number in enumerate(numbers)]


def write(path: Path, form: str, *, megabytes: float, width: int) -> int:
    """Writes a file of about that size; its words."""
    sample = sum(map(len, content(form, words=_AT_ONCE, width=width)))
    words = max(1, round(megabytes * 1e6 * _AT_ONCE / sample))
    with path.open("wb") as file:
        file.writelines(content(form, words=words, width=width))
    return words


def measure(path: Path, form: str, *, rounds: int) -> tuple[list[Reading], list[Reading]]:
    """The readings of gensim and of jaxseq.

    Raises:
        AssertionError: they have not found the same.
    """
    both: tuple[list[Reading], list[Reading]] = ([], [])
    for turn in range(rounds):
        for who in (0, 1) if turn % 2 else (1, 0):
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                both[who].append(pool.submit((theirs, ours)[who], path, form).result())
    if len({reading.digest for readings in both for reading in readings}) > 1:
        raise AssertionError(f"{form}: the words or the vectors differ")
    return both


def row(form: str, size: float, words: int, both: tuple[list[Reading], list[Reading]]) -> str:
    """A line of the table."""
    seconds = [statistics.median(reading.seconds for reading in readings) for readings in both]
    memory = [max(reading.megabytes for reading in readings) for readings in both]
    return (
        f"| {form} | {size:,.0f} | {words:,} | {seconds[0]:.2f} | {seconds[1]:.2f} | {seconds[0] / seconds[1]:.1f} "
        f"| {memory[0]:,.0f} | {memory[1]:,.0f} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--width", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    options = parser.parse_args()
    if find_spec("gensim") is None:
        print('error: gensim is missing: pip install "jaxseq[bench]"', file=sys.stderr)
        return 2
    print("| format | MB | words | gensim, s | jaxseq, s | ratio | gensim, MB held | jaxseq, MB held |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors"
        for form in options.formats:
            words = write(path, form, megabytes=options.megabytes, width=options.width)
            both = measure(path, form, rounds=options.rounds)
            print(row(form, path.stat().st_size / 1e6, words, both), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
