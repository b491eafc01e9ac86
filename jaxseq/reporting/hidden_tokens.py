"""What a person sees of a masked language model: texts with hidden tokens, what stood there, and what is found."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxseq.console import escaped_line

REPORT = "masks.txt"
"""Name of the file of a report."""
_BEGIN = "hidden tokens of the "
_SHOWN = 3
"""Tokens that are shown of those found."""
_WIDEST = 16


class HiddenToken(NamedTuple):
    """A token that was to be found."""

    stood: str
    """What stood there."""
    given: str
    """What stood there instead."""
    found: Mapping[str, float]
    """Tokens with their probabilities, the best first."""


class Follows(NamedTuple):
    """Whether a second text follows the first."""

    is_next: bool
    probability: float
    """That it does, as the model says."""


class Example(NamedTuple):
    """A text, or two."""

    texts: Sequence[str]
    """As the model is given them."""
    hidden: Sequence[HiddenToken]
    follows: Follows | None


def report(figures: Sequence[str], examples: Sequence[Example], *, split: str) -> str:
    """Figures and examples in plain text: safe to show, whatever stands in the texts.

    Args:
        figures: a line each.
        split: where they are from, as "validation split, by the parameters of step 10".
    """
    lines = [f"{_BEGIN}{escaped_line(split)}", *map(escaped_line, figures)]
    for example in examples:
        lines += ["", *map(escaped_line, example.texts)]
        if example.follows is not None:
            is_next, probability = example.follows
            does = "it does" if is_next else "it does not"
            lines.append(f"  that the second text follows has a probability of {probability:.4f}, and {does}")
        rows = [("stood there", "given", "found"), *map(_cells, example.hidden)] if example.hidden else []
        widths = [min(_WIDEST, max(len(row[column]) for row in rows)) for column in (0, 1)] if rows else []
        lines += [f"  {stood:{widths[0]}}  {given:{widths[1]}}  {found}" for stood, given, found in rows]
    return "\n".join(lines) + "\n"


def is_report(begin: bytes) -> bool:
    """Whether a file that begins so is a `report`."""
    return begin.startswith(_BEGIN.encode())


def _cells(hidden: HiddenToken) -> tuple[str, str, str]:
    best = list(hidden.found.items())[:_SHOWN]
    found = ", ".join(f"{escaped_line(token)} {probability:.4f}" for token, probability in best)
    return escaped_line(hidden.stood), escaped_line(hidden.given), found
