"""What a person sees of a captioner: its scores, and some captions beside what people say of the same pictures."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxseq.console import escaped_line
from jaxseq.metrics.translation import TranslationScores

REPORT = "captions.txt"
"""Name of the file of a report."""
_BEGIN = "captions "
_LONGEST = 300


class PartScores(NamedTuple):
    """Scores of the captions of a part of a split."""

    by_language: Mapping[str, TranslationScores]
    more: Sequence[str]
    """What else there is to say of them, a line each."""


class Example(NamedTuple):
    """A caption, and what people say."""

    picture: str
    """Its name."""
    language: str
    made: str
    references: Sequence[str]


def report(scores: Mapping[str, PartScores], examples: Sequence[Example], *, by: str) -> str:
    """Scores with their signatures and examples, in plain text: safe to show, whatever stands in the texts.

    Args:
        scores: by the name of what was captioned.
        by: what wrote them, as "by the parameters of step 10".
    """
    lines = [
        f"{_BEGIN}{escaped_line(by)}",
        "free-running: each caption was written from its picture alone, by beam search, without a word of a reference",
    ]
    for name, part in scores.items():
        lines += ["", escaped_line(name)]
        for language, found in part.by_language.items():
            lead = f"{escaped_line(language)} " if language else ""
            lines += [f"  {lead}{line}" for line in str(found).splitlines()]
        lines += [f"  {escaped_line(line)}" for line in part.more]
    picture = None
    for example in examples:
        lines += [] if example.picture == picture else ["", _shown("picture", example.picture)]
        picture = example.picture
        lines.append(_shown(f"{example.language or 'made'}", example.made))
        lines += [_shown("  reference", text) for text in example.references[:2]]
    return "\n".join(lines) + "\n"


def is_report(begin: bytes) -> bool:
    """Whether a file that begins so is a `report`."""
    return begin.startswith(_BEGIN.encode())


def _shown(what: str, text: str) -> str:
    return f"{escaped_line(what):11}  {escaped_line(text if len(text) <= _LONGEST else text[:_LONGEST] + ' ...')}"
