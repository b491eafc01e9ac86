"""From tallies to means."""

from collections.abc import Iterable, Mapping

import numpy as np

from jaxseq.ops.losses import Tally


class Meter:
    """Sums of tallies in float64, by name: exact for counts past 2^24, where float32 stops counting."""

    def __init__(self, sums: Mapping[str, Iterable[float]] | None = None) -> None:
        self._sums = {name: (float(total), float(count)) for name, (total, count) in (sums or {}).items()}

    def add(self, tallies: Mapping[str, Tally]) -> None:
        """Adds tallies on the host; their arrays may hold several steps, which are added in order."""
        for name, tally in tallies.items():
            total, count = self._sums.get(name, (0.0, 0.0))
            for more, items in zip(
                np.atleast_1d(tally.total).tolist(), np.atleast_1d(tally.count).tolist(), strict=True
            ):
                total, count = total + more, count + items
            self._sums[name] = (total, count)

    def means(self) -> dict[str, float]:
        """Total over count for each name; those with a count of 0 are left out."""
        return {name: total / count for name, (total, count) in self._sums.items() if count}

    def count(self, name: str) -> float:
        """Items counted under `name`."""
        return self._sums.get(name, (0.0, 0.0))[1]

    def to_json(self) -> dict[str, list[float]]:
        """The sums, JSON-ready and exact."""
        return {name: list(pair) for name, pair in self._sums.items()}
