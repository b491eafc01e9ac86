"""Modified Kneser-Ney and the rule of back-off models as papers write them: slow and easy to check."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from jaxseq.data.backoff import BackoffTables, Index

BOUNDARY = "boundary"


class KneserNeyByHand:
    """Probabilities of Chen and Goodman 1998 for sequences of ids, each a text of its own.

    Args:
        begin: put before each text, or None: then what stands first counts as standing behind one kind of thing more.
        possible: ids that have a probability.
        discounts: of each order three numbers.
    """

    def __init__(
        self, texts: Sequence[Sequence[int]], *, order: int, possible: set[int], discounts, begin: int | None = None
    ) -> None:
        self.possible, self.discounts, self.order = possible, discounts, order
        texts = [[*([] if begin is None else [begin]), *text] for text in texts]
        raw = Counter(
            tuple(text[i : i + k]) for text in texts for k in range(1, order + 1) for i in range(len(text) - k + 1)
        )
        lefts = defaultdict(set)
        for text in texts:
            for k in range(1, order):
                for i in range(len(text) - k + 1):
                    lefts[tuple(text[i : i + k])].add(text[i - 1] if i else BOUNDARY)
        self.counts = {
            gram: count if len(gram) == order or gram[0] == begin else len(lefts[gram]) for gram, count in raw.items()
        }
        if begin is not None:
            self.counts.pop((begin,), None)

    def numbers(self, k: int) -> list[int]:
        """How many k-grams have a count of 0, 1, 2, ... 4."""
        return [sum(len(gram) == k and count == i for gram, count in self.counts.items()) for i in range(5)]

    def discount(self, k: int, count: int) -> float:
        return 0 if count == 0 else self.discounts[k - 1][min(count, 3) - 1]

    def probability(self, word: int, context: tuple[int, ...]) -> float:
        """Of `word` after the last order - 1 of `context`."""
        context = context[max(0, len(context) - self.order + 1) :]
        if word not in self.possible:
            return 0.0
        shorter = self.probability(word, context[1:]) if context else 1 / len(self.possible)
        k = len(context) + 1
        following = {gram[-1]: count for gram, count in self.counts.items() if gram[:-1] == context and len(gram) == k}
        total = sum(following.values())
        if not total:
            return shorter
        left = sum(self.discount(k, count) for count in following.values()) / total
        own = following.get(word, 0)
        return (own - self.discount(k, own)) / total + left * shorter


def log_probability(tables: BackoffTables, word, context) -> float:
    """By the rule of back-off models, in nats."""
    index, context = Index.of(tables), tuple(context)[max(0, len(context) - tables.order + 1) :]
    sum_of_weights = 0.0
    for start in range(len(context) + 1):
        rest = context[start:]
        at = index.grams(np.array([[*rest, word]]))[0]
        if at >= 0:
            return sum_of_weights + float(tables.grams[len(rest)].log_probabilities[at])
        if (node := index.grams(np.array([rest]))[0]) >= 0:
            sum_of_weights += float(tables.grams[len(rest) - 1].backoffs[node])
    raise AssertionError("every word has a unigram")
