"""Text that ends where a stop string begins, though it comes a piece at a time."""

from collections.abc import Sequence

from jaxseq.errors import InputError


class StopFilter:
    """Passes text on as soon as it cannot be part of a stop string, and ends it before the first stop string.

    The first one is that which is complete first; of several that are complete at once, the longest. What is passed on
    does not depend on the pieces in which the text comes.

    Args:
        stops: the stop strings; with none, all text passes at once.

    Raises:
        InputError: a stop string is empty.

    >>> text = StopFilter(["END"])
    >>> text.push("The E"), text.push("NDING"), text.stopped
    ('The ', '', True)
    """

    def __init__(self, stops: Sequence[str]) -> None:
        if "" in stops:
            raise InputError("a stop string is empty: it would end every sample at once; give one character or more")
        self._stops = tuple(stops)
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """Takes the next piece; returns what can be passed on now."""
        if self.stopped:
            return ""
        text = self._held + text
        starts = [(text.find(stop), len(stop)) for stop in self._stops]
        ends = [(start + size, start) for start, size in starts if start >= 0]
        self.stopped = bool(ends)
        final = min(ends)[1] if ends else len(text) - self._possible_beginning(text)
        self._held = "" if ends else text[final:]
        return text[:final]

    def flush(self) -> str:
        """Returns what is held back, with nothing more to come."""
        rest, self._held = self._held, ""
        return rest

    def _possible_beginning(self, text: str) -> int:
        """How many of the last characters of `text` may be the beginning of a stop string."""
        sizes = (
            size
            for stop in self._stops
            for size in range(1, min(len(stop), len(text) + 1))
            if text.endswith(stop[:size])
        )
        return max(sizes, default=0)
