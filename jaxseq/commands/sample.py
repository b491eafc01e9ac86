"""`jaxseq sample`: text out of a run directory."""

import dataclasses
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from jaxseq import console, runtime
from jaxseq.commands.arguments import parse
from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.paths import run_path
from jaxseq.signals import PATIENCE, Poll, Stopped, StopRequest, own_unless

if TYPE_CHECKING:
    from jaxseq.decoding import Transcript
    from jaxseq.decoding.prompts import TextReader


def _of_the_run(metavar: str) -> Any:
    """An option whose default stands in the configuration of the run."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="(default: as the run's configuration says)")


@dataclass(frozen=True)
class SampleArguments:
    """Go on from a prompt with the model of a run, and print the text as it is made. Characters that act on a terminal
    instead of showing there are printed as escapes; --json gives the text to the letter."""

    run: tyro.conf.Positional[Path]
    """Run directory, as runs/quickstart."""
    prompt: Annotated[str | None, _of_the_run("TEXT")] = None
    """Text to go on from. An empty one stands for the start of a line."""
    length: Annotated[int | None, _of_the_run("INT")] = None
    """Tokens to sample; half a syllable or character at their end is not shown."""
    temperature: Annotated[float | None, _of_the_run("FLOAT")] = None
    """Below 1 safer, above 1 more varied."""
    top_k: int = 0
    """Sample from the k most probable tokens only; 0 for all."""
    top_p: float = 1.0
    """Sample from the most probable tokens that together hold this much of the probability only."""
    min_p: float = 0.0
    """Sample from tokens at least this fraction as probable as the most probable one only."""
    greedy: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Always take the most probable token, whatever temperature and filters say."""
    seed: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: another each time)")] = None
    """The same seed gives the same samples."""
    num_samples: int = 1
    """Samples, made at once in one batch."""
    stop: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="TEXT")] = ()
    """End a sample before this text."""
    forbid: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="TOKEN")] = ()
    """Never choose this token, named as --next names it: "<unk>"."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """One JSON object a line for each sample: index, prompt, text (what follows it, to the letter), finish_reason,
    seed."""
    next: int = 0
    """Do not sample: list so many of the likeliest next tokens, with the probabilities the model gives them."""
    checkpoint: Literal["best", "newest"] = "best"
    """The checkpoint that did best on the validation split (by train.metric), or the last one."""

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("length", self.length, 1, 2**31 - 1),
            ("num-samples", self.num_samples, 1, 2**31 - 1),
            ("next", self.next, 0, 2**31 - 1),
            ("seed", self.seed, 0, 2**32 - 1),
        ):
            if value is not None and not least <= value <= most:
                raise InputError(f"--{name} is {value}: give a number from {least} to {most}")
        if "" in self.stop:
            raise InputError("--stop is empty: give one character or more")


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses and samples; returns the exit code."""
    arguments = parse(SampleArguments, argv, program=program)
    arguments = dataclasses.replace(arguments, run=run_path(arguments.run))
    # Fewer are not shared among devices.
    runtime.configure(devices=1 if arguments.num_samples < 16 else 0)
    return run(arguments, stop=stop)


def run(arguments: SampleArguments, *, stop: StopRequest | None = None) -> int:
    """Prints what `arguments` ask for; returns the exit code.

    A signal ends it between two pieces of text, for JAX interrupted in the middle of a compilation crashes at exit.

    Args:
        stop: what signals are noted by; by default one of its own.

    Raises:
        InputError: the run cannot be read, the prompt has unknown characters, an option is out of its range, or what
            is asked for does not fit into memory.
    """
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        last = "\n"
        try:
            stop.poll()
            for text in _output(arguments, stop.poll):
                print(text, end="", flush=True)
                last = text or last
                stop.poll()
        except Stopped as stopped:
            print(end="" if last.endswith("\n") else "\n", flush=True)
            return stopped.exit_code
    return 0


def _output(arguments: SampleArguments, poll: Poll) -> Iterator[str]:
    """What to print, piece by piece."""
    import jax
    import numpy as np

    from jaxseq.decoding import (
        Sampling,
        Transcript,
        next_tokens,
        prompt_ids,
        prompt_remark,
        readable,
        stop_remark,
        stream,
    )
    from jaxseq.memory import require_memory
    from jaxseq.runs.load import load_run
    from jaxseq.tasks.capabilities import Generates, capable

    sampling = Sampling(
        temperature=1.0 if arguments.temperature is None else arguments.temperature,
        top_k=arguments.top_k,
        top_p=arguments.top_p,
        min_p=arguments.min_p,
        greedy=arguments.greedy,
    )  # complains of them before anything is read
    loaded = load_run(arguments.run, checkpoint=arguments.checkpoint)
    for line in loaded.skipped:
        console.tell(f"skipped a checkpoint: {line}")
    task = capable(loaded.task, Generates, run=arguments.run)
    model, params, tokenizer = task.model, loaded.params, task.tokenizer
    prompt = task.prompt if arguments.prompt is None else arguments.prompt
    ids = prompt_ids(tokenizer, prompt)
    remarks = [prompt_remark(tokenizer, prompt), *(stop_remark(tokenizer, stop) for stop in arguments.stop)]
    for remark in filter(None, remarks):
        console.tell(remark)
    forbidden = (*task.forbidden, *(_token(name, tokenizer) for name in arguments.forbid))
    if arguments.next:
        tokens, probabilities = next_tokens(model, params, ids, count=arguments.next, forbidden=forbidden)
        symbols = [tokenizer.vocabulary.symbols[token] for token in tokens]
        likeliest = list(zip(symbols, tokens.tolist(), probabilities.tolist(), strict=True))
        poll()
        yield from (
            _next_as_json(tokenizer.normalize(readable(tokenizer, prompt)), likeliest)
            if arguments.json
            else _next_as_table(likeliest)
        )
        return

    sampling = dataclasses.replace(sampling, forbidden=forbidden)
    if arguments.temperature is None:
        sampling = dataclasses.replace(sampling, temperature=task.temperature)
    stops = (*arguments.stop, *task.stop)
    seed = random.SystemRandom().getrandbits(32) if arguments.seed is None else arguments.seed
    length = task.sample_length if arguments.length is None else arguments.length
    for rows, option in ((1, "--length"), (arguments.num_samples, "--num-samples")):
        parts = task.sampling_memory(rows=rows, length=0 if stops else length)
        require_memory(f"making {rows:,} samples of {length:,} tokens", parts, remedy=f"lower {option}")
    transcripts = []
    for _ in range(arguments.num_samples):
        poll()
        transcripts.append(Transcript(tokenizer, prompt, stop=stops))
    chunks = stream(
        model,
        params,
        np.tile(ids, (arguments.num_samples, 1)),
        length=length,
        key=jax.random.key(seed),
        sampling=sampling,
    )
    yield from _as_json(transcripts, chunks, seed) if arguments.json else _as_text(transcripts, chunks)


def _token(name: str, tokenizer: "TextReader") -> int:
    """The id of the token that is called so."""
    try:
        return tokenizer.vocabulary.id_of(name)
    except UnknownSymbolError as error:
        raise InputError(f"--forbid: {error}") from error


def _as_text(transcripts: list["Transcript"], chunks: Iterable[Any]) -> Iterator[str]:
    """For people: the first sample as it is made, then the others, which were made beside it."""
    first, *others = transcripts
    escaper = console.Escaper()
    heading = "--- sample {} of " + str(len(transcripts)) + " ---\n"
    growing = _grow(transcripts, chunks)
    texts = next(growing)  # before anything is shown: a model that has diverged has nothing to show
    yield (heading.format(1) if others else "") + escaper.push(first.prompt)
    yield escaper.push(texts[0])
    for texts in growing:
        yield escaper.push(texts[0])
    yield escaper.flush() + "\n"
    for number, transcript in enumerate(others, 2):
        yield "\n" + heading.format(number) + console.escaped(transcript.prompt + transcript.text) + "\n"


def _as_json(transcripts: list["Transcript"], chunks: Iterable[Any], seed: int) -> Iterator[str]:
    """For programs: a line for each sample, when all are made; until then empty pieces, between which it can end."""
    for _ in _grow(transcripts, chunks):
        yield ""
    for index, transcript in enumerate(transcripts):
        fields = {"index": index, "prompt": transcript.prompt, "text": transcript.text}
        yield console.json_line({**fields, "finish_reason": transcript.finish_reason, "seed": seed})


def _grow(transcripts: list["Transcript"], chunks: Iterable[Any]) -> Iterator[list[str]]:
    """Writes chunks [b, n] of ids to b transcripts, until all have ended; yields the new text of each."""
    for chunk in chunks:
        yield [transcript.push(ids) for transcript, ids in zip(transcripts, chunk, strict=True)]
        if all(transcript.finish_reason == "stop" for transcript in transcripts):
            break
    yield [transcript.finish() for transcript in transcripts]


def _next_as_table(likeliest: list[tuple[str, int, float]]) -> Iterator[str]:
    for symbol, _, probability in likeliest:
        yield f"{probability:.6f}  {symbol!r}\n"


def _next_as_json(prompt: str, likeliest: list[tuple[str, int, float]]) -> Iterator[str]:
    rows = [{"token": symbol, "id": token, "probability": probability} for symbol, token, probability in likeliest]
    yield console.json_line({"prompt": prompt, "next": rows})
