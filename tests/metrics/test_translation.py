"""BLEU, chrF and exact matches: figures of sacrebleu's own documentation, small cases by hand, and plain loops."""

import math
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.errors import InputError
from jaxseq.metrics.metric import choose_metric
from jaxseq.metrics.translation import (
    TRANSLATION_METRICS,
    bleu,
    chrf,
    exact_match,
    tokenization_for,
    translation_scores,
)

pytest.importorskip("sacrebleu")

# The example of sacrebleu's README, with its figures.
HYPOTHESES = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
REFERENCES = [
    ["The dog bit the man.", "The dog had bit the man."],
    ["It was not unexpected.", "No one was surprised."],
    ["The man bit him first.", "The man had bitten the dog."],
]
SENTENCES = st.lists(st.sampled_from("abc"), min_size=1, max_size=7).map(" ".join)
CORPORA = st.lists(st.tuples(SENTENCES, SENTENCES), min_size=1, max_size=6)


def test_the_figures_are_those_of_sacrebleus_documentation():
    assert bleu(hypotheses=HYPOTHESES, references=REFERENCES).value == pytest.approx(48.53, abs=5e-3)
    assert chrf(hypotheses=HYPOTHESES, references=REFERENCES).value == pytest.approx(59.73, abs=5e-3)


def test_bleu_by_hand():
    one = bleu(hypotheses=["a b c d e"], references=["a b c d f"])
    assert one.value == pytest.approx(100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4))
    short = bleu(hypotheses=["a b c d"], references=["a b c d e"])
    assert short.value == pytest.approx(100 * math.exp(1 - 5 / 4))


def test_a_corpus_is_scored_at_once_and_is_no_mean_of_sentences():
    both = bleu(hypotheses=["a b c d e", "a b c d"], references=["a b c d f", "a b c d e"])
    precisions = 8 / 9 * 6 / 7 * 4 / 5 * 2 / 3
    assert both.value == pytest.approx(100 * precisions ** (1 / 4) * math.exp(1 - 10 / 9))


def ngrams(items, n):
    return Counter(tuple(items[at : at + n]) for at in range(len(items) - n + 1))


def plain_bleu(pairs):
    words = [(one.split(), other.split()) for one, other in pairs]
    made, wanted = (sum(len(pair[side]) for pair in words) for side in (0, 1))
    logs, halvings = [], 1
    for n in range(1, 5):
        counts = [(ngrams(one, n), ngrams(other, n)) for one, other in words]
        hits = sum((one & other).total() for one, other in counts)
        total = sum(one.total() for one, _ in counts)
        if not total or (n == 1 and not hits):
            return 0.0
        if not hits:  # mteval-v13a halves it once more for each order without a hit
            halvings *= 2
        logs.append(math.log(hits / total if hits else 1 / (halvings * total)))
    return 100 * min(1, math.exp(1 - wanted / made)) * math.exp(sum(logs) / 4)


def plain_chrf(pairs):
    joined = [("".join(one.split()), "".join(other.split())) for one, other in pairs]
    precisions, recalls = [], []
    for n in range(1, 7):
        counts = [(ngrams(one, n), ngrams(other, n)) for one, other in joined]
        hits = sum((one & other).total() for one, other in counts)
        # Where a reference is too short for n-grams, those of its hypothesis do not count.
        made = sum(one.total() for one, other in counts if other)
        wanted = sum(other.total() for _, other in counts)
        if made and wanted:
            precisions.append(hits / made)
            recalls.append(hits / wanted)
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return 100 * 5 * precision * recall / (4 * precision + recall) if precision + recall else 0.0


@settings(deadline=None, max_examples=60)
@given(CORPORA)
def test_figures_are_those_of_plain_loops(pairs):
    hypotheses, references = zip(*pairs, strict=True)
    assert bleu(hypotheses=hypotheses, references=references, tokenize="none").value == pytest.approx(plain_bleu(pairs))
    assert chrf(hypotheses=hypotheses, references=references).value == pytest.approx(plain_chrf(pairs))
    equal = sum(one == other for one, other in pairs)
    assert exact_match(hypotheses=hypotheses, references=references).value == pytest.approx(100 * equal / len(pairs))


def test_hypotheses_and_references_are_named_and_no_matter_of_order():
    with pytest.raises(TypeError):
        bleu(["a b c d"], ["a b c d e"])  # type: ignore[misc]
    assert bleu(hypotheses=["a b c d"], references=["a b c d e"]).value < 78
    assert bleu(hypotheses=["a b c d e"], references=["a b c d"]).value > 66


def test_two_words_that_are_right_score_0_and_it_is_said_why():
    scores = translation_scores(hypotheses=["two words"], references=["two words"])
    assert scores.summary() == {"bleu": 0.0, "chrf": pytest.approx(100), "exact": 100.0}
    assert "no hypothesis has 4 words" in scores.bleu.remark
    assert "see chrF" in str(scores)
    assert "every hypothesis is empty" in bleu(hypotheses=[""], references=["a b"]).remark
    assert "no word" in bleu(hypotheses=["a b c d"], references=["e f g h"]).remark
    assert not bleu(hypotheses=["a b c d"], references=["a b c d"]).remark


def test_the_signature_says_how_it_was_measured():
    score = bleu(hypotheses=["A b c d"], references=["a b c d"], lowercase=True)
    assert score.signature.startswith("nrefs:1|case:lc|eff:no|tok:13a|smooth:exp|version:2.")
    assert score.value == pytest.approx(100)
    assert bleu(hypotheses=["A b c d"], references=["a b c d"]).value < 80
    assert "case:mixed" in str(chrf(hypotheses=["a"], references=["a"]))
    assert "|nw:2|" in chrf(hypotheses=["a"], references=["a"], word_order=2).signature
    assert exact_match(hypotheses=["A"], references=["a"], lowercase=True) == (
        "exact",
        100,
        "nrefs:1|case:lc|space:no",
        "",
    )


def test_sentences_may_have_different_numbers_of_references():
    score = bleu(hypotheses=["a b c d", "e f g h"], references=[["x", "a b c d"], "e f g h"])
    assert score.value == pytest.approx(100)
    assert score.signature.startswith("nrefs:var|")
    assert exact_match(hypotheses=["b"], references=[["a", "b"]]).value == 100


def test_words_that_a_tokenizer_joined_by_spaces_match_exactly_and_other_letters_do_not():
    references = ["santa claus: medium-dark skin tone", "산타클로스: 진한 갈색 피부"]
    joined = ["santa claus : medium - dark skin tone", "산타클로스 : 진한 갈색 피부"]
    assert exact_match(hypotheses=joined, references=references).value == 100
    assert exact_match(hypotheses=[joined[0], "산타클로스 : 갈색 피부"], references=references).value == 50


def test_a_language_has_its_tokenization_and_the_result_says_it():
    assert [tokenization_for(name) for name in ("de", "", "zh-CN", "ko_KR", "JA")] == [
        *("13a", "13a", "zh"),
        *("char", "char"),
    ]
    scores = translation_scores(hypotheses=["나는 간다"], references=["나는 간다"], tokenize=tokenization_for("ko"))
    assert "tok:char" in scores.bleu.signature
    assert "of characters" in scores.bleu.remark
    assert scores.bleu.value == pytest.approx(100)


def test_tokenized_bleu_takes_tokens_as_they_are_and_tokenized_text_is_noticed_elsewhere():
    given = {"hypotheses": ["it 's a dog ."], "references": ["it 's a cat ."]}
    plain, tokenized = bleu(**given), bleu(**given, tokenize="none")
    assert "look tokenized" in plain.remark
    assert "same tokenizer" in tokenized.remark
    assert tokenized.value == pytest.approx(100 * (4 / 5 * 2 / 4 * 1 / 3 * 1 / (2 * 2)) ** (1 / 4))


@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        ([], [], "there are no hypotheses"),
        (["a"], ["a", "b"], "1 hypotheses and references of 2 sentences"),
        ("a", ["a"], "lists of sentences"),
        (["a", None], ["a", "b"], "hypothesis 1 is None"),
        (["a"], [[]], "the references of sentence 0"),
        (["a"], [[None]], "the references of sentence 0"),
    ],
)
def test_what_cannot_be_scored_is_one_line(hypotheses, references, message):
    for metric in (bleu, chrf, exact_match, translation_scores):
        with pytest.raises(InputError, match=message) as caught:
            metric(hypotheses=hypotheses, references=references)
        assert "\n" not in str(caught.value)


def test_what_is_missing_is_named(monkeypatch):
    with pytest.raises(InputError, match="choose 13a, intl"):
        bleu(hypotheses=["a"], references=["a"], tokenize="flores200")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="word_order is -1"):
        chrf(hypotheses=["a"], references=["a"], word_order=-1)
    monkeypatch.setitem(sys.modules, "mecab_ko", None)
    with pytest.raises(InputError, match=r"pip install 'sacrebleu\[ko\]'"):
        bleu(hypotheses=["a"], references=["a"], tokenize="ko-mecab")
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(InputError, match=r"pip install 'jaxseq\[translation\]'"):
        bleu(hypotheses=["a"], references=["a"])


def test_each_can_select_the_checkpoint():
    assert [choose_metric(TRANSLATION_METRICS, name).is_better(41.0, 38.0) for name in ("bleu", "chrf", "exact")] == [
        True,
        True,
        True,
    ]
    names = translation_scores(hypotheses=["a"], references=["a"]).summary()
    assert list(names) == [metric.name for metric in TRANSLATION_METRICS]
