"""What a person sees of a translator: its scores, and some translations beside what people made of their sources."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxseq.console import escaped_line
from jaxseq.metrics.translation import TranslationScores

REPORT = "translations.txt"
"""Name of the file of a report."""
_BEGIN = "translations "
_LONGEST = 300


class Example(NamedTuple):
    """A source, what became of it, and what people made of it."""

    source: str
    made: str
    references: Sequence[str]


def report(scores: Mapping[str, TranslationScores], examples: Sequence[Example], *, by: str) -> str:
    """Scores with their signatures and examples, in plain text: safe to show, whatever stands in the texts.

    Args:
        scores: by the name of what was translated.
        by: what translated, as "by the parameters of step 10".
    """
    lines = [f"{_BEGIN}{escaped_line(by)}"]
    for name, found in scores.items():
        lines += ["", escaped_line(name), *(f"  {line}" for line in str(found).splitlines())]
    for example in examples:
        lines += ["", _shown("source", example.source), _shown("made", example.made)]
        lines += [_shown("reference", text) for text in example.references[:2]]
    return "\n".join(lines) + "\n"


def is_report(begin: bytes) -> bool:
    """Whether a file that begins so is a `report`."""
    return begin.startswith(_BEGIN.encode())


def _shown(what: str, text: str) -> str:
    return f"{what:9}  {escaped_line(text if len(text) <= _LONGEST else text[:_LONGEST] + ' ...')}"
