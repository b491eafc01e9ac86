"""The pure parts of benchmarks/: counts and formulas, data, statistics, tables. No peer is started."""

import json
import re
import statistics

import numpy as np
import pytest

from benchmarks import check, data, report, words
from benchmarks.machine import describe
from benchmarks.peers import BEFORE, OURS, PEERS, SHARED, TUNED, environment
from benchmarks.rounds import Field, Settings, contestants
from benchmarks.summary import fastest_peer, figure, lines, our_label, ratio_between, spread, verdicts
from benchmarks.workers.serve import peak_bytes
from benchmarks.works import (
    BOTH_WAYS,
    GPT2,
    GRU_CLASSIFIER,
    JAMO_LSTM,
    LYRICS_LSTM,
    NANO_CPU,
    NANO_GPU,
    SHAKESPEARE_GRU,
    WIKITEXT2_LSTM,
    WORKS,
    select,
)


def _result(seconds: dict[str, list[float]], *, flop: int = 0, rate: float = 100.0) -> dict:
    """A result as `measure` gives it; labels that end in "+m" have the tuned allocator."""
    rounds = len(next(iter(seconds.values())))
    entered = {
        label: {
            "peer": label.removesuffix(" +m"),
            "tuned": label.endswith(" +m"),
            "parameters": 1,
            "versions": {"numpy": "2.0"},
            "peak_bytes": 250_000_000,
            "device_peak_bytes": 90_000_000,
            "seconds": values,
        }
        for label, values in seconds.items()
    }
    return {"flop": flop, "matmul_gflops": [rate] * rounds, "contestants": entered, "failed": {}}


def _page(name: str, result: dict) -> str:
    """The page of one result."""
    return report.as_page({(name, "cpu"): {**result, "machine": {**describe("cpu"), "texts": ""}, "file": "one"}})


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (JAMO_LSTM, 181 * 128 + 4 * 128 * (128 + 128 + 1) + 128 * 181 + 181),
        (SHAKESPEARE_GRU, 3 * 128 * (39 + 128 + 2) + 3 * 128 * (128 + 128 + 2) + 128 * 39 + 39),
        (GRU_CLASSIFIER, 11_000 * 128 + 2 * 99_072 + 129),  # Keras: GRU(128) on 128 twice, Dense(1)
        (BOTH_WAYS, 10_000 * 128 + 98_816 + 129),  # Keras: Bidirectional(LSTM(64)) on 128, Dense(1)
        (LYRICS_LSTM, 7_001 * 256 + 5_246_976 + 8_392_704 + 1_025 * 7_001),  # Keras: LSTM(1024) on 256, LSTM(1024)
        (WIKITEXT2_LSTM, 33_278 * 200 + 2 * 320_800),  # Keras: LSTM(200) on 200 twice, and the table again
        (NANO_CPU, 804_096),  # nanoGPT prints 0.80M
        (GPT2, 124_337_664),  # GPT-2 small has 124,439,808, biases of blocks and norms counted in
        (NANO_GPU, 10_745_088),  # nanoGPT prints 10.65M, without the 98,304 of the positions
    ],
)
def test_parameter_counts_are_those_of_the_published_models(model, parameters):
    assert model.parameters == parameters


@pytest.mark.parametrize(
    ("name", "gflop"), [("w1", 27.8), ("w2", 3.12), ("w3", 160), ("w4", 2.265), ("birnn", 7.55), ("w5", 3.96)]
)
def test_flop_of_a_step_is_what_the_formula_gives_by_hand(name, gflop):
    assert WORKS[name].flop / 1e9 == pytest.approx(gflop, rel=2e-3)


def test_flop_of_a_prediction_are_those_of_one_text_forward_without_padding():
    mean = 225  # of 50 to 400 words
    assert WORKS["predict"].flop == mean * 2 * 2 * (128 + 64) * 4 * 64 + 2 * 128
    assert BOTH_WAYS.step_flop(batch=32, time=400) == 3 * BOTH_WAYS.forward_flop(batch=32, time=400)


def test_a_group_stands_for_all_its_works_and_nothing_else():
    assert select(("w6", "w1")) == ["w1", "w6-lstm-1", "w6-lstm-64", "w6-gru-1", "w6-gru-64"]
    assert select(("w5",)) == ["w5"]
    assert select(("w7-jamo",)) == ["w7-jamo"]
    with pytest.raises(ValueError, match="w9"):
        select(("w9",))


def test_rows_of_one_batch_go_on_in_the_next():
    ids = np.arange(2 * 3 * 4 + 1)
    batches = data.rows(ids, batch=2, time=4)
    assert batches.shape == (3, 2, 5)
    assert np.concatenate([batch[1, :-1] for batch in batches]).tolist() == list(range(12, 24))
    assert batches[:, :, 1:].max() == 24


def test_ids_are_ranked_by_frequency_and_the_rare_share_the_last():
    assert data.ranked_ids("abbcccd", 3).tolist() == [2, 1, 1, 0, 0, 0, 2]


@pytest.mark.parametrize("name", ["w1", "w2", "w3", "words-full"])
def test_data_has_the_shape_of_the_work_also_without_real_text(name, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXSEQ_DATA", str(tmp_path / "nowhere"))
    data.prepare(name, tmp_path)
    work = WORKS[name]
    inputs, targets = np.load(tmp_path / "inputs.npy"), np.load(tmp_path / "targets.npy")
    assert inputs.shape == targets.shape == (data.BATCHES, work.batch, work.time)
    assert inputs.dtype == np.int32
    assert 0 <= inputs.min() <= inputs.max() < work.model.vocabulary
    np.testing.assert_array_equal(inputs[..., 1:], targets[..., :-1])
    assert len(np.load(tmp_path / "ids.npy")) > work.batch * work.time * (data.BATCHES if work.carried else 1)


def test_texts_have_their_padding_behind_them_and_labels_that_can_be_told(tmp_path):
    for name in ("w4", "birnn"):
        data.prepare(name, tmp_path)
        work, inputs, labels = WORKS[name], np.load(tmp_path / "inputs.npy"), np.load(tmp_path / "targets.npy")
        assert inputs.shape == (data.BATCHES, work.batch, work.time)
        assert labels.shape == (data.BATCHES, work.batch)
        assert inputs.dtype == labels.dtype == np.int32
        real = inputs != 0
        np.testing.assert_array_equal(real, np.arange(work.time) < real.sum(2, keepdims=True))
        assert work.time // 8 <= real.sum(2).min() < real.sum(2).max() <= work.time
        assert inputs.max() < work.model.vocabulary
        for label in (0, 1):
            told = (inputs == 1 + label).any(2)
            assert (labels[told] == label).all()
            assert told[labels == label].mean() > 0.9  # some are too short


def test_words_are_ranked_by_frequency_their_lines_end_in_a_word_and_the_rare_share_the_last():
    assert data.ranked_words("a b a\nc a b\n", 3).tolist() == [0, 1, 0, 2, 2, 0, 1, 2]
    assert data.words("a b\n\nc") == ["a", "b", "<eos>", "<eos>", "c"]


def test_made_up_words_stand_in_where_the_text_is_not_here(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXSEQ_DATA", str(tmp_path / "nowhere"))
    data.prepare("pieces-bpe", tmp_path)
    data.prepare("ngrams", tmp_path)
    assert len((tmp_path / "text.txt").read_text().splitlines()) > 1_000
    ids = np.load(tmp_path / "ids.npy")
    assert ids.shape == (WORKS["ngrams"].time,)
    assert len(np.unique(ids)) > 1_000


def test_quartiles_are_those_of_the_statistics_module():
    values = [3.0, 1.0, 2.0, 5.0, 4.0, 9.0]
    assert spread(values).median == statistics.median(values)
    assert spread(values) == (2.25, 3.5, 4.75)
    assert spread([7.0]) == (7.0, 7.0, 7.0)


def test_the_ratio_is_taken_within_rounds_so_that_a_slow_machine_cancels():
    result = _result({OURS: [1.0, 10.0, 1.0], "torch": [2.0, 20.0, 2.0]})
    assert ratio_between(result, OURS, "torch") == (0.5, 0.5, 0.5)


def test_our_time_is_that_of_the_default_allocator_setting_of_jaxseq():
    result = _result({OURS: [3.0], f"{OURS} +m": [1.0], "torch": [2.0]})
    assert our_label(result) == f"{OURS} +m"
    assert fastest_peer(result) == "torch"
    assert [line.label for line in lines(result)] == [f"{OURS} +m", "torch", OURS]


def test_a_tuned_peer_counts_as_the_fastest():
    result = _result({OURS: [1.0], "torch": [4.0], "torch +m": [2.0], "flax": [3.0]})
    assert fastest_peer(result) == "torch +m"
    assert fastest_peer(result, only="flax") == "flax"
    assert fastest_peer(_result({OURS: [1.0]})) is None


def test_jaxseq_on_more_devices_is_no_peer_of_jaxseq():
    result = _result({OURS: [2.0], SHARED: [1.0], "gensim": [4.0]})
    assert fastest_peer(result) == "gensim"
    (verdict,) = verdicts("vectors-cbow", result, "cpu")
    assert "takes 0.5 of the time of the fastest peer, gensim" in verdict
    assert "the target is 0.5" in verdict


def test_the_share_of_the_matmul_rate_is_flop_over_time_over_rate():
    (line,) = lines(_result({OURS: [0.5, 0.5]}, flop=20 * 10**9, rate=100.0))
    assert line.matmul_share == pytest.approx(0.4)


def test_generation_is_judged_by_its_target_against_the_plain_loop_too():
    result = _result({OURS: [0.01], "torch": [0.2], "torch-compile": [0.1]})
    fastest, target = verdicts("w6-lstm-1", result, "cpu")
    assert "0.1 of the time of the fastest peer, torch-compile" in fastest
    assert "target" not in fastest
    assert "0.05 of the time of torch" in target
    assert "the target is 0.0667" in target


def test_the_page_has_cpu_and_gpu_beside_each_other_and_the_newest_result(tmp_path):
    def write(name: str, device: str, date: str, seconds: float) -> None:
        works = {"w1": _result({f"{OURS} +m": [seconds], "torch": [2 * seconds]}, flop=WORKS["w1"].flop)}
        tree = {"device": device, "machine": {**describe(device), "date": date, "texts": "published"}, "works": works}
        (tmp_path / name).write_text(json.dumps(tree))

    write("old.json", "cpu", "2026-01-01 00:00 UTC", 9.0)
    write("new.json", "cpu", "2026-02-01 00:00 UTC", 0.2)
    write("gpu.json", "gpu", "2026-01-15 00:00 UTC", 0.004)
    page = report.as_page(report.newest(tmp_path))
    row = next(line for line in page.splitlines() if line.startswith("| jaxseq +m"))
    assert [cell.strip() for cell in row.split("|")[2:4]] == ["200", "200 to 200"]
    assert [cell.strip() for cell in row.split("|")[7:9]] == ["4", "4 to 4"]
    assert row.split("|")[11].strip() == "90"
    assert "old.json" not in page


def test_text_works_show_megabytes_a_second():
    shown = report.as_text("w7-encode", _result({OURS: [0.01], "python": [0.1]}), "cpu")
    assert "MB/s" in shown
    assert shown.splitlines()[2].split()[:2] == [OURS, "100"]


def test_a_prediction_shows_texts_a_second_the_higher_quartile_last():
    result = _result({OURS: [1 / 2000] * 3, "torch": [1 / 500, 1 / 1000, 1 / 250]})
    shown = report.as_text("predict", result, "cpu")
    assert [row.split()[:5] for row in shown.splitlines()[2:4]] == (
        [[OURS, "2,000", "2,000", "to", "2,000"], ["torch", "500", "333", "to", "667"]]
    )
    assert "texts/s" in shown
    assert "| CPU: texts/s |" in _page("predict", result)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234.4, "1,234"),
        (1e6, "1,000,000"),
        (999.7, "1,000"),
        (99.96, "100"),
        (99.94, "99.9"),
        (27.84, "27.8"),
        (4.0, "4"),
        (0.06667, "0.0667"),
        (0.0000123, "0.0000123"),
    ],
)
def test_figures_have_three_digits_and_no_exponent(value, shown):
    assert figure(value) == shown
    assert float(shown.replace(",", "")) == pytest.approx(value, rel=5e-3)


def test_no_table_shows_an_exponent():
    result = _result({OURS: [0.0008], "python": [0.8], "torch": [12.0]}, flop=5 * 10**13)
    for name in ("w1", "w7-encode"):
        text = report.as_text(name, result, "cpu")
        assert not re.search(r"\de[+-]\d", text + _page(name, result))
        assert "50,000 GFLOP" in text
    assert "1,250" in text
    assert "0.0000667" in text


def test_rates_of_words_are_in_their_columns_and_without_exponents():
    assert words.row("reviews.txt", "letters train", 2.0, 12345.67).split() == (
        ["reviews.txt", "letters", "train", "2.0", "MB/s", "12,345.7", "MB/s", "6,172.8"]
    )
    assert len(words.row("a", "filters train", 1.0, 1234.5)) == len(words.row("b" * 90, "letters encode", 9.0, 80.0))


def test_only_those_who_have_a_form_of_a_work_take_part_and_text_knows_no_allocators():
    pythons = dict.fromkeys(PEERS, "python")
    both = ("default", "tuned")
    assert {one.label for one in contestants("w7-jamo", pythons, both)} == {OURS, BEFORE, "python"}
    assert "torch-compile" not in {one.peer for one in contestants("w1", pythons, both)}
    tuned = [one.label for one in contestants("predict", pythons, both)]
    assert OURS in tuned
    assert f"{OURS} +m" not in tuned
    assert {"torch", "torch +m", "flax +m", "keras-jax +m", "keras-tensorflow +m"} <= set(tuned)
    assert "python" not in tuned
    assert {one.peer for one in contestants("words-sampled", pythons, both)} == {OURS, BEFORE, "torch"}
    assert {one.peer for one in contestants("words-bfloat16", pythons, both)} == (
        {OURS, BEFORE, "torch", "torch-bfloat16"}
    )
    assert {one.label for one in contestants("pieces-bpe", pythons, both)} == {OURS, BEFORE, "tokenizers"}
    assert len(contestants("w1", pythons, both)) == 2 * len({one.peer for one in contestants("w1", pythons, both)})


def test_a_worker_gets_only_the_allocator_settings_that_are_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "7")
    assert not TUNED.keys() & environment(PEERS["torch"], tuned=False, device="cpu", scratch=str(tmp_path)).keys()
    assert environment(PEERS["torch"], tuned=True, device="cpu", scratch=str(tmp_path)).items() >= TUNED.items()
    assert not TUNED.keys() & environment(PEERS[OURS], tuned=True, device="cpu", scratch=str(tmp_path)).keys()


def test_peak_memory_is_at_least_what_is_held_now():
    held = np.ones(50_000_000, np.uint8)
    assert peak_bytes() > held.nbytes


def test_the_check_names_a_wrong_parameter_count_start_and_course():
    good = {"parameters": SHAKESPEARE_GRU.parameters, "losses": [3.66, 3.4, 3.2]}
    flax = {**good, "parameters": check.expected_parameters(SHAKESPEARE_GRU, "flax")}
    assert check.complaints(SHAKESPEARE_GRU, {"torch": good, "flax": flax, "keras-jax": good}) == []
    strange = {"parameters": 5, "losses": [9.0, 9.0, 9.0]}
    found = check.complaints(SHAKESPEARE_GRU, {"torch": good, "flax": flax, "keras-jax": strange})
    assert [line.split()[0] for line in found] == ["keras-jax", "keras-jax", "the"]


def test_a_classifier_starts_at_chance_and_learns_at_its_own_pace():
    good = {"parameters": GRU_CLASSIFIER.parameters, "losses": [0.693, 0.66]}
    slow = {**good, "losses": [0.693, 0.4]}
    assert check.complaints(GRU_CLASSIFIER, {"keras-jax": good, "torch": slow}) == []
    strange = {**good, "losses": [9.3, 9.3]}
    start, course = check.complaints(GRU_CLASSIFIER, {"keras-jax": strange})
    assert "not ln 2" in start
    assert "does not learn" in course


def test_whose_turn_comes_first_goes_round_after_the_yardstick():
    turns = []

    class Worker:
        def __init__(self, label):
            self.label = label

        def ask(self, do, **options):
            turns.append(self.label)
            return options

    field = Field.__new__(Field)
    field.workers = {label: Worker(label) for label in ("matmul", "a", "b", "c")}
    for number in range(4):
        assert field.ask("round", first=number, calls=str.upper)["a"] == {"calls": "A"}
    assert "".join(turns).replace("matmul", " ").split() == ["abc", "bca", "cab", "abc"]


def test_probabilities_by_the_same_parameters_are_the_same():
    good = {"parameters": BOTH_WAYS.parameters, "probabilities": [0.2, 0.7, 0.9]}
    torch = {"parameters": check.expected_parameters(BOTH_WAYS, "torch"), "probabilities": [0.2001, 0.7, 0.9]}
    assert check.disagreements(BOTH_WAYS, {OURS: good, "torch": torch, "flax": good}) == []
    strange = {"parameters": 5, "probabilities": [0.2, 0.9, 0.7]}  # out of order
    count, values = check.disagreements(BOTH_WAYS, {OURS: good, "torch": torch, "flax": strange})
    assert "flax has 5 parameters" in count
    assert values == "flax is apart from the others in 2 of 3 texts, by up to 0.2"
    (unknown,) = check.disagreements(
        BOTH_WAYS, {OURS: good, "torch": torch, "flax": {**good, "probabilities": [float("nan")] * 3}}
    )
    assert unknown.startswith("flax is apart from the others in 3 of 3 texts")


def test_the_check_looks_at_the_probabilities_of_a_prediction(monkeypatch, capsys):
    found = {OURS: {"parameters": BOTH_WAYS.parameters, "probabilities": [0.25, 0.5]}}
    monkeypatch.setattr(check, "probabilities", lambda *_: found)
    assert check.run(["predict", "w6-lstm-1"], {OURS: "python"}, Settings("cpu", 1, 0.1, "python"), steps=2) == 0
    assert "probabilities 0.250 0.500" in capsys.readouterr().out


def test_the_check_counts_who_failed(monkeypatch, capsys):
    good = {"parameters": GRU_CLASSIFIER.parameters, "losses": [0.693, 0.66]}
    settings = Settings("cpu", 1, 0.1, "python")
    monkeypatch.setattr(check, "losses", lambda *_, **__: {"torch": good})
    assert check.run(["w4"], {"torch": "python"}, settings, steps=2) == 0
    assert check.run(["w4"], {OURS: "python", "torch": "python"}, settings, steps=2) == 1
    assert "WRONG: jaxseq failed" in capsys.readouterr().out
    monkeypatch.setattr(check, "losses", lambda *_, **__: {})
    assert check.run(["w4"], {OURS: "python"}, settings, steps=2) == 1
