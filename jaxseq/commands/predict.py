"""`jaxseq predict`: what a trained model says of texts."""

import csv
import dataclasses
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from jaxseq import console, runtime
from jaxseq.commands.arguments import parse
from jaxseq.errors import InputError
from jaxseq.paths import run_path
from jaxseq.signals import PATIENCE, Stopped, StopRequest, own_unless

if TYPE_CHECKING:
    from jaxseq.tasks.capabilities import Prediction


@dataclass(frozen=True)
class PredictArguments:
    """The class of each text, with its probabilities and the words that the model does not know; its vector and the
    nearest of the texts trained on, where the model gives texts vectors. A record comes out for every text that goes
    in, in the same order."""

    run: tyro.conf.Positional[Path]
    """Run directory, as runs/imdb_gru."""
    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """Texts, each in quotes."""
    file: str = ""
    """File of texts instead, compressed or not: one on each line, an empty line too; or a .csv, .tsv or .jsonl with a
    column of texts. "-" is standard input; what comes from there, or from a pipe, is answered as it comes."""
    file_format: Literal["by name", "text", "csv", "tsv", "jsonl"] = "by name"
    """Format of the file, where its name does not tell it."""
    text_column: str = "text"
    """Column or key of a table that holds the texts."""
    encoding: Annotated[str, tyro.conf.arg(aliases=["--data.encoding"])] = "utf-8"
    """Encoding of the file."""
    format: Literal["text", "csv", "jsonl"] = "text"
    """What to print: lines for people, comma-separated values with a header, or a JSON object on each line."""
    checkpoint: Literal["best", "newest"] = "best"
    """The checkpoint that did best on the validation split (by train.metric), or the last one."""

    def __post_init__(self) -> None:
        if bool(self.texts) == bool(self.file):
            what = "both texts and --file are" if self.texts else "neither a text nor --file is"
            raise InputError(f"{what} given: give texts in quotes, or --file FILE (- for standard input)")


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, predicts, prints; returns the exit code."""
    arguments = parse(PredictArguments, argv, program=program)
    arguments = dataclasses.replace(arguments, run=run_path(arguments.run))
    runtime.configure()
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        try:
            from jaxseq.runs.prediction import come_slowly  # after that: it imports JAX

            waits = bool(arguments.file) and come_slowly(arguments.file)
            for line in _lines(arguments, stop, waits=waits):
                print(line, flush=waits)
                stop.poll()
        except Stopped as stopped:
            return stopped.exit_code
    return 0


def _lines(arguments: PredictArguments, stop: StopRequest, *, waits: bool) -> Iterator[str]:
    """What to print, line by line; where the texts come from one who `waits` for it, as soon as they come."""
    from jaxseq.runs.prediction import predict_run, read_texts

    texts: Iterable[str] = arguments.texts
    if arguments.file:
        form = None if arguments.file_format == "by name" else arguments.file_format
        texts = read_texts(arguments.file, form=form, text_column=arguments.text_column, encoding=arguments.encoding)
    predictions = predict_run(
        arguments.run,
        texts,
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
        for near in made.nearest:
            label = f"{near.label}  " if near.label else ""
            yield f"  {near.similarity:.4f}  {console.escaped_line(label + near.begin)}"


def _as_csv(predictions: Iterable["Prediction"]) -> Iterator[str]:
    names: list[str] | None = None
    for made in predictions:
        vector = () if made.vector is None else made.vector.tolist()
        if names is None:
            names = list(made.probabilities)
            classes = ["label", *(f"probability of {name}" for name in names)] if names else []
            numbers = ["has a vector", *(f"vector {at}" for at in range(len(vector)))] if len(vector) else []
            yield _row([*classes, "unknown words", *numbers])
        values = [made.label, *(f"{made.probabilities[name]:.6f}" for name in names)] if names else []
        numbers = [str(not made.has_no_vector).lower(), *map(str, vector)] if len(vector) else []
        yield _row([*values, " ".join(made.unknown), *numbers])


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
        yield console.json_line(tree).rstrip("\n")
