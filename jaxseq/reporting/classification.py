"""What a person sees of a classifier: a report in plain text, and two pictures."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from jaxseq.console import escaped_line
from jaxseq.metrics.classification import Classified, Reliability
from jaxseq.reporting.classification_pictures import CALIBRATION, CONFUSION, calibration_picture, confusion_picture
from jaxseq.reporting.pictures import is_picture

REPORT = "report.txt"
"""Name of the file of a report."""
_BEGIN = "classification of the "
_LONGEST_NAME, _LONGEST_TEXT = 24, 100


def showcase(
    found: Classified,
    *,
    names: Sequence[str],
    texts: Sequence[str],
    split: str,
    lengths: str = "",
    trained: str = "",
) -> Mapping[str, bytes]:
    """The report and both pictures, by the names of their files; arguments as `report` has them.

    Raises:
        InputError: Matplotlib does not start.
    """
    title = f"{found.accuracy:.2%} right of {len(found.labels):,} texts ({split})"
    return {
        REPORT: report(found, names=names, texts=texts, split=split, lengths=lengths, trained=trained).encode(),
        CONFUSION: confusion_picture(found.matrix, names, title=title),
        CALIBRATION: calibration_picture(found.reliability, title=title),
    }


def report(
    found: Classified,
    *,
    names: Sequence[str],
    texts: Sequence[str],
    split: str,
    lengths: str = "",
    trained: str = "",
) -> str:
    """All that was measured, in plain text: safe to show, whatever stands in names and texts.

    Args:
        names: of the classes [c].
        texts: those measured [n], of which the surest mistakes are shown.
        split: what it was measured on, as "validation split".
        lengths: what truncation and padding did to the texts, on one line.
        trained: the same of the texts that were trained on.
    """
    shown = [_cut(name, _LONGEST_NAME) for name in names]
    sections = [
        [f"{_BEGIN}{escaped_line(split)}: {len(found.labels):,} texts", *_figures(found, shown, lengths, trained)],
        _classes(found, shown),
        _confusion(found, shown),
        _calibration(found.reliability),
        _mistakes(found, shown, texts),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def is_report(begin: bytes) -> bool:
    """Whether a file that begins so is a `report`."""
    return begin.startswith(_BEGIN.encode())


SHOWCASE_FILES: Mapping[str, Callable[[bytes], bool]] = {
    REPORT: is_report,
    CONFUSION: is_picture,
    CALIBRATION: is_picture,
}
"""The files of a `showcase`, and how each is known by its first thousand bytes."""


def _figures(found: Classified, names: Sequence[str], lengths: str, trained: str) -> Iterator[str]:
    of_what = f"of {names[found.positive]}" if found.positive is not None else "mean over the classes (macro)"
    yield f"  accuracy           {found.accuracy:9.2%}"
    yield f"  F1                 {found.f1:9.4f}  {of_what}"
    yield f"  log loss           {found.loss:9.4f}  nats per text"
    bins = len(found.reliability.support)
    yield f"  calibration error  {found.reliability.expected_error:9.2%}  expected, {bins} bins"
    if lengths:
        yield f"  lengths            {lengths}"
    if trained:
        yield f"  trained on         {trained}"


def _classes(found: Classified, names: Sequence[str]) -> list[str]:
    scores = found.scores
    return [
        "     texts  precision  recall      F1  class",
        *(
            f"{n:10,}{precision:11.2%}{recall:8.2%}{f1:8.4f}  {name}"
            for n, precision, recall, f1, name in zip(
                scores.support, scores.precision, scores.recall, scores.f1, names, strict=True
            )
        ),
    ]


def _confusion(found: Classified, names: Sequence[str]) -> list[str]:
    """The matrix, columns headed by the number of a class: the names of forty would not fit side by side."""
    count = len(names)
    width = max(len(f"{found.matrix.max():,}"), len(str(count - 1))) + 2
    label = max(map(_columns, names))
    lines = [" " * (label + 6) + "".join(f"{number:>{width}}" for number in range(count))]
    for number, (name, row) in enumerate(zip(names, found.matrix, strict=True)):
        padded = name + " " * (label - _columns(name))
        lines.append(f"  {number:>3} {padded}" + "".join(f"{texts:>{width},}" for texts in row))
    return ["confusion: a row for each true class, a column for each predicted one", *lines]


def _calibration(found: Reliability) -> list[str]:
    edges = np.linspace(0, 1, len(found.support) + 1)
    return [
        "calibration: what it says of its predictions, and how many are right",
        "          bin     texts  confidence  accuracy",
        *(
            f"  {edges[i]:4.0%} to {edges[i + 1]:4.0%}{found.support[i]:9,}{found.confidence[i]:12.2%}"
            f"{found.accuracy[i]:10.2%}"
            for i in np.flatnonzero(found.support)
        ),
    ]


def _mistakes(found: Classified, names: Sequence[str], texts: Sequence[str]) -> list[str]:
    if not len(found.mistakes):
        return []
    lines = ["the mistakes of which it was surest"]
    for i in map(int, found.mistakes):
        lines.append(f"  {found.confidences[i]:.2%} {names[found.predictions[i]]}, in truth {names[found.labels[i]]}:")
        lines.append(f"    {_cut(' '.join(texts[i][: 10 * _LONGEST_TEXT].split()), _LONGEST_TEXT)}")
    return lines


def _cut(text: str, most: int) -> str:
    """`text` on one line, escaped, with dots where it is longer than `most`."""
    shown = escaped_line(text[: most + 1].replace("\t", " "))
    return shown if len(shown) <= most and len(text) <= most else f"{shown[: most - 3]}..."


def _columns(text: str) -> int:
    """Columns that a terminal takes for it: Hangul and the like take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
