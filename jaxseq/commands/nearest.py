"""`jaxseq nearest`: the words nearest to a word."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from jaxseq import console, runtime
from jaxseq.commands.arguments import parse
from jaxseq.commands.word_vectors import Checkpoint, Json, VectorsPath, lines_of, require_number, require_words
from jaxseq.paths import run_path
from jaxseq.signals import PATIENCE, Stopped, StopRequest, own_unless


@dataclass(frozen=True)
class NearestArguments:
    """The words whose vectors are nearest to that of a word; or to those of several, taken together as a text."""

    vectors: VectorsPath
    words: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="WORD ...", help_behavior_hint="")]
    """A word, as it stands in the vocabulary; or several."""
    count: int = 10
    """How many to show."""
    by: Literal["cosine", "euclidean", "manhattan"] = "cosine"
    """What makes words near: a large cosine of the angle between their vectors, or a small distance."""
    checkpoint: Checkpoint = "best"
    json: Json = False

    def __post_init__(self) -> None:
        require_number("--count", self.count, least=1)
        require_words(self.words)


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, looks, prints; returns the exit code."""
    arguments = parse(NearestArguments, argv, program=program)
    path = run_path(arguments.vectors)
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        runtime.configure(devices=1)
        from jaxseq.runs.asking import nearest  # after that: it imports JAX
        from jaxseq.runs.vectors import read_vectors

        try:
            vectors = read_vectors(path, checkpoint=arguments.checkpoint)
            stop.poll()
            found, unknown = nearest(
                vectors, arguments.words, count=arguments.count, measure=arguments.by, poll=stop.poll
            )
        except Stopped as stopped:
            return stopped.exit_code
    if arguments.json:
        words = [neighbour._asdict() for neighbour in found]
        tree = {"words": list(arguments.words), "unknown": list(unknown), "by": arguments.by, "nearest": words}
        print(console.json_line({**tree, "vocabulary": len(vectors.words)}), end="")
        return 0
    for word in unknown:
        console.tell(f"{word!r} is unknown and has no part in it")
    what = "cosine" if arguments.by == "cosine" else f"{arguments.by} distance"
    console.show("\n".join([f"{what} among {len(vectors.words):,} words", *lines_of(found)]))
    return 0
