"""`jaxseq predict`: what a trained model says of texts."""

import csv
import dataclasses
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from jaxseq import console, runtime
from jaxseq.commands.answering import TextsArguments, answer
from jaxseq.commands.arguments import parse
from jaxseq.paths import run_path
from jaxseq.signals import StopRequest

if TYPE_CHECKING:
    from jaxseq.tasks.capabilities import FilledMask, Prediction

_SHOWN = 5
"""Tokens that people are shown for a [MASK]; the other formats have all that the model gives."""


@dataclass(frozen=True)
class PredictArguments(TextsArguments):
    """The class of each text, with its probabilities and the words that the model does not know; its vector and the
    nearest of the texts trained on, where the model gives texts vectors; what each [MASK] in it stands for, where the
    model finds hidden tokens. A record comes out for every text that goes in, in the same order."""

    format: Literal["text", "csv", "jsonl"] = "text"
    """What to print: lines for people, comma-separated values with a header, or a JSON object on each line."""


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, predicts, prints; returns the exit code."""
    arguments = parse(PredictArguments, argv, program=program)
    arguments = dataclasses.replace(arguments, run=run_path(arguments.run))
    runtime.configure()
    return answer(arguments, lambda stop, waits: _lines(arguments, stop, waits=waits), stop)


def _lines(arguments: PredictArguments, stop: StopRequest, *, waits: bool) -> Iterator[str]:
    """What to print, line by line; where the texts come from one who `waits` for it, as soon as they come."""
    from jaxseq.runs.prediction import predict_run

    predictions = predict_run(
        arguments.run,
        arguments.given(),
        checkpoint=arguments.checkpoint,
        waiting=stop.raising if waits else None,
        poll=stop.poll,
    )
    return {"text": _as_text, "csv": _as_csv, "jsonl": _as_json}[arguments.format](predictions)


def _as_text(predictions: Iterable["Prediction"]) -> Iterator[str]:
    for made in predictions:
        ranked = sorted(made.probabilities.items(), key=lambda pair: -pair[1])
        others = ", ".join(f"{console.escaped_line(label)} {probability:.4f}" for label, probability in ranked[:5])
        unknown = f"  unknown: {' '.join(map(console.escaped_line, made.unknown))}" if made.unknown else ""
        said = f"{console.escaped_line(made.label)}  ({others})" if ranked else console.escaped_line(made.text)
        yield f"{said}{unknown}"
        if made.has_no_vector:
            yield "  no vector: no word of it is known"
        if made.note:
            yield f"  {made.note}"
        for mask in made.masks or ():
            yield f"  {_listed(mask)}"
        for near in made.nearest:
            label = f"{near.label}  " if near.label else ""
            yield f"  {near.similarity:.4f}  {console.escaped_line(label + near.begin)}"


def _listed(mask: "FilledMask") -> str:
    best = list(mask.probabilities.items())[:_SHOWN]
    return ", ".join(f"{console.escaped_line(token)} {probability:.4f}" for token, probability in best)


def _as_csv(predictions: Iterable["Prediction"]) -> Iterator[str]:
    remaining = iter(predictions)
    first = next(remaining, None)
    if first is None:
        return
    rows = _rows_of_texts if first.masks is None else _rows_of_masks
    yield from map(_row, rows(chain([first], remaining)))


def _rows_of_masks(predictions: Iterable["Prediction"]) -> Iterator[list[str]]:
    """A row for each token that a [MASK] may stand for, or one for a text without any; all counted from 1."""
    yield ["text", "mask", "rank", "token", "probability", "note"]
    for number, made in enumerate(predictions, 1):
        rows = [
            [str(number), str(at), str(rank), token, f"{probability:.6f}", made.note]
            for at, mask in enumerate(made.masks or (), 1)
            for rank, (token, probability) in enumerate(mask.probabilities.items(), 1)
        ]
        yield from rows or [[str(number), "", "", "", "", made.note]]


def _rows_of_texts(predictions: Iterable["Prediction"]) -> Iterator[list[str]]:
    names: list[str] | None = None
    for made in predictions:
        vector = () if made.vector is None else made.vector.tolist()
        if names is None:
            names = list(made.probabilities)
            classes = ["label", *(f"probability of {name}" for name in names)] if names else []
            numbers = ["has a vector", *(f"vector {at}" for at in range(len(vector)))] if len(vector) else []
            yield [*classes, "unknown words", *numbers]
        values = [made.label, *(f"{made.probabilities[name]:.6f}" for name in names)] if names else []
        numbers = [str(not made.has_no_vector).lower(), *map(str, vector)] if len(vector) else []
        yield [*values, " ".join(made.unknown), *numbers]


def _row(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _as_json(predictions: Iterable["Prediction"]) -> Iterator[str]:
    for made in predictions:
        tree: dict[str, Any] = {}
        if made.probabilities:
            tree |= {"label": made.label, "probabilities": made.probabilities}
        tree["unknown"] = list(made.unknown)
        if made.vector is not None:
            near = [{**each._asdict(), "similarity": round(each.similarity, 6)} for each in made.nearest]
            tree |= {"has_vector": not made.has_no_vector, "vector": made.vector.tolist(), "nearest": near}
        if made.masks is not None:
            tree["masks"] = [[_scored(*pair) for pair in mask.probabilities.items()] for mask in made.masks]
        if made.note:
            tree["note"] = made.note
        yield console.json_line(tree).rstrip("\n")


def _scored(token: str, probability: float) -> dict[str, Any]:
    return {"token": token, "probability": round(probability, 6)}
