"""What the vectors of texts tell: the nearest of those that were trained on, and the class by a linear classifier."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from jaxseq.metrics.linear_probe import LinearProbe, fit_linear_probe
from jaxseq.ops.neighbours import nearest_rows
from jaxseq.signals import Poll, never
from jaxseq.tasks.capabilities import NearText, Prediction
from jaxseq.tasks.task import IsOurs
from jaxseq.tasks.vectors.text_splits import shown_as
from jaxseq.tasks.vectors.trained_texts import TrainedTexts

NEIGHBOURS = "nearest_texts.txt"
SHOWCASE_FILES: Mapping[str, IsOurs] = {
    NEIGHBOURS: lambda begin: re.match(rb"step \d+, nearest texts by cosine\n\n", begin) is not None
}

_AT_ONCE = 4096
"""Texts that are answered before the next ones are read."""


@dataclass(frozen=True)
class TextAnswers:
    """Answers out of the trained vectors of texts, a table [n, d] in the order of `trained`; a row of zeros is that of
    a text without a word, and has no part in them."""

    trained: TrainedTexts
    penalty: float
    """Of the classifier, see `fit_linear_probe`."""
    neighbours: int
    """How many a text is answered with."""

    def probe(self, table: NDArray[np.float32]) -> LinearProbe:
        """The classifier of vectors of length 1: those found for new texts are shorter than those trained.

        Raises:
            InputError: the texts with a vector are of one class.
        """
        there = table.any(axis=1)
        ids = self.trained.class_ids()
        return fit_linear_probe(
            _directions(table[there]), ids[there], classes=len(self.trained.classes), penalty=self.penalty
        )

    def error(self, table: NDArray[np.float32], vectors: NDArray[np.float32], wanted: NDArray[np.integer]) -> float:
        """The share of texts whose class the classifier gets wrong by their vectors [k, d].

        Args:
            wanted: their class ids [k].
        """
        found = self.probe(table).probabilities(_directions(vectors)).argmax(axis=1)
        return float((found != wanted).mean())

    def predict(
        self,
        table: NDArray[np.float32],
        texts: Iterable[str],
        *,
        vectors_of: Callable[[Sequence[str]], NDArray[np.float32]],
        unknown: Callable[[str], Sequence[str]],
        poll: Poll = never,
    ) -> Iterator[Prediction]:
        """A prediction for every text, in order; texts are read some thousands at a time.

        Args:
            vectors_of: gives k texts their vectors [k, d].
            unknown: gives the words of a text that are not known.
        """
        probe, remaining = self.probe(table) if self.trained.classes else None, iter(texts)
        while chunk := list(islice(remaining, _AT_ONCE)):
            vectors = vectors_of(chunk)
            near = nearest_rows(table, vectors, count=self.neighbours, poll=poll)
            every = None if probe is None else probe.probabilities(_directions(vectors))
            for at, text in enumerate(chunk):
                row = np.zeros(0) if every is None else every[at]
                yield Prediction(
                    text,
                    self.trained.classes[int(row.argmax())] if len(row) else "",
                    dict(zip(self.trained.classes, map(float, row), strict=True)),
                    unknown(text),
                    vectors[at],
                    self._nearest(near.rows[at], near.values[at]) if vectors[at].any() else (),
                )

    def _nearest(self, rows: NDArray[np.integer], cosines: NDArray[np.float32]) -> tuple[NearText, ...]:
        begins, labels = self.trained.begins, self.trained.labels
        pairs = ((row, float(cosine)) for row, cosine in zip(rows.tolist(), cosines, strict=True) if row >= 0)
        return tuple(NearText(row, begins[row], labels[row] if labels else "", cosine) for row, cosine in pairs)


def _directions(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Vectors [n, d] made as long as 1; those of zeros stay what they are."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return vectors / np.where(lengths, lengths, 1)


def report(predictions: Iterable[Prediction], *, step: int, error: str) -> bytes:
    """The file of neighbours.

    Args:
        error: a line about the classifier; empty for none.
    """
    lines = [f"step {step}, nearest texts by cosine", ""]
    lines += [error, ""] if error else []
    for made in predictions:
        lines.append(shown_as(made.text))
        lines += [f"  {near.similarity:.2f}  {near.label}  {near.begin}".rstrip() for near in made.nearest]
        lines += ["  no vector: no word of it is known"] * made.has_no_vector
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")
