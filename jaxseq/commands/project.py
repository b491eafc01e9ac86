"""`jaxseq project`: word vectors in two dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxseq import console, runtime
from jaxseq.commands.arguments import new_file, parse
from jaxseq.commands.word_vectors import Checkpoint, VectorsPath, require_number, require_words
from jaxseq.errors import InputError
from jaxseq.paths import expanded, run_path
from jaxseq.signals import PATIENCE, Stopped, StopRequest, own_unless

_DRAWN = 300
"""Words of a picture for which none is asked."""


@dataclass(frozen=True)
class ProjectArguments:
    """Words as points, near to those that are alike: a picture in two dimensions, or a folder that TensorBoard's
    projector shows. Without a word those at the beginning of the vocabulary, in most files the most frequent."""

    vectors: VectorsPath
    words: Annotated[
        tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="WORD ...", help_behavior_hint="(optional)")
    ] = ()
    """Words to show, each with a color of its own."""
    picture: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: none)")] = None
    """Draw them to this .png file, in the place of an earlier picture of words."""
    projector: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: none)")] = None
    """Write vectors.tsv and metadata.tsv to this folder, which must not be there, for tensorboard --logdir DIR or
    projector.tensorflow.org."""
    neighbours: int = 0
    """How many of the words nearest to each word to show beside it, in its color."""
    most_frequent: Annotated[int | None, tyro.conf.arg(help_behavior_hint="(default: see there)")] = None
    """How many words at the beginning of the vocabulary to show too. By default none beside words that are given;
    without such 300 in a picture, and all in TensorBoard."""
    method: Literal["pca", "tsne"] = "pca"
    """Of the picture: the first two principal components, or t-SNE, which keeps neighbours together and needs
    scikit-learn."""
    checkpoint: Checkpoint = "best"

    def __post_init__(self) -> None:
        if self.picture is None and self.projector is None:
            raise InputError("there is nothing to write: give --picture FILE, or --projector DIR")
        if self.picture is not None and self.picture.suffix.lower() != ".png":
            raise InputError(f"--picture is {self.picture}: a picture is a .png file")
        require_number("--neighbours", self.neighbours, least=0)
        if self.words:
            require_words(self.words)
        if self.most_frequent is not None:
            require_number("--most-frequent", self.most_frequent, least=0 if self.words else 1)


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, reads, writes, says what; returns the exit code."""
    arguments = parse(ProjectArguments, argv, program=program)
    path, words = run_path(arguments.vectors), arguments.words
    picture = None if arguments.picture is None else expanded(arguments.picture)
    folder = None if arguments.projector is None else new_file(arguments.projector)
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        runtime.configure(devices=1)
        from jaxseq.runs.projecting import draw_words, placed, write_projector  # after that: it imports JAX
        from jaxseq.runs.vectors import read_vectors

        try:
            vectors = read_vectors(path, checkpoint=arguments.checkpoint)
            for output, usual in ((picture, _DRAWN), (folder, len(vectors.words))):
                if output is None:
                    continue
                stop.poll()
                first = arguments.most_frequent
                if first is None:
                    first = 0 if words else usual
                shown = placed(vectors, words, neighbours=arguments.neighbours, most_frequent=first, poll=stop.poll)
                if output is picture:
                    draw_words(vectors, shown, output, method=arguments.method)
                else:
                    write_projector(vectors, shown, output, poll=stop.poll)
                console.show(f"{len(shown.rows):,} words are in {output}")
        except Stopped as stopped:
            return stopped.exit_code
    return 0
