"""How fast words become ids, beside Keras's legacy `Tokenizer` doing the same.

    python benchmarks/words.py FILE ...              one text a line, UTF-8 (.xz and .gz as they are)

The two take turns, a round each; rates are medians over rounds, in MB of UTF-8 a second, on one core. Both read the
same lists of texts and give the same ids, which is checked. "letters" is letters and apostrophes only, in lower case:
Keras has a regular expression for that, before its own work.
"""

import argparse
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxseq.data import read_documents
from jaxseq.text import FILTERS, WordOptions, WordTokenizer
from jaxseq.text.normalize import letters_only

os.environ.setdefault("KERAS_BACKEND", "jax")


def letters(texts: Sequence[str]) -> list[str]:
    """What Keras's tokenizer is given in "letters"."""
    return [re.sub(r"[^\w']|[\d_]", " ", re.sub(r"<br\s*/?>", " ", text)) for text in texts]


def contestants(keras: Any, *, alone: bool) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """What trains Keras's tokenizer, and ours, on texts; each gives what makes lists of ids of texts."""
    prepare = letters if alone else list
    names = ("letters_only", "lowercase") if alone else ("lowercase",)
    options = WordOptions(unknown="drop", splitter="filters", filters="" if alone else FILTERS)

    def theirs(texts: Sequence[str]) -> Callable[[Sequence[str]], Any]:
        tokenizer = keras.Tokenizer(filters=options.filters)
        tokenizer.fit_on_texts(prepare(texts))
        return lambda some: tokenizer.texts_to_sequences(prepare(some))

    def ours(texts: Sequence[str]) -> Callable[[Sequence[str]], Any]:
        return WordTokenizer.train(texts, normalize=names, options=options).encode_texts

    return theirs, ours


def timed(work: Callable[[Any], Any], argument: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work(argument)
    return time.perf_counter() - start, result


def rates(keras: Any, texts: Sequence[str], *, alone: bool, rounds: int) -> dict[str, list[float]]:
    """{work: MB/s of Keras and of jaxseq}, medians over rounds."""
    size = sum(len(text.encode()) for text in texts) / 1e6
    found: dict[str, list[list[float]]] = {"train": [[], []], "encode": [[], []]}
    for _ in range(rounds):
        encoders, ids = [], []
        for who, train in enumerate(contestants(keras, alone=alone)):
            seconds, encode = timed(train, texts)
            found["train"][who].append(size / seconds)
            encode(texts[:1000])  # tables are made
            encoders.append(encode)
        for who, encode in enumerate(encoders):
            seconds, some = timed(encode, texts)
            found["encode"][who].append(size / seconds)
            ids.append(some)
        if any(one != two.tolist() for one, two in zip(*ids, strict=True)):
            raise AssertionError("the ids differ")
    return {work: [statistics.median(one) for one in both] for work, both in found.items()}


def row(text: str, work: str, theirs: float, ours: float) -> str:
    """A line of the table: MB/s of Keras and of jaxseq, and how many times as fast jaxseq is."""
    return f"{text[:22]:24}{work:18}{theirs:9,.1f} MB/s{ours:9,.1f} MB/s{ours / theirs:8,.1f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--texts", type=int, default=20_000, help="lines to read of each file")
    options = parser.parse_args()
    try:
        import keras.src.legacy.preprocessing.text as keras
    except ImportError:
        print('error: keras is missing: pip install "jaxseq[bench]"', file=sys.stderr)
        return 2
    print(f"{'text':24}{'work':18}{'Keras':>14}{'jaxseq':>14}{'ratio':>8}")
    for path in options.files:
        texts = "".join(read_documents(str(path))).split("\n")[: options.texts]
        for name, alone in (("filters", False), ("letters", True)):
            # To the regular expression, numbers as "½" are letters.
            chosen = [one for one in texts if letters([one])[0] == letters_only(one)] if alone else texts
            for work, (theirs, ours) in rates(keras, chosen, alone=alone, rounds=options.rounds).items():
                print(row(path.name, f"{name} {work}", theirs, ours), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
