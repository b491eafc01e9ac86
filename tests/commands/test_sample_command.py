import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
import tyro
from toy_model import ToyModel

import jaxseq.decoding
from jaxseq.commands.sample import SampleArguments, run
from jaxseq.decoding import Sampling, generate
from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.tasks.capabilities import Generates
from jaxseq.text import CharTokenizer

TOKENIZER = CharTokenizer.train("hello world\n", normalize=["lowercase"])
MODEL = ToyModel(len(TOKENIZER.vocabulary))
PARAMS = MODEL.init(0)


def loaded(*, params=PARAMS, skipped=(), **task):
    """An opened run whose task generates."""
    fields = {"tokenizer": TOKENIZER, "model": MODEL, "prompt": "", "sample_length": 20, "temperature": 0.8}
    fields |= {"stop": (), "forbidden": (), **task}
    generating = SimpleNamespace(**fields, sampling_memory=lambda *, rows, length: [])
    assert isinstance(generating, Generates)
    return SimpleNamespace(task=generating, params=params, skipped=list(skipped))


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """Replaces the reading of a run directory; what was asked of it."""
    asked = []

    def load_run(path, *, checkpoint):
        asked.append((path, checkpoint))
        return loaded(prompt="Hello ", temperature=0.5)

    monkeypatch.setattr("jaxseq.runs.load.load_run", load_run)
    return asked


def sample(capsys, *words: str) -> str:
    assert run(tyro.cli(SampleArguments, args=["runs/hello", *words])) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def expected(prompt: str, *, length=20, samples=1, seed=0, **options) -> list[str]:
    """The samples by the public pieces."""
    ids = np.tile(TOKENIZER.encode(prompt), (samples, 1))
    tokens = generate(MODEL, PARAMS, ids, length=length, key=jax.random.key(seed), sampling=Sampling(**options))
    return [TOKENIZER.decode(row) for row in tokens]


def test_without_options_it_goes_on_as_the_configuration_of_the_run_says(capsys, asked):
    assert sample(capsys, "--seed", "0") == f"hello {expected('hello ', temperature=0.5)[0]}\n"
    assert asked == [(Path("runs/hello"), "best")]


def test_all_options_reach_the_sample(capsys, asked):
    words = "--prompt WORLD --length 100 --temperature 0.7 --top-k 8 --top-p 0.9 --min-p 0.01 --seed 3"
    options = {"temperature": 0.7, "top_k": 8, "top_p": 0.9, "min_p": 0.01}
    text = sample(capsys, *words.split(), "--checkpoint", "newest")
    assert text == f"world{expected('world', length=100, seed=3, **options)[0]}\n"
    assert asked[0][1] == "newest"


def test_greedy_needs_no_seed(capsys):
    assert sample(capsys, "--greedy") == sample(capsys, "--greedy") == f"hello {expected('hello ', greedy=True)[0]}\n"


def test_without_a_seed_samples_differ(capsys):
    assert sample(capsys, "--length", "50") != sample(capsys, "--length", "50")


def test_several_samples_are_made_in_one_batch_and_set_apart_by_headings(capsys):
    texts = expected("hello ", samples=3, temperature=0.5)
    blocks = [f"--- sample {i} of 3 ---\nhello {text}\n" for i, text in enumerate(texts, 1)]
    assert sample(capsys, "--num-samples", "3", "--seed", "0") == "\n".join(blocks)


def test_json_gives_one_object_a_line(capsys):
    lines = sample(capsys, "--num-samples", "2", "--seed", "4", "--json").splitlines()
    texts = expected("hello ", samples=2, seed=4, temperature=0.5)
    common = {"prompt": "hello ", "finish_reason": "length", "seed": 4}
    assert [json.loads(line) for line in lines] == [
        {"index": i, "text": text, **common} for i, text in enumerate(texts)
    ]


def test_the_seed_that_json_names_gives_the_same_sample_again(capsys):
    first = json.loads(sample(capsys, "--json"))
    assert json.loads(sample(capsys, "--json", "--seed", str(first["seed"]))) == first


def test_a_sample_ends_before_its_stop_string(capsys):
    whole = expected("hello ", length=300)[0]
    stop = whole[150:153]
    text = sample(capsys, "--length", "300", "--temperature", "1", "--seed", "0", "--stop", stop.upper())
    assert text == f"hello {whole[: whole.find(stop)]}\n"


def test_samples_that_have_all_ended_are_not_gone_on_with(capsys, monkeypatch):
    made = []

    def counting_stream(*args, **options):
        for chunk in jaxseq.decoding.generate.__globals__["stream"](*args, **options):
            made.append(chunk.shape[1])
            yield chunk

    monkeypatch.setattr(jaxseq.decoding, "stream", counting_stream)
    stops = [word for symbol in "helowrd" for word in ("--stop", symbol)]
    lines = sample(capsys, "--length", "100000", "--num-samples", "2", "--seed", "0", "--json", *stops).splitlines()
    assert [json.loads(line)["finish_reason"] for line in lines] == ["stop", "stop"]
    assert sum(made) < 200


def test_an_empty_prompt_starts_after_a_line_end_that_is_not_shown(capsys):
    text = sample(capsys, "--prompt", "", "--seed", "0", "--temperature", "1")
    assert text == f"{expected(chr(10))[0]}\n"


def test_forbidden_tokens_are_in_no_sample_and_not_among_the_likeliest(capsys):
    words = ["--length", "200", "--seed", "0", "--forbid", "l", "--forbid", "o"]
    assert not set("lo") & set(sample(capsys, *words).removeprefix("hello "))
    whole = [line.split("  ", 1) for line in sample(capsys, "--next", "11").splitlines()]
    fewer = [line.split("  ", 1) for line in sample(capsys, "--next", "11", "--forbid", "l").splitlines()]
    assert fewer == [pair for pair in whole if pair[1] != "'l'"]
    with pytest.raises(InputError, match=r"--forbid: symbol 'll' is not among the vocabulary's \d+ symbols"):
        sample(capsys, "--forbid", "ll")


def test_next_prints_the_likeliest_tokens_with_their_probabilities(capsys):
    table = [line.split("  ", 1) for line in sample(capsys, "--next", "4").splitlines()]
    answer = json.loads(sample(capsys, "--next", "4", "--json"))
    assert answer["prompt"] == "hello "
    assert [repr(row["token"]) for row in answer["next"]] == [symbol for _, symbol in table]
    assert [f"{row['probability']:.6f}" for row in answer["next"]] == [probability for probability, _ in table]
    assert [TOKENIZER.vocabulary.symbols[row["id"]] for row in answer["next"]] == [
        row["token"] for row in answer["next"]
    ]


@pytest.mark.parametrize("words", ["", "--greedy", "--next 3", "--json", "--num-samples 2", "--top-k 3"])
def test_a_model_that_has_diverged_is_one_line_and_no_text(capsys, monkeypatch, words):
    monkeypatch.setitem(PARAMS, "head", np.full_like(PARAMS["head"], np.nan))
    with pytest.raises(InputError, match=r"logits that are not finite.* take an earlier checkpoint, or train") as told:
        run(tyro.cli(SampleArguments, args=["runs/hello", *words.split()]))
    assert "\n" not in str(told.value)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--temperature 0", "temperature is 0.0: .* greedy"),
        ("--top-p 0", "top_p is 0.0"),
        ("--top-k -1", "top_k is -1"),
        ("--min-p 2", "min_p is 2.0"),
    ],
)
def test_an_impossible_option_is_refused_before_the_run_is_read(words, message, asked):
    with pytest.raises(InputError, match=message):
        run(tyro.cli(SampleArguments, args=["runs/hello", *words.split()]))
    assert asked == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, "--length is 0"),
        ({"num_samples": 0}, "--num-samples is 0"),
        ({"next": -1}, "--next is -1"),
        ({"seed": -1}, "--seed is -1"),
        ({"seed": 2**32}, "--seed is 4294967296"),
        ({"stop": ("",)}, "--stop is empty"),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        SampleArguments(Path("runs/hello"), **options)


def test_a_prompt_with_unknown_characters_is_one_line_that_names_them():
    with pytest.raises(UnknownSymbolError, match=r"the prompt cannot be read: 'z' .*offset 3") as caught:
        run(SampleArguments(Path("runs/hello"), prompt="he zoo"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        ({}, "hello wo\n"),
        ({"num_samples": 2}, "--- sample 1 of 2 ---\nhello wo\n"),
        ({"json": True}, ""),
    ],
)
def test_ctrl_c_ends_the_line_and_leaves(capsys, monkeypatch, options, printed):
    def interrupted(model, params, prompt, **options):
        yield np.tile(TOKENIZER.encode("wo"), (len(prompt), 1))
        signal.raise_signal(signal.SIGINT)
        while True:
            yield np.tile(TOKENIZER.encode(""), (len(prompt), 1))

    monkeypatch.setattr(jaxseq.decoding, "stream", interrupted)
    assert run(SampleArguments(Path("runs/hello"), **options)) == 130
    assert capsys.readouterr() == (printed, "")


def test_text_that_acts_on_a_terminal_is_shown_escaped_and_json_has_it_to_the_letter(capsys, monkeypatch):
    texts = ["wo\r", "\nrl\r", "d\x1b[2J\x9b\u202e\n"]
    tokenizer = CharTokenizer.train("hello world" + "".join(texts))
    run_of_it = loaded(tokenizer=tokenizer, prompt="hello\x1b", skipped=["a\x1bb"])
    monkeypatch.setattr("jaxseq.runs.load.load_run", lambda path, checkpoint: run_of_it)
    rows = [np.tile(tokenizer.encode(text), (2, 1)) for text in texts]
    monkeypatch.setattr(
        jaxseq.decoding, "stream", lambda model, params, prompt, **options: (row[: len(prompt)] for row in rows)
    )
    shown = "hello\\x1bwo\r\nrl\\rd\\x1b[2J\\x9b\\u202e\n\n"
    assert run(SampleArguments(Path("runs/hello"), num_samples=2)) == 0
    assert capsys.readouterr() == (
        f"--- sample 1 of 2 ---\n{shown}\n--- sample 2 of 2 ---\n{shown}",
        "skipped a checkpoint: a\\x1bb\n",
    )
    assert run(SampleArguments(Path("runs/hello"), json=True)) == 0
    out, _ = capsys.readouterr()
    answer = json.loads(out)
    assert (answer["prompt"], answer["text"]) == ("hello\x1b", "".join(texts))
    assert not set(out) & set("\x1b\x9b\u202e")


def test_a_reader_that_has_gone_away_ends_it_quietly(tmp_path):
    program = tmp_path / "sampling.py"
    program.write_text(
        "import sys\n"
        "from jaxseq.commands import main, sample\n"
        "def endless(arguments, poll):\n"
        "    while True:\n"
        "        yield 'hello world\\n'\n"
        "sample._output = endless\n"
        "sys.exit(main.run('sample', ['runs/hello'], program='sample.py'))\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root), "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache")},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(12) == b"hello world\n"
        process.stdout.close()
        assert process.wait(120) == 0
        assert process.stderr.read() == b""


def test_a_prompt_in_another_form_and_a_stop_text_that_cannot_match_are_told(capsys, monkeypatch):
    tokenizer = CharTokenizer.train("café hello\n")
    model = ToyModel(len(tokenizer.vocabulary))
    run_of_it = loaded(tokenizer=tokenizer, model=model, params=model.init(0))
    monkeypatch.setattr("jaxseq.runs.load.load_run", lambda path, *, checkpoint: run_of_it)
    words = ["runs/hello", "--prompt", "cafe\u0301", "--length", "5", "--seed", "0", "--stop", r"\n"]
    assert run(tyro.cli(SampleArguments, args=words)) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("café")
    prompt, stop = captured.err.splitlines()
    assert "the prompt is read in Unicode's form NFC" in prompt
    assert r"--stop '\n' can never match, as '\' (U+005C) is not among the 10 symbols" in stop
    assert stop.endswith(r"write --stop $'\n'")
    assert run(tyro.cli(SampleArguments, args=[*words[:3], "--next", "2", "--json"])) == 0
    assert json.loads(capsys.readouterr().out)["prompt"] == "café"
