"""What a translator makes of texts: what hangs on their content alone, and what is no text at all.

A small Transformer learns to reverse letters, so that every right answer is known.
"""

import dataclasses

import jax
import numpy as np
import pytest
from small_translators import TRANSFORMER, experiment_of, made, made_up_data, random_variables

from jaxseq.config import AdamConfig, Seq2SeqConfig
from jaxseq.data import pad_sequences, padding_mask
from jaxseq.decoding import Sampling
from jaxseq.errors import InputError
from jaxseq.runs import train_model
from jaxseq.tasks.capabilities import TranslationOptions

TEXTS = ["abc", "fedcba", "a", "hhgc"]
THREE, LOOKING = TranslationOptions(n_best=3), TranslationOptions(n_best=3, attention=True)


@pytest.fixture(scope="module")
def task():
    # As many rows cannot be shared among devices, for which such small programs only cost more.
    sizes = {"letters": 20, "most": 6, "examples": 10_000, "held_out": 64, "batch_size": 31}
    data = made_up_data(**sizes, source_length=7, target_length=7)
    return made(experiment_of(data, model=dataclasses.replace(TRANSFORMER, features=32, heads=4)))


@pytest.fixture(scope="module")
def variables(task):
    params = task.init(jax.random.key(0))["params"]
    optimizer = AdamConfig(learning_rate=5e-3, schedule="cosine", warmup_steps=20)
    return {"params": train_model(task.loss, params, task.loader("train", train=True), steps=800, optimizer=optimizer)}


@pytest.fixture(scope="module")
def likely(task):
    """(variables, texts, targets) -> log-probabilities [n, t, v] of the tokens of a target, each after those before
    it; and these tokens [n, t], which nothing stands behind."""
    logits = jax.jit(lambda variables, *ids, **masks: task.model.apply(variables, *ids, **masks))

    def likely(variables, texts, targets):
        sources = [task.tokenizers.encode_source(text) for text in texts]
        targets = [task.tokenizers.encode_target(text) for text in targets]
        (source, source_mask), (target, _) = map(padded, (sources, targets))
        made_of = np.asarray(logits(variables, source, target[:, :-1], source_mask=source_mask), float)
        return made_of - np.log(np.exp(made_of).sum(axis=-1, keepdims=True)), [ids[1:] for ids in targets]

    return likely


def padded(sequences):
    """Twelve rows of eight ids, and where they are."""
    lengths = np.zeros(12, np.int64)
    lengths[: len(sequences)] = [len(ids) for ids in sequences]
    empty = [np.zeros(0, np.int32)] * (12 - len(sequences))
    return pad_sequences([*sequences, *empty], length=8), padding_mask(lengths, length=8)


@pytest.fixture(scope="module")
def translated(task, variables):
    """(texts, options) -> translations."""
    return lambda texts=TEXTS, options=THREE: list(task.translate(variables, texts, options=options))


def test_letters_come_out_turned_around_and_each_looked_at_the_one_it_was(task, variables):
    sources = task.texts["test"]["test"].pairs.sources
    assert len({*sources}) > 40
    for text, made_of in zip(sources, task.translate(variables, sources, options=LOOKING), strict=True):
        best, *_ = made_of.hypotheses
        assert best.text == text[::-1]
        assert (list(made_of.source_tokens), list(best.tokens)) == ([*text, "<end>"], [*text[::-1], "<end>"])
        assert best.attention.shape == (len(text) + 1, len(text) + 1)
        np.testing.assert_allclose(best.attention.sum(axis=1), 1, atol=1e-5)
        anti_diagonal = np.arange(len(text))[::-1]
        np.testing.assert_array_equal(best.attention.argmax(axis=1)[:-1], anti_diagonal)


def test_a_score_is_that_of_the_same_target_read_as_in_training(variables, likely, translated):
    """Of all tokens, the end too, over the length penalty of Wu et al. (2016)."""
    found = [(made_of.text, one) for made_of in translated() for one in made_of.hypotheses]
    assert len(found) == 12
    tables, targets = likely(variables, [text for text, _ in found], [one.text for _, one in found])
    for table, ids, (_, one) in zip(tables, targets, found, strict=True):
        total = table[np.arange(len(ids)), ids].sum()
        np.testing.assert_allclose(one.log_probability, total, atol=1e-4)
        np.testing.assert_allclose(one.score, total / ((5 + len(ids)) / 6) ** 0.6, atol=1e-4)


def test_a_translation_hangs_neither_on_its_neighbours_nor_on_their_order_nor_on_how_many_are_asked_for(translated):
    together, turned = translated(), translated(TEXTS[::-1])[::-1]
    few = translated(options=TranslationOptions(beam=3))
    for text, several, same, one in zip(TEXTS, together, turned, few, strict=True):
        (alone,) = translated([text])
        assert several.text == text
        assert len(several.hypotheses) == 3
        for other in (same, alone):
            assert [each.text for each in other.hypotheses] == [each.text for each in several.hypotheses]
            scores = [[each.score for each in made_of.hypotheses] for made_of in (other, several)]
            np.testing.assert_allclose(*scores, rtol=1e-5, atol=1e-5)
        assert [each.text for each in one.hypotheses] == [several.hypotheses[0].text]
        np.testing.assert_allclose(one.hypotheses[0].score, several.hypotheses[0].score, rtol=1e-5, atol=1e-5)
        ranked = [each.score for each in several.hypotheses]
        assert ranked == sorted(ranked, reverse=True)


def test_an_empty_text_has_no_translation_and_keeps_its_place(translated):
    made_of = translated(["", "abc", " \t", *TEXTS[1:], ""])
    best = [[one.text for one in each.hypotheses[:1]] for each in made_of]
    assert best == [[], ["cba"], [], ["abcdef"], ["a"], ["cghh"], []]
    assert translated(["", ""])[1].hypotheses == []
    assert translated([]) == []


def test_a_text_longer_than_those_trained_on_is_read_whole(task, translated):
    assert task.data.source_length == 7
    long = "abcdefghabcd"
    one, other = translated([long, long[:-1] + "t"])
    assert list(one.source_tokens) == [*long, "<end>"]
    assert one.hypotheses[0].log_probability != other.hypotheses[0].log_probability


def test_a_letter_never_seen_is_told_and_the_rest_is_translated(translated):
    unknown, known, *_ = translated(["aZaäZ", *TEXTS[:3]])
    assert list(unknown.unknown) == ["Z", "ä"]
    assert list(unknown.source_tokens) == ["a", "<unk>", "a", "<unk>", "<unk>", "<end>"]
    assert len(unknown.hypotheses) == 3
    assert list(known.unknown) == []


def test_a_prefix_begins_every_hypothesis_and_these_are_distinct(translated):
    found = translated(options=dataclasses.replace(THREE, prefix="cb"))
    assert found[0].hypotheses[0].text == "cba"
    for made_of in found:
        texts = {one.text for one in made_of.hypotheses}
        assert all(text.startswith("cb") for text in texts)
        assert len(texts) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (TranslationOptions(prefix="cZ"), "the prefix has 'Z', which the vocabulary does not know: take other words"),
        (TranslationOptions(prefix="c", sampling=Sampling()), "the prefix is 'c' and translations are drawn"),
        (TranslationOptions(n_best=4), "the 4 best of a beam of 3 hypotheses cannot be given: ask for 1 to 3"),
        (TranslationOptions(prefix="abc", max_length=2), "prefix"),
        (TranslationOptions(length_penalty=11.0), "the length penalty is 11.0: give a number from -10 to 10"),
    ],
)
def test_options_that_do_not_fit_are_told(translated, options, message):
    with pytest.raises(InputError, match=message):
        translated(options=options)


def test_a_coverage_penalty_needs_a_model_with_attention():
    blind = made(experiment_of(made_up_data(), model=Seq2SeqConfig(features=4, embedding=4)))
    with pytest.raises(InputError, match=r"a coverage penalty of 0\.2 needs a model with attention"):
        list(blind.translate(random_variables(blind), ["abc"], options=TranslationOptions(coverage_penalty=0.2)))


def test_where_the_longest_translation_ends_there_are_hypotheses_all_the_same(translated):
    for text, made_of in zip(TEXTS, translated(options=dataclasses.replace(THREE, max_length=2)), strict=True):
        assert len(made_of.hypotheses) == 3
        assert max(len(one.tokens) for one in made_of.hypotheses) == 2
        assert made_of.hypotheses[0].text in (text[::-1][:2], text[::-1][:1])


def test_samples_follow_their_seed_and_the_likeliest_comes_first(translated):
    drawn = {
        seed: translated(options=TranslationOptions(n_best=3, sampling=Sampling(temperature=3.0), seed=seed))
        for seed in (1, 2)
    }
    again = translated(options=TranslationOptions(n_best=3, sampling=Sampling(temperature=3.0), seed=1))
    texts = {seed: [[one.text for one in each.hypotheses] for each in made_of] for seed, made_of in drawn.items()}
    assert [[one.text for one in each.hypotheses] for each in again] == texts[1] != texts[2]
    for made_of in drawn[1]:
        likely = [one.log_probability for one in made_of.hypotheses]
        assert likely == sorted(likely, reverse=True)
        assert not any(one.certified for one in made_of.hypotheses)


@pytest.mark.parametrize("sampling", [None, Sampling(temperature=3.0)])
def test_what_stands_for_no_text_never_comes_out(task, variables, likely, sampling):
    """Here <pad>, <unk> and <start> are likelier than any letter wherever "a" is likely."""
    target = task.tokenizers.target
    names = target.vocabulary.symbols
    silent = [names.index("<pad>"), names.index("<unk>"), target.start]
    embedding = np.array(variables["params"]["embedding"])
    embedding[silent] = 4 * embedding[names.index("a")]
    changed = {"params": {**variables["params"], "embedding": embedding}}
    tables, _ = likely(changed, ["cba"], [""])
    assert tables[0, 0].argmax() in silent
    options = TranslationOptions(n_best=3, sampling=sampling)
    for made_of in task.translate(changed, ["cba", "fea", "aaa", "a"], options=options):
        assert len(made_of.hypotheses) == 3
        for one in made_of.hypotheses:
            assert not {names[id] for id in silent} & {*one.tokens}
