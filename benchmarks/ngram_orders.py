"""What n-gram models of every order take and are worth: memory, time and perplexity against n.

    python -m benchmarks.ngram_orders                 WikiText-2 in words, tinyshakespeare in characters
    python -m benchmarks.ngram_orders --nltk 100000   and how long NLTK takes for as many tokens, beside us

The texts lie in ../shared/data beside the repository, or in the folder in JAXSEQ_DATA. The vocabulary is that of the
training part. tinyshakespeare is cut 90 : 5 : 5; of WikiText-2 every line ends with <eos>. Every token is predicted but
the first of a part. Times are of one core, the best of three.
"""

import argparse
import lzma
import math
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.data import split_bounds
from jaxseq.data.kneser_ney import estimate_kneser_ney
from jaxseq.data.ngram_counts import count_ngrams
from jaxseq.models import NGram

ORDERS = (2, 3, 4, 5)
FOLDER = Path(os.environ.get("JAXSEQ_DATA", Path(__file__).parents[2] / "shared" / "data"))


class Split(NamedTuple):
    """Token ids [t] of the parts of a text."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    vocabulary_size: int


def wikitext() -> Split:
    """WikiText-2 in words."""

    def words(name: str) -> list[str]:
        opener = lzma.open if name.endswith(".xz") else open
        with opener(FOLDER / "wikitext2" / name, "rt", encoding="utf-8", newline="\n") as file:
            return [word for line in file for word in [*line.split(), "<eos>"]]

    return _split([words(f"wiki.{part}") for part in ("train.tokens.xz", "valid.tokens", "test.tokens")])


def shakespeare() -> Split:
    """tinyshakespeare in characters."""
    text = (FOLDER / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
    bounds = split_bounds(len(text), (0.9, 0.05, 0.05))
    return _split([list(text[start:stop]) for start, stop in pairwise(bounds)])


def _split(parts: Sequence[Sequence[str]]) -> Split:
    ids = {symbol: i for i, symbol in enumerate(dict.fromkeys(parts[0]))}
    arrays = [np.array([ids[symbol] for symbol in part], np.int32) for part in parts]
    return Split(*arrays, len(ids))


def timed(work: Callable[[], Any], *, rounds: int = 3) -> tuple[float, Any]:
    """Seconds of the fastest round, and what the last one gave."""
    best, result = math.inf, None
    for _ in range(rounds):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return best, result


def loss(model: NGram, params: Any, ids: np.ndarray) -> float:
    """Mean nats of all tokens but the first."""

    @jax.jit
    def scores(params: Any, tokens: jax.Array, targets: jax.Array) -> jax.Array:
        return model.apply({"params": params}, tokens, targets, method="log_probability")[0]

    return -float(np.asarray(scores(params, ids[None, :-1], ids[None, 1:]), np.float64).mean())


def report(name: str, unit: str, split: Split) -> None:
    """Prints the table of one text."""
    print(f"{name}: {len(split.train):,} {unit} to train on, a vocabulary of {split.vocabulary_size:,}\n")
    print("| n | n-grams of all orders | MB | counted, tokens/s | estimated, s | validation | test |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    remarks = set()
    for order in ORDERS:
        count = partial(count_ngrams, split.train, order=order, vocabulary_size=split.vocabulary_size)
        counting, counts = timed(count)
        estimating, estimate = timed(partial(estimate_kneser_ney, counts))
        tables, model = estimate.tables, NGram(split.vocabulary_size, order)
        params = jax.tree.map(jnp.asarray, tables.params())
        worth = " | ".join(shown(loss(model, params, part), unit) for part in (split.validation, split.test))
        grams, megabytes = sum(len(each.words) for each in tables.grams), tables.nbytes / 1e6
        rate = len(split.train) / counting / 1e6
        print(f"| {order} | {grams:,} | {megabytes:.3g} | {rate:.1f} million | {estimating:.2f} | {worth} |")
        remarks.add(estimate.remark)
    print("\n".join(["", *filter(None, remarks), ""]))


def shown(nats: float, unit: str) -> str:
    """A mean loss as a perplexity; of characters with their bits."""
    if unit == "characters":
        return f"{math.exp(nats):.3f} ({nats / math.log(2):.3f} bits)"
    return f"{math.exp(nats):.1f}"


def beside_nltk(split: Split, tokens: int) -> None:
    """Prints how long the first tokens take to count and estimate here, and to count in NLTK."""
    from nltk.lm import KneserNeyInterpolated
    from nltk.util import everygrams

    ids = split.train[:tokens]
    words = [str(i) for i in ids]
    print(f"The first {len(ids):,} words of WikiText-2, seconds:\n")
    print("| n | NLTK, counted | jaxseq, counted and estimated | ratio |\n|---|---:|---:|---:|")

    def theirs(order: int) -> None:
        KneserNeyInterpolated(order).fit([everygrams(words, max_len=order)], set(words))

    def ours(order: int) -> None:
        estimate_kneser_ney(count_ngrams(ids, order=order, vocabulary_size=split.vocabulary_size))

    for order in ORDERS:
        one, _ = timed(partial(theirs, order))
        other, _ = timed(partial(ours, order))
        print(f"| {order} | {one:.2f} | {other:.3f} | {one / other:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nltk", type=int, default=0, metavar="TOKENS", help="time NLTK on the first TOKENS words")
    options = parser.parse_args()
    words = wikitext()
    report("WikiText-2", "words", words)
    report("tinyshakespeare", "characters", shakespeare())
    if options.nltk:
        beside_nltk(words, options.nltk)


if __name__ == "__main__":
    main()
