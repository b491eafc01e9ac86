"""Times jaxseq against PyTorch, Keras on TensorFlow, Keras on JAX and plain Flax on the same work.

    python -m benchmarks                                    everything that is installed here, on the CPU
    python -m benchmarks --work w1 w2 --rounds 9
    python -m benchmarks --device gpu --output benchmarks/results/h100.json
    python -m benchmarks --peers jaxseq --before ../old     against another checkout of jaxseq
    python -m benchmarks --check                            do the peers compute the same?
    python -m benchmarks --table docs/benchmarks.md         the page, from the results there are

`pip install -e '.[bench]'` installs the peers; what is missing is left out, with a line that says so. They may live in
an environment of their own: `--peer-python .venv-peers/bin/python`.

What is measured. W1, W2 and W3 are training steps of configs/jamo_lstm.py, configs/shakespeare_gru.py and
configs/lyrics_lstm.py, W5 of the Transformer (w5gpu: its GPU setting, gpt2: of
GPT-2's size, in bfloat16), W4 and birnn of classifiers of padded texts,
with a GRU and with an LSTM in both directions, words of configs/wikitext2_words.py with all 33,278 words, in bfloat16,
and with 1,000 drawn; predict is prediction with the bidirectional LSTM, W6 the generation of 1,000 characters with the
models of W1 and W2, words-generate that of 1,000 words; W7 is tokenization and windows, pieces are subwords by ours and
by the libraries that it calls, ngrams are counts, vectors are configs/word2vec_skipgram.py and configs/word2vec_cbow.py
by epochs, in words of the text; multi30k and seq2seq are training steps of configs/multi30k_transformer.py and
configs/seq2seq_attention.py, whose sizes are read from there, a call being a lap through the loader's first batches;
beam is beam search with a model of the former, one sentence at a time and 64; mnist are training steps of
configs/mnist_autoencoder.py and configs/mnist_autoencoder_transposed.py with their own optimizer, digit is one of
configs/digit_scenes.py, hand is the logits of a batch of configs/hand_detector.py, from bytes. A training step is
forward, backward and Adam (of words: SGD with clipped gradients), in float32 unless the work says otherwise, from
batches in host memory.
jaxseq runs the loop that `jaxseq train` runs, with the loader, the dispatch and the metrics file inside the clock; the
peers' batches are cut beforehand. Keras's decoder with attention is a cell that has been shown the source, in its RNN
layer. PyTorch's maps of pictures have their channels first in memory, or last ("torch-channels-last", and where it
compiles). A prediction goes from token ids to probabilities in the texts' order: in jaxseq as the report of a training
has it (`jaxseq predict` pads each text to a length that follows from that text alone), while the peers are given their
texts sorted by length.

How. Every contestant has a process of its own, with and without a tuned allocator ("+m"). All are built and warmed up,
then each works for about `--seconds` in turn, A B C D B C D A ..., the others waiting; a matmul opens every round. So
that whoever comes after it has no disadvantage, each works a while before its time is taken, and the order goes round.

How to read it. The ratios are the thing: ours over theirs, round by round. On a machine that does other work at the
same time they hold better than the times; quartiles far apart say that neither does. Two processes of the same code
differ too, in W2 and W5 by 4 to 7% on 2 cores: a smaller difference wants several runs.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from benchmarks import check, data, machine, report
from benchmarks.peers import BEFORE, OURS, PEERS, ROOT, missing
from benchmarks.rounds import Settings, contestants, measure
from benchmarks.works import select

_PAIRS = ("multi30k", "seq2seq", "beam")
_PICTURES = ("mnist", "digit", "hand")
_BY_DEFAULT = {
    "cpu": (
        "w1",
        "w2",
        "w3",
        "w4",
        "w5",
        "words",
        "birnn",
        "predict",
        "w6",
        "w7",
        "pieces",
        "ngrams",
        "vectors",
        *_PAIRS,
        *_PICTURES,
    ),
    "gpu": ("w1", "w2", "w3", "w4", "w5", "w5gpu", "gpt2", "words", "birnn", "predict", "w6", *_PAIRS, *_PICTURES),
}


@dataclass(frozen=True)
class Arguments:
    """Times jaxseq against its peers on the same work; `benchmarks/run.py` begins with what is measured and how."""

    work: tuple[str, ...] = ()
    """Works: w1 w2 w3 w4 w5 w5gpu gpt2 words birnn predict w6 w7 pieces ngrams vectors multi30k seq2seq beam mnist
    digit hand, or some of a group (w6-lstm-1); by default those of the device."""
    peers: tuple[str, ...] = tuple(name for name in PEERS if name != BEFORE)
    """Contestants."""
    before: Path | None = None
    """Another checkout of jaxseq, which takes part as well."""
    allocators: tuple[Literal["default", "tuned"], ...] = ("default", "tuned")
    """Allocators to run training and generation with."""
    rounds: int = 7
    """Rounds; figures are medians over them."""
    seconds: float = 0.7
    """Least time a contestant works in a round."""
    run: Path | None = None
    """Run directory of configs/multi30k_transformer.py whose best checkpoint translates in beam-search; without it a
    model is trained for a minute or two."""
    device: Literal["cpu", "gpu"] = "cpu"
    """What to measure on."""
    peer_python: Path | None = None
    """Interpreter that has peers installed; those it lacks are looked for in this one."""
    output: Path | None = None
    """JSON file for the results; one in benchmarks/results/ is found by --table."""
    table: Path | None = None
    """Write this page from the JSON files in benchmarks/results/; measures nothing unless works are named too."""
    check: bool = False
    """Instead of timing print parameter counts and first losses of everybody, or probabilities, losses or hypotheses by
    the same parameters, and what is wrong with them."""
    check_steps: int = 20
    """Updates made by --check."""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def interpreters(arguments: Arguments) -> dict[str, str]:
    """{peer: the interpreter that has what it needs}; peers without one are named and left out."""
    found = {}
    for name in (*arguments.peers, *([BEFORE] if arguments.before else ())):
        candidates = [sys.executable]
        if arguments.peer_python and name not in (OURS, BEFORE):
            candidates.insert(0, str(arguments.peer_python))
        lacking = {python: missing(PEERS[name], python) for python in candidates}
        found[name] = next((python for python, packages in lacking.items() if not packages), None)
        if found[name] is None:
            packages = ", ".join(lacking[candidates[0]])
            _say(f"{name} is left out: {packages} not installed (pip install -e '.[bench]')")
    return {name: python for name, python in found.items() if python}


def main(arguments: Arguments) -> int:
    """Does what `arguments` ask for; returns the exit code."""
    strange = [name for name in arguments.peers if name not in PEERS]
    if strange:
        _say(f"there is no peer {', '.join(strange)}: choose from {', '.join(PEERS)}")
        return 2
    try:
        works = select(arguments.work or (() if arguments.table else _BY_DEFAULT[arguments.device]))
    except ValueError as error:
        _say(str(error))
        return 2
    if works:
        pythons = interpreters(arguments)
        settings = Settings(
            arguments.device,
            arguments.rounds,
            arguments.seconds,
            sys.executable,
            _say,
            before=(arguments.before or ROOT).resolve(),
            run=arguments.run.resolve() if arguments.run else None,
        )
        if arguments.check:
            return check.run(works, pythons, settings, steps=arguments.check_steps)
        _time(works, pythons, settings, arguments)
    if arguments.table:
        arguments.table.write_text(report.as_page(report.newest()), encoding="utf-8")
        _say(f"wrote {arguments.table}")
    return 0


def _time(works: list[str], pythons: dict[str, str], settings: Settings, arguments: Arguments) -> None:
    results: dict[str, Any] = {}
    where = {**machine.describe(arguments.device), "texts": "published" if data.real_texts() else "made up"}
    tree = {"device": arguments.device, "machine": where, "works": results}
    for name in works:
        results[name] = measure(name, contestants(name, pythons, arguments.allocators), settings)
        print(report.as_text(name, results[name], arguments.device), end="\n\n", flush=True)
        if arguments.output:  # after every work, so that a run cut short leaves what it had
            arguments.output.parent.mkdir(parents=True, exist_ok=True)
            arguments.output.write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Arguments, prog="python -m benchmarks", description=__doc__)))
