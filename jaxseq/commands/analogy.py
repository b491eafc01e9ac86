"""`jaxseq analogy`: what is to a word as a second one is to a first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from jaxseq import console, runtime
from jaxseq.commands.arguments import parse
from jaxseq.commands.word_vectors import Checkpoint, Json, VectorsPath, lines_of, require_number, require_words
from jaxseq.paths import run_path
from jaxseq.signals import PATIENCE, Stopped, StopRequest, own_unless


@dataclass(frozen=True)
class AnalogyArguments:
    """What is to a word as a second one is to a first, by the differences of their vectors: "man king woman" is
    answered with queen. The three are no answers."""

    vectors: VectorsPath
    first: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FIRST")]
    """A word, as man."""
    second: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SECOND")]
    """What is to it as the answer is to the third, as king."""
    third: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="THIRD")]
    """The word that an answer is asked for, as woman."""
    count: int = 5
    """How many answers to show, the likeliest first."""
    checkpoint: Checkpoint = "best"
    json: Json = False

    def __post_init__(self) -> None:
        require_number("--count", self.count, least=1)
        require_words((self.first, self.second, self.third))


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, looks, prints; returns the exit code."""
    arguments = parse(AnalogyArguments, argv, program=program)
    path, words = run_path(arguments.vectors), (arguments.first, arguments.second, arguments.third)
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        runtime.configure(devices=1)
        from jaxseq.runs.asking import analogy  # after that: it imports JAX
        from jaxseq.runs.vectors import read_vectors

        try:
            vectors = read_vectors(path, checkpoint=arguments.checkpoint)
            stop.poll()
            found = analogy(vectors, *words, count=arguments.count, poll=stop.poll)
        except Stopped as stopped:
            return stopped.exit_code
    if arguments.json:
        answers = [neighbour._asdict() for neighbour in found]
        tree = {"words": list(words), "answers": answers, "vocabulary": len(vectors.words)}
        print(console.json_line(tree), end="")
        return 0
    first, second, third = map(console.escaped_line, words)
    asked = f"{second} is to {first} as to {third}: cosine among {len(vectors.words):,} words"
    console.show("\n".join([asked, *lines_of(found)]))
    return 0
