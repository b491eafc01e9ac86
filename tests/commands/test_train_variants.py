"""One short run for each way of training that differs in more than numbers."""

import io
import json
import lzma
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from command_line import TINY, arrays_of, assert_same_run, jaxseq, prose, snapshot

from jaxseq.runs import load_run
from jaxseq.storage.metrics_file import read_metrics

ROOT = Path(__file__).parents[2]
TRANSFORMER = (
    f"{ROOT}/configs/shakespeare_transformer.py --data.source text.txt --data.length 16 --data.batch-size 4 "
    "--model.features 16 --model.layers 2 --model.heads 2 --model.context 8 --train.steps 6 --train.log-every 3 "
    "--optimizer.warmup-steps 2 --task.prompt the --task.sample-length 20 --name it"
).split()
WINDOWS = [*TINY, "--name", "it", "--data.layout", "windows", "--train.steps", "6"]


def finished(*words: str, folder: Path, step: int = 6) -> Path:
    """The directory of the run `it`, which must go through, get better and sample."""
    code, out, err = jaxseq("train", *words, folder=folder)
    assert code == 0, err
    run = folder / "runs" / "it"
    losses = [float(row["loss"]) for row in read_metrics(run / "metrics.csv") if row["split"] == "train"]
    assert np.isfinite(losses).all()
    assert load_run(run).step == step
    assert f"\n{(run / 'samples.txt').read_text(encoding='utf-8').partition(chr(10) * 2)[2]}\n" in out
    return run


def test_windows_and_a_gru_with_every_dropout(folder):
    finished(
        *WINDOWS,
        *[
            "--model.cell",
            "gru",
            "--model.layers",
            "2",
            "--model.input-dropout",
            "0.2",
            "--model.dropout",
            "0.2",
            "--model.output-dropout",
            "0.1",
            "--model.recurrent-dropout",
            "0.1",
            "--model.variational",
            "--optimizer.accumulate",
            "2",
            "--train.steps-per-dispatch",
            "3",
        ],
        folder=folder,
    )


def test_only_the_token_after_the_window_is_predicted(folder):
    words = "--task.predict last --data.shift 3 --optimizer.kind rmsprop --optimizer.learning-rate 0.01"
    run = finished(*WINDOWS, *words.split(), folder=folder)
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    assert (config["task"]["predict"], config["optimizer"]["kind"]) == ("last", "rmsprop")


def test_a_transformer_that_computes_in_bfloat16(folder):
    run = finished(*TRANSFORMER, "--train.compute-dtype", "bfloat16", folder=folder)
    _, arrays = arrays_of(run)
    assert {leaf.dtype for leaf in leaves(arrays["params"])} == {np.dtype(np.float32)}


def test_a_recurrent_model_that_computes_in_bfloat16(folder):
    run = finished(*TINY, *["--name", "it", "--train.steps", "6", "--train.compute-dtype", "bfloat16"], folder=folder)
    _, arrays = arrays_of(run)
    assert {leaf.dtype for leaf in leaves(arrays["params"])} == {np.dtype(np.float32)}


def leaves(tree):
    return [leaf for child in tree.values() for leaf in (leaves(child) if isinstance(child, dict) else [child])]


def test_jamo_from_a_compressed_file_are_sampled_as_syllables(folder):
    with lzma.open(folder / "review.txt.xz", "wt", encoding="utf-8") as file:
        file.write("이 영화는 정말 재미있다\n그 배우가 좋았다 ㅋㅋ\n" * 60)
    words = (
        *TINY,
        *["--name", "it", "--data.source", "review.txt.xz", "--data.tokenizer", "jamo", "--train.steps", "40"],
    )
    run = finished(*words, "--task.prompt", "이 영화는", "--optimizer.learning-rate", "0.05", folder=folder, step=40)
    sample = (run / "samples.txt").read_text(encoding="utf-8")
    assert "\n\n이 영화는" in sample
    tokenizer = load_run(run).task.tokenizer
    assert "ᴥ" not in tokenizer.decode(tokenizer.encode("재미있다"))
    code, out, _ = jaxseq("evaluate", "runs/it", "--json", folder=folder)
    carried = json.loads(out)["carried"]
    assert code == 0
    assert carried["bits_per_character"] > 1.5 * carried["bits_per_token"]  # several jamo to a syllable


def test_a_memory_mapped_corpus_gives_the_same_run_bit_for_bit(folder, trained):
    words = ("train", "--name", "tiny", *TINY, "--data.memory-map")
    assert jaxseq(*words, folder=folder).code == 0
    run = folder / "runs" / "tiny"
    assert_same_run(run, trained[0] / "runs" / "tiny")
    tokens = run / "tokens.npy"
    assert np.load(tokens, mmap_mode="r").dtype == np.uint8
    written = tokens.stat().st_mtime_ns
    assert jaxseq(*words, folder=folder).code == 0
    assert tokens.stat().st_mtime_ns == written  # found to be up to date
    carried = json.loads(jaxseq("evaluate", "runs/tiny", "--json", folder=folder).out)
    assert carried == json.loads(jaxseq("evaluate", "runs/tiny", "--json", folder=trained[0]).out)
    (folder / "other.txt").write_text(prose(2000, seed=3), encoding="utf-8")
    assert jaxseq("evaluate", "runs/tiny", "--source", "other.txt", folder=folder).code == 0
    assert tokens.stat().st_mtime_ns == written  # another text's ids are of no use to the run
    (folder / "text.txt").write_text(prose(seed=1), encoding="utf-8")
    code, _, err = jaxseq(*words, folder=folder)
    assert code == 2
    assert "text.txt has changed since runs/tiny was begun" in err


def test_text_from_standard_input(folder, trained, monkeypatch):
    def typed(text):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    words = ("train", "--name", "tiny", *TINY, "--data.source", "-")
    typed(prose())
    assert jaxseq(*words, folder=folder).code == 0
    assert_same_run(folder / "runs" / "tiny", trained[0] / "runs" / "tiny")
    typed("")
    assert "standard input is empty" in jaxseq(*words, folder=folder).err
    typed(prose(seed=1))
    assert "- has changed since runs/tiny was begun" in jaxseq(*words, folder=folder).err
    told = "runs/tiny was trained on standard input, which is not kept: give the text as --source"
    assert told in jaxseq("evaluate", "runs/tiny", folder=folder).err


def test_a_run_stops_early_when_validation_gets_no_better_and_stays_stopped(folder):
    words = "--name it --train.patience 2 --train.evaluate-every 2 --optimizer.learning-rate 1e-30"
    run = finished(*TINY, *words.split(), folder=folder, step=2)  # the best
    code, out, err = jaxseq("train", *TINY, *words.split(), folder=folder)
    assert code == 0
    assert "no better validation loss since step 2: stopped at step 6" in err
    assert "best loss" in out
    assert arrays_of(run)[0] == 6


def test_a_run_ended_by_sigterm_and_started_again_is_the_run_left_alone(folder):
    words = [
        *TINY,
        *["--name", "it", "--train.steps", "300", "--train.steps-per-dispatch", "1", "--model.output-dropout", "0.1"],
    ]
    words += ["--train.checkpoint-every", "70", "--train.evaluate-every", "90"]
    with subprocess.Popen(
        [sys.executable, ROOT / "train.py", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("step 20,"):
                process.terminate()
        assert process.wait(600) == 0
    step, _ = arrays_of(folder / "runs" / "it")
    assert 20 <= step < 300
    code, _, err = jaxseq("train", *words, folder=folder)
    assert code == 0
    assert f"going on from step {step}" in err
    (folder / "runs" / "it").rename(folder / "runs" / "interrupted")
    assert jaxseq("train", *words, folder=folder).code == 0
    assert_same_run(folder / "runs" / "interrupted", folder / "runs" / "it")


def test_the_cause_of_divergence_is_found_in_the_run_that_diverged_which_stays_as_it_is(folder):
    words = [*TINY, "--optimizer.kind", "sgd", "--optimizer.learning-rate", "3e38", "--optimizer.clip-norm", "0"]
    told = jaxseq("train", *words, folder=folder)
    assert told.code == 2
    assert "is used up: lower optimizer.learning_rate" in told.err
    before = snapshot(folder)
    found = jaxseq("train", *words, "--train.debug-nonfinite", folder=folder)
    assert found.code == 2
    assert re.search(r"error: loss or gradient is not finite at step \d+: .* at .*\.py:\d+", found.err)
    assert snapshot(folder) == before


def test_a_search_that_finds_nothing_says_so_and_leaves_nothing(folder):
    before = snapshot(folder)
    code, out, _ = jaxseq("train", *TINY, "--train.debug-nonfinite", folder=folder)
    assert (code, out.splitlines()[-1]) == (0, "every loss and gradient up to step 20 was finite")
    assert snapshot(folder) == before
