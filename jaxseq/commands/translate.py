"""`jaxseq translate`: what a trained model makes of texts in another language."""

import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from jaxseq import console, runtime
from jaxseq.commands.answering import TextsArguments, answer
from jaxseq.commands.arguments import parse
from jaxseq.errors import InputError
from jaxseq.paths import expanded, run_path
from jaxseq.signals import StopRequest

if TYPE_CHECKING:
    from jaxseq.tasks.capabilities import Translation, TranslationOptions


def _of_the_run(metavar: str) -> Any:
    """An option whose default stands in the configuration of the run."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="(default: as the run's configuration says)")


@dataclass(frozen=True)
class TranslateArguments(TextsArguments):
    """Translate texts, by beam search or by sampling. For every text there come as many lines as --n-best says, its
    score and the translation, the best first; for an empty one empty lines."""

    beam: Annotated[int | None, _of_the_run("INT")] = None
    """Hypotheses that go on at every step; 1 is a greedy search."""
    n_best: int = 1
    """Translations of each text; at most as many as the beam is wide."""
    length_penalty: Annotated[float | None, _of_the_run("FLOAT")] = None
    """Above 0 for longer translations, below 0 for shorter ones."""
    coverage_penalty: Annotated[float | None, _of_the_run("FLOAT")] = None
    """Above 0 for translations that leave nothing of the text out."""
    max_length: Annotated[int | None, _of_the_run("INT")] = None
    """Tokens of the longest translation."""
    prefix: str = ""
    """What every translation begins with."""
    sample: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Draw translations instead of searching for the best."""
    temperature: Annotated[float | None, tyro.conf.arg(metavar="FLOAT", help_behavior_hint="(default: 1.0)")] = None
    """With --sample: below 1 safer, above 1 more varied."""
    seed: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: another each time)")] = None
    """With --sample: the same seed draws the same translations."""
    attention: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: none)")] = None
    """Of one text, draw which of its words each word of the best translation looked at, to this .png file, in the place
    of an earlier such picture."""
    plain: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Translations alone, without their scores."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """One JSON object a line for each text: text, hypotheses (text, score, log_probability in nats, certified: whether
    nothing the search left out can be better), unknown (words)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.plain and self.json:
            raise InputError("both --plain and --json are given: choose one of them")
        for option, value in (("--temperature", self.temperature), ("--seed", self.seed)):
            if value is not None and not self.sample:
                raise InputError(f"{option} is {value}, and nothing is drawn: give --sample too, or leave it out")
        if self.attention is not None and self.attention.suffix.lower() != ".png":
            raise InputError(f"--attention is {self.attention}: a picture is a .png file")
        if self.attention is not None and len(self.texts) != 1:
            raise InputError("--attention draws the words of one text: give a single one, in quotes")


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, translates, prints; returns the exit code."""
    arguments = parse(TranslateArguments, argv, program=program)
    arguments = dataclasses.replace(arguments, run=run_path(arguments.run))
    # The hypotheses of a single text are not shared among devices; samples of it are.
    runtime.configure(devices=1 if len(arguments.texts) == 1 and not arguments.sample else 0)
    return answer(arguments, lambda stop, waits: _lines(arguments, stop, waits=waits), stop)


def _lines(arguments: TranslateArguments, stop: StopRequest, *, waits: bool) -> Iterator[str]:
    """What to print, line by line; where the texts come from one who `waits` for it, as soon as they come."""
    from jaxseq.runs.translation import draw_attention, require_attention_place, translate_run

    options = _options(arguments)  # complains of them before anything is read
    picture = None if arguments.attention is None else expanded(arguments.attention)
    if picture is not None:
        require_attention_place(picture)
    translations = translate_run(
        arguments.run,
        arguments.given(),
        options=options,
        checkpoint=arguments.checkpoint,
        waiting=stop.raising if waits else None,
        poll=stop.poll,
    )
    show = _shown(arguments)
    for number, translation in enumerate(translations, 1):
        _tell(translation, number)
        if picture is not None:
            draw_attention(translation, picture)
        yield from show(translation)


def _options(arguments: TranslateArguments) -> "TranslationOptions":
    from jaxseq.decoding import Sampling
    from jaxseq.tasks.capabilities import TranslationOptions

    sampling = None
    if arguments.sample:
        sampling = Sampling(temperature=1.0 if arguments.temperature is None else arguments.temperature)
    return TranslationOptions(
        beam=arguments.beam,
        n_best=arguments.n_best,
        length_penalty=arguments.length_penalty,
        coverage_penalty=arguments.coverage_penalty,
        max_length=arguments.max_length,
        prefix=arguments.prefix,
        sampling=sampling,
        seed=random.SystemRandom().getrandbits(32) if arguments.seed is None else arguments.seed,
        attention=arguments.attention is not None,
    )


def _tell(translation: "Translation", number: int) -> None:
    """What a person should know of the text, which is no part of its translation."""
    if translation.unknown:
        console.tell(f"text {number} has unknown words: {' '.join(translation.unknown)}")


def _shown(arguments: TranslateArguments) -> Callable[["Translation"], Iterator[str]]:
    """How a translation is printed."""
    if arguments.json:
        return _as_json
    return lambda made: _as_text(made, count=arguments.n_best, scores=not arguments.plain)


def _as_text(translation: "Translation", *, count: int, scores: bool) -> Iterator[str]:
    """`count` lines, empty ones where there are no more hypotheses: so it is known which text a line is of."""
    for hypothesis in translation.hypotheses[:count]:
        text = console.escaped_line(hypothesis.text)
        yield f"{hypothesis.score:.4f}  {text}" if scores else text
    yield from [""] * (count - len(translation.hypotheses))


def _as_json(translation: "Translation") -> Iterator[str]:
    names = ("text", "score", "log_probability", "certified")
    tree = {
        "text": translation.text,
        "hypotheses": [{name: getattr(one, name) for name in names} for one in translation.hypotheses],
        "unknown": list(translation.unknown),
    }
    yield console.json_line(tree).rstrip("\n")
