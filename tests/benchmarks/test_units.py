"""The command that compares units of Korean text: its sizes, its texts, what it counts, and its tables."""

import json
import math

import jax
import pytest

from benchmarks.units import experiments
from benchmarks.units.experiments import PARAMETERS, TOKENIZERS, experiment
from benchmarks.units.page import draw, page
from benchmarks.units.results import Result
from benchmarks.units.tables import classifier_table, language_model_table, tables
from benchmarks.units.texts import Counts, Texts, count_syllables, prepare, spacing_bits
from benchmarks.units.unknown import CODE_POINT_BITS, count_tokens
from benchmarks.units.widths import (
    classifier_parameters,
    classifier_widths,
    language_model_parameters,
    language_model_width,
)
from jaxseq.config import ClassificationConfig, RNNConfig
from jaxseq.errors import InputError
from jaxseq.runs import load_run
from jaxseq.tasks import LanguageModeling, build_model, init_params
from jaxseq.tasks.classification.classifiers import build_classifier, init_classifier
from jaxseq.tasks.task import Workspace
from jaxseq.text import BytePairTokenizer, CharTokenizer, WordOptions, WordTokenizer
from jaxseq.text.morphemes import Morpheme

VOCABULARIES = (180, 2_100, 5_000, 5_002)


def size(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_classifiers_of_every_vocabulary_have_the_same_number_of_parameters_within_1_percent(vocabulary):
    embedding, state = classifier_widths(vocabulary, parameters=PARAMETERS["classifier"])
    model = build_classifier(
        ClassificationConfig(pooling=("max", "mean")),
        RNNConfig(cell="lstm", features=state, bidirectional=True, embedding=embedding),
        vocabulary_size=vocabulary,
        classes=2,
        length=10,
    )
    real = size(jax.eval_shape(lambda: init_classifier(model, jax.random.key(0)))["params"])
    assert classifier_parameters(vocabulary, embedding, state) == real
    assert real == pytest.approx(PARAMETERS["classifier"], rel=0.01)
    assert abs(embedding - state) <= 4


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_language_models_of_every_vocabulary_have_the_same_number_of_parameters_within_1_percent(vocabulary):
    width = language_model_width(vocabulary, parameters=PARAMETERS["language_model"])
    section = RNNConfig(cell="lstm", features=width, embedding=width, tie_embedding=True)
    model = build_model(section, vocabulary_size=vocabulary)
    real = size(jax.eval_shape(lambda: init_params(model, seed=0)))
    assert language_model_parameters(vocabulary, width) == real
    assert real == pytest.approx(PARAMETERS["language_model"], rel=0.01)


def test_syllables_are_those_of_unicodes_block():
    assert count_syllables("가힣") == 2
    assert count_syllables("ㅋㅋ ㅏ 漢字 abc \uabff\ud7a4\n") == 0


def test_spaces_cost_what_the_tags_beside_them_leave_open():
    def text(gap):
        return [Morpheme("너무", "MAG", 0, 2), Morpheme("좋", "VA", 2 + gap, 3 + gap)]

    seen = [text(1), text(1), text(0)]
    assert spacing_bits(seen, [text(1)]) == pytest.approx(-math.log2(3 / 5))
    assert spacing_bits(seen, [text(0), text(1)]) == pytest.approx(-math.log2(2 / 5) - math.log2(3 / 5))
    assert spacing_bits([], [text(0)]) == 1
    assert spacing_bits(seen, [text(1)[:1]]) == 0


def test_unknown_tokens_are_counted_and_spelled():
    characters = CharTokenizer.train("가가나나다", min_count=2)
    assert count_tokens(characters, ["가다라", "나"]) == (4, 2, 2)
    options = WordOptions(splitter="lines", unknown="unk")
    morphemes = WordTokenizer(("영화/NNG", "\n"), options)
    assert count_tokens(morphemes, ["영화/NNG 배우/NNG\n\\u002f/SP 배우/NNG\n"]) == (6, 3, 3 + 2 + 3)
    pieces = BytePairTokenizer.train("영화 영화", size=260)
    assert count_tokens(pieces, ["배우"]) == (6, 0, 0)


def result(kind, unit, seed, score, **fields):
    common = {"vocabulary": 1000, "embedding": 8, "state": 9, "parameters": 12_345, "seconds": 90.0}
    return Result(kind, unit, seed, **{**common, "score": score, "tokens": 400, "unknown": 0} | fields)


COUNTS = Counts(syllables=100, characters=200, spacing_bits=50.0)


def made_up_results():
    lacking = {"unknown": 4, "unknown_characters": 10}
    results = [
        result("classifier", unit, seed, score, unknown_characters=0)
        for unit in TOKENIZERS
        for seed, score in enumerate((0.8, 0.82))
    ]
    results += [
        result(
            "language_model", unit, seed, score, **({"unknown_characters": 0} | (lacking if unit != "pieces" else {}))
        )
        for unit in TOKENIZERS
        for seed, score in enumerate((300.0, 500.0))
    ]
    return results


def test_the_tables_have_a_line_for_each_unit_with_mean_and_deviation():
    accuracy, bits = (table.splitlines() for table in tables(made_up_results(), COUNTS).split("\n\n"))
    size = "1,000 | 8 | 9 | 12,345 | 400"
    assert accuracy[2] == f"| jamo | {size} | 0.00% | 81.00 ± 1.41 % | 1.5 |"
    assert [line.split(" | ")[0] for line in accuracy[2:]] == [f"| {unit}" for unit in TOKENIZERS]
    by_unit = {line.split(" | ")[0].strip("| "): line.split(" | ")[6:11] for line in bits[2:]}
    code_points = f"{4 + 10 * CODE_POINT_BITS / 100:.3f} ± 1.414"
    assert by_unit["syllables"][:4] == ["1.00%", "4.000 ± 1.414", code_points, code_points]
    assert by_unit["pieces"] == ["0.00%", *["4.000 ± 1.414"] * 3, "2.000 ± 0.707"]
    # A character costs 400 bits of 200 in the mean; the spaces are 50 bits for 100 syllables.
    assert by_unit["morphemes"] == ["1.00%", "4.000 ± 1.414", "4.200 ± 1.414", "4.700 ± 1.414", "2.350 ± 0.707"]


def test_the_page_holds_the_tables_and_what_they_are_of_and_the_picture_is_one(tmp_path):
    results = made_up_results()
    made = page(results, COUNTS)
    assert classifier_table(results) in made
    assert language_model_table(results, COUNTS) in made
    assert "The 16 trainings took 0.4" in made
    assert "over\n2 seeds" in made
    draw(results, COUNTS, tmp_path / "units.png")
    assert (tmp_path / "units.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def texts(tmp_path):
    """Few and short ones, as `prepare` has them; what they say of morphemes is made up."""
    made = Texts(tmp_path / "texts")
    for tagged, lines in ((False, ["영화를 봤다", "ㅋㅋ 최고"]), (True, ["영화/NNG 를/JKO", "최고/NNG"])):
        made.running("train", tagged=tagged).parent.mkdir(parents=True)
        for part in ("train", "test"):
            made.running(part, tagged=tagged).write_text("\n".join([*lines, ""]) * 160, encoding="utf-8")
            rows = [f"{line}\t{label}\n" for label, line in enumerate(lines)] * 80
            made.reviews(part, tagged=tagged).write_text("".join(["document\tlabel\n", *rows]), encoding="utf-8")
    counts = {"syllables": 1120, "characters": 2080, "spacing_bits": 0.0}
    (made.folder / "counts.json").write_text(json.dumps(counts))
    return made


@pytest.mark.parametrize("unit", TOKENIZERS)
@pytest.mark.parametrize("kind", PARAMETERS)
def test_models_of_a_unit_read_it_and_differ_between_seeds_in_the_seed_alone(texts, tmp_path, kind, unit):
    first, second = (experiment(tmp_path, texts, kind, unit, seed=seed) for seed in (0, 1))
    assert (first.task, first.data, first.model, first.optimizer) == (
        second.task,
        second.data,
        second.model,
        second.optimizer,
    )
    assert (first.train.seed, second.train.seed) == (0, 1)
    assert (tmp_path / f"{kind}_{unit}.json").exists()


def test_windows_of_all_units_hold_as_much_text(texts, tmp_path):
    lengths = {unit: experiment(tmp_path, texts, "language_model", unit, seed=0).data.length for unit in TOKENIZERS}
    assert lengths["syllables"] == 60
    assert lengths["morphemes"] == round(60 * 5 / 13)  # two lines: three morphemes and two ends, 13 characters


def test_a_language_model_is_trained_measured_and_not_made_again(texts, tmp_path, monkeypatch):
    from benchmarks.units import trainings

    monkeypatch.setattr(experiments, "PARAMETERS", {"language_model": 500})
    once = trainings.measured(tmp_path, texts, "language_model", "syllables", seed=1)
    assert once.parameters == language_model_parameters(once.vocabulary, once.state)
    assert once.tokens == 2080
    run = load_run(tmp_path / "trained" / "language_model_syllables_1")
    task = LanguageModeling.create(run.experiment, Workspace(artifacts=run.task.artifacts()))
    nats = -task.token_log_probabilities(run.variables, "test", rows=32).mean()
    assert once.score == pytest.approx(2080 * nats / math.log(2), rel=1e-5)

    def fails(*args, **options):
        raise AssertionError("trained again")

    monkeypatch.setattr(trainings, "train_run", fails)
    assert trainings.measured(tmp_path, texts, "language_model", "syllables", seed=1) == once


def test_texts_are_the_same_raw_and_tagged_line_by_line(tmp_path):
    pytest.importorskip("kiwipiepy")
    for part in ("train", "test"):
        rows = "1\t영화를 봤다\t1\n2\t\t0\n3\t최고\t1\n"
        (tmp_path / f"ratings_{part}.txt").write_text(f"id\tdocument\tlabel\n{rows}", encoding="utf-8")
    (tmp_path / "running.txt").write_text("너무 좋았다\n" * 80, encoding="utf-8")
    told = []
    sources = {"reviews": str(tmp_path / "ratings_*.txt"), "running": str(tmp_path / "running.txt")}
    made = prepare(tmp_path / "made", **sources, tell=told.append)
    assert len(told) == 2
    assert made.reviews("test", tagged=False).read_text("utf-8").splitlines()[1:] == [
        "영화를 봤다\t1",
        "\t0",
        "최고\t1",
    ]
    tagged = made.reviews("train", tagged=True).read_text("utf-8").splitlines()
    assert tagged[1:] == ["영화/NNG 를/JKO 보/VV 었/EP 다/EF\t1", "\t0", "최고/NNG\t1"]
    for is_tagged in (False, True):
        lines = [
            len(made.running(part, tagged=is_tagged).read_text("utf-8").splitlines()) for part in ("train", "test")
        ]
        assert lines == [36, 4]
    # After 너무/MAG a space stood 36 times of 36, after 좋/VA and 었/EP none.
    bits = 4 * 3 * -math.log2(37 / 38)
    assert made.counts == Counts(syllables=20, characters=28, spacing_bits=pytest.approx(bits))
    prepare(tmp_path / "made", **sources, tell=told.append)
    assert len(told) == 2


def test_reviews_without_a_test_part_are_refused_in_one_line(tmp_path):
    (tmp_path / "ratings_train.txt").write_text("id\tdocument\tlabel\n1\t최고\t1\n2\t최악\t0\n", encoding="utf-8")
    with pytest.raises(InputError, match="has no test part: give a glob"):
        prepare(tmp_path, reviews=str(tmp_path / "ratings_train.txt"), running="", tell=print)
