"""`jaxseq caption`: what a trained model says of pictures."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from jaxseq import console, runtime
from jaxseq.commands.arguments import parse
from jaxseq.errors import InputError
from jaxseq.paths import expanded, run_path
from jaxseq.signals import PATIENCE, Stopped, StopRequest, own_unless

if TYPE_CHECKING:
    from jaxseq.tasks.described import Described


def _of_the_run(metavar: str) -> Any:
    """An option whose default stands in the configuration of the run."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="(default: as the run's configuration says)")


@dataclass(frozen=True)
class CaptionArguments:
    """Say what pictures show, by beam search. For every picture and language there come as many lines as --n-best says:
    the picture, the language where it has a name, the score and the caption, the best first."""

    run: tyro.conf.Positional[Path]
    """Run directory, as runs/NAME."""
    pictures: tyro.conf.Positional[tuple[str, ...]]
    """Files, patterns for several in quotes, or folders and archives with all their pictures. What is transparent is
    put on white; pictures of another size are resized if those were that the model was trained on."""
    language: Annotated[str, tyro.conf.arg(help_behavior_hint="(default: one caption in each)")] = ""
    """Language of the captions."""
    beam: Annotated[int | None, _of_the_run("INT")] = None
    """Hypotheses that go on at every step; 1 is a greedy search."""
    n_best: int = 1
    """Captions of each picture in each language; at most as many as the beam is wide."""
    length_penalty: Annotated[float | None, _of_the_run("FLOAT")] = None
    """Above 0 for longer captions, below 0 for shorter ones."""
    max_length: Annotated[int | None, _of_the_run("INT")] = None
    """Tokens of the longest caption."""
    checkpoint: Literal["best", "newest"] = "best"
    """The checkpoint that did best on the validation split (by train.metric), or the last one."""
    attention: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: none)")] = None
    """Of one picture, draw where each word of its best captions looked, to this .png file, in the place of an earlier
    such picture."""
    plain: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Captions alone."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """One JSON object a line for each picture: picture, captions (by language, each text, score, log_probability in
    nats, certified: whether nothing the search left out can be better)."""

    def __post_init__(self) -> None:
        if not self.pictures:
            raise InputError("no picture is given: give files, folders or archives of pictures")
        if self.plain and self.json:
            raise InputError("both --plain and --json are given: choose one of them")
        if self.attention is not None and self.attention.suffix.lower() != ".png":
            raise InputError(f"--attention is {self.attention}: a picture is a .png file")


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, captions, prints; returns the exit code."""
    arguments = parse(CaptionArguments, argv, program=program)
    arguments = dataclasses.replace(arguments, run=run_path(arguments.run))
    runtime.configure()
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        try:
            for line in _lines(arguments, stop):
                print(line)
                stop.poll()
        except Stopped as stopped:
            return stopped.exit_code
    return 0


def _lines(arguments: CaptionArguments, stop: StopRequest) -> Iterator[str]:
    """What to print, line by line."""
    from jaxseq.runs.captioning import caption_run, draw_attention, require_attention_place
    from jaxseq.tasks.capabilities import CaptionOptions

    options = CaptionOptions(  # complains of them before anything is read
        beam=arguments.beam,
        n_best=arguments.n_best,
        length_penalty=arguments.length_penalty,
        max_length=arguments.max_length,
        language=arguments.language,
        attention=arguments.attention is not None,
    )
    drawing = None if arguments.attention is None else expanded(arguments.attention)
    if drawing is not None:
        require_attention_place(drawing)
    described = caption_run(
        arguments.run, arguments.pictures, options=options, checkpoint=arguments.checkpoint, poll=stop.poll
    )
    if drawing is not None:
        described = iter([_only(described)])
    for made in described:
        if drawing is not None:
            draw_attention(made, drawing)
        yield from _as_json(made) if arguments.json else _as_text(made, plain=arguments.plain)


def _only(described: Iterator["Described"]) -> "Described":
    """The one picture of which a drawing is wanted."""
    found = list(islice(described, 2))
    if len(found) != 1:
        raise InputError("--attention draws the words of one picture: give a single one")
    return found[0]


def _as_text(made: "Described", *, plain: bool) -> Iterator[str]:
    name = console.escaped_line(made.picture.name)
    for language, captions in made.captions.items():
        lead = f"{name}  {console.escaped_line(language)}" if language else name
        for caption in captions:
            text = console.escaped_line(caption.text)
            yield text if plain else f"{lead}  {caption.score:.4f}  {text}"


def _as_json(made: "Described") -> Iterator[str]:
    names = ("text", "score", "log_probability", "certified")
    captions = {
        language: [{name: getattr(one, name) for name in names} for one in several]
        for language, several in made.captions.items()
    }
    yield console.json_line({"picture": made.picture.name, "captions": captions}).rstrip("\n")
