"""`jaxseq score`: word vectors against what people say of pairs of words, and on analogies."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from jaxseq import console, runtime
from jaxseq.commands.arguments import parse
from jaxseq.commands.word_vectors import Checkpoint, Json, VectorsPath, require_number
from jaxseq.errors import InputError
from jaxseq.paths import expanded, run_path
from jaxseq.signals import PATIENCE, Stopped, StopRequest, own_unless

if TYPE_CHECKING:
    from jaxseq.runs.asking import AnalogyScores, PairScore


@dataclass(frozen=True)
class ScoreArguments:
    """How well word vectors agree with people: on pairs of words, as WordSim-353 and SimLex-999, Spearman's coefficient
    of their cosines and the people's figures; on analogies, as Google's, how many are answered right. What the
    vocabulary lacks does not count, and is told. Case makes no difference."""

    vectors: VectorsPath
    files: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FILE ...", help_behavior_hint="")]
    """Pairs ("tiger cat 7.35" on a line) or analogies ("Athens Greece Oslo Norway" below ": SECTION"), as
    wordsim353.tsv questions-words.txt."""
    most_frequent: Annotated[int | None, tyro.conf.arg(help_behavior_hint="(default: see there)")] = None
    """Look among this many words alone, the first of the vocabulary, which in most files are the most frequent; 0 for
    all. By default 30000 for analogies, as they are published, and all for pairs."""
    checkpoint: Checkpoint = "best"
    json: Json = False

    def __post_init__(self) -> None:
        if not self.files:
            raise InputError("there is nothing to score by: give files of pairs or analogies, as wordsim353.tsv")
        if self.most_frequent is not None:
            require_number("--most-frequent", self.most_frequent, least=0)


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, measures, prints; returns the exit code."""
    arguments = parse(ScoreArguments, argv, program=program)
    path, files = run_path(arguments.vectors), [expanded(file) for file in arguments.files]
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        runtime.configure(devices=1)
        from jaxseq.runs.asking import read_questions, scores  # after that: it imports JAX
        from jaxseq.runs.vectors import read_vectors

        try:
            questions = read_questions(files)
            vectors = read_vectors(path, checkpoint=arguments.checkpoint)
            found: list[tuple[Path, PairScore | AnalogyScores]] = []
            for file, asked in questions:
                stop.poll()
                found.append((file, scores(vectors, asked, most_frequent=arguments.most_frequent, poll=stop.poll)))
        except Stopped as stopped:
            return stopped.exit_code
    count = len(vectors.words)
    if arguments.json:
        trees = [{"file": os.fspath(file), **_tree(score)} for file, score in found]
        print(console.json_line({"vocabulary": count, "scores": trees}), end="")
    else:
        lines = (line for file, score in found for line in _lines(file, score, count))
        console.show("\n".join([f"{count:,} words, vectors of {vectors.width:,} numbers", *lines]))
    return 0


def _lines(file: Path, score: "PairScore | AnalogyScores", words: int) -> Iterator[str]:
    """What is said of a file: its score, of how much of it, and among which words."""
    from jaxseq.runs.asking import PairScore

    among = f"all {words:,} words"
    if score.vocabulary < words:
        among = f"the {score.vocabulary:,} most frequent of {words:,} words (--most-frequent)"
    yield f"\n{console.escaped_line(os.fspath(file))}, among {among}"
    if isinstance(score, PairScore):
        yield f"{_figure(score.spearman, '8.4f')} Spearman   {score.answered:,} of {score.asked:,} pairs"
        return
    for section in (*score.sections, *score.totals):
        name = console.escaped_line(section.name)
        yield f"{_figure(section.accuracy, '8.2%')}  {section.answered:>6,} of {section.asked:>6,} questions  {name}"


def _figure(value: float, form: str) -> str:
    return f"{'-':>8}" if math.isnan(value) else format(value, form)


def _tree(score: "PairScore | AnalogyScores") -> dict[str, Any]:
    """JSON-ready; None stands for what nothing could be said of."""
    from jaxseq.runs.asking import PairScore

    def number(value: float) -> float | None:
        return None if math.isnan(value) else value

    if isinstance(score, PairScore):
        return {**score._asdict(), "spearman": number(score.spearman)}
    sections, totals = (
        [{**section._asdict(), "accuracy": number(section.accuracy)} for section in part]
        for part in (score.sections, score.totals)
    )
    return {"vocabulary": score.vocabulary, "sections": sections, "totals": totals}
