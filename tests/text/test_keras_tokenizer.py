"""Keras's legacy Tokenizer as the oracle: ids, texts, counts and JSON, on made-up and on real texts."""

import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jaxseq.errors import InputError
from jaxseq.text import (
    WordCounts,
    WordOptions,
    WordTokenizer,
    count_words,
    fit_keras_tokenizer,
    keras_json,
    read_keras_json,
    tokenizer_from_json,
)

# Published by Keras 3.15.1: Tokenizer(num_words=4, oov_token="<OOV>"), fitted on "To be, or not to be." and "Be!"; the
# words of a text in word_docs in the order of a set, which changes with Python's hash seed.
GOLDEN = (
    r'{"class_name": "Tokenizer", "config": {"num_words": 4, "filters": "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n", '
    r'"lower": true, "split": " ", "char_level": false, "oov_token": "<OOV>", "document_count": 2, '
    r'"word_counts": "{\"to\": 2, \"be\": 3, \"or\": 1, \"not\": 1}", '
    r'"word_docs": "{\"to\": 1, \"be\": 2, \"or\": 1, \"not\": 1}", '
    r'"index_docs": "{\"3\": 1, \"2\": 2, \"4\": 1, \"5\": 1}", '
    r'"index_word": "{\"1\": \"<OOV>\", \"2\": \"be\", \"3\": \"to\", \"4\": \"or\", \"5\": \"not\"}", '
    r'"word_index": "{\"<OOV>\": 1, \"be\": 2, \"to\": 3, \"or\": 4, \"not\": 5}"}}'
)

SETTINGS = st.fixed_dictionaries(
    {
        "num_words": st.none() | st.integers(2, 8),
        "filters": st.sampled_from(["", ".,", "B.", "é"]),
        "lower": st.booleans(),
        "split": st.sampled_from([" ", ".", "ab"]),
        "char_level": st.booleans(),
        "oov_token": st.none() | st.just("<OOV>"),
    }
)
TEXTS = st.lists(st.text("aAbB .,é가Σ", max_size=20), max_size=6)


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras.src.legacy.preprocessing.text")


def require_equal(theirs, texts, others, **chosen):
    """That ours, with the settings `chosen`, does as their fitted tokenizer."""
    tokenizer, counts = fit_keras_tokenizer(texts, **chosen)
    assert dict(counts.words) == dict(theirs.word_counts)
    assert list(counts.words) == list(theirs.word_counts)
    assert counts.documents == theirs.word_docs
    assert counts.texts == theirs.document_count == len(texts)
    sequences = theirs.texts_to_sequences([*texts, *others])
    assert [ids.tolist() for ids in tokenizer.encode_texts([*texts, *others])] == sequences
    assert [tokenizer.encode(text).tolist() for text in (*texts[:300], *others)] == (
        sequences[:300] + sequences[len(texts) :] if len(texts) > 300 else sequences
    )
    size = len(theirs.word_index) + 1
    assert tokenizer.vocabulary_size == min(size, chosen.get("num_words") or size)
    inside = [list(range(1, tokenizer.vocabulary_size)), *sequences[:100]]
    assert [tokenizer.decode(ids) for ids in inside] == theirs.sequences_to_texts(inside)
    return tokenizer, counts


def same_json(ours, theirs):
    """Whether they are the same to the letter, but for the order of words in a document, which is a set's in Keras."""
    if ours == theirs:
        return True
    one, two = json.loads(ours), json.loads(theirs)
    assert list(one) == list(two)
    assert list(one["config"]) == list(two["config"])
    nested = ("word_docs", "index_docs")
    loose = [{**tree["config"], **{name: json.loads(tree["config"][name]) for name in nested}} for tree in (one, two)]
    return loose[0] == loose[1]


@settings(deadline=None, max_examples=300)
@given(TEXTS, TEXTS, SETTINGS)
def test_any_settings_on_any_texts(keras, texts, others, chosen):
    theirs = keras.Tokenizer(**chosen)
    theirs.fit_on_texts(texts)
    assume(theirs.word_counts)
    tokenizer, counts = require_equal(theirs, texts, others, **chosen)
    # Ours is read by Keras, and theirs by us.
    ours = keras_json(tokenizer, counts)
    assert same_json(ours, theirs.to_json())
    again = keras.tokenizer_from_json(ours)
    assert again.texts_to_sequences(others) == theirs.texts_to_sequences(others)
    assert again.to_json() == ours
    read, read_counts = read_keras_json(theirs.to_json())
    assert read == tokenizer
    assert read_counts == counts
    assert keras_json(read, read_counts) == theirs.to_json()


@pytest.mark.parametrize("chosen", [{}, {"num_words": 2000, "oov_token": "<OOV>"}, {"filters": "", "lower": False}])
def test_english_film_reviews(keras, films, chosen):
    compare_on(keras, films[:600], films[600:700], chosen)


@pytest.mark.parametrize("chosen", [{}, {"num_words": 5000, "oov_token": "<OOV>"}, {"char_level": True}])
def test_korean_film_reviews(keras, korean_films, chosen):
    compare_on(keras, korean_films[:5000], korean_films[5000:5500], chosen)


def compare_on(keras, texts, others, chosen):
    theirs = keras.Tokenizer(**chosen)
    theirs.fit_on_texts(texts)
    tokenizer, counts = require_equal(theirs, texts, others, **chosen)
    assert same_json(keras_json(tokenizer, counts), theirs.to_json())
    assert read_keras_json(theirs.to_json())[0] == tokenizer
    whole = " ".join(texts)
    assert tokenizer.encode(whole).tolist() == theirs.texts_to_sequences([whole])[0]


def test_golden_json():
    tokenizer, counts = fit_keras_tokenizer(["To be, or not to be.", "Be!"], num_words=4, oov_token="<OOV>")
    assert keras_json(tokenizer, counts) == GOLDEN
    assert read_keras_json(GOLDEN) == (tokenizer, counts)
    assert tokenizer.vocabulary_size == 4
    assert tokenizer.encode("Not to be").tolist() == [1, 3, 2]
    assert tokenizer.decode([1, 3, 2]) == "<OOV> to be"


def test_the_way_through_our_json_keeps_all_settings():
    tokenizer, counts = read_keras_json(GOLDEN)
    assert keras_json(WordTokenizer.from_json(tokenizer.to_json()), counts) == GOLDEN
    assert tokenizer_from_json(tokenizer.to_json()) == tokenizer


def test_the_hashing_trick_is_a_tokenizer_without_words(keras, films):
    options = WordOptions(max_words=0, unknown="buckets", buckets=999)
    tokenizer = WordTokenizer.train(films[:1], normalize=("lowercase",), options=options)
    assert tokenizer.vocabulary_size == 1000
    for text in films[:20]:
        assert tokenizer.encode(text).tolist() == keras.hashing_trick(text, 1000, hash_function="md5")


def test_the_name_of_the_unknown_word_in_a_text_is_no_unknown_word(keras):
    texts = ["<OOV> is here", "<OOV> and there"]
    theirs = keras.Tokenizer(filters="", lower=False, oov_token="<OOV>")
    theirs.fit_on_texts(texts)
    assert theirs.texts_to_sequences(["<OOV> nowhere"]) == [[2, 2]]  # one id for both
    tokenizer, counts = fit_keras_tokenizer(texts, filters="", lower=False, oov_token="<OOV>")
    assert tokenizer.encode("<OOV> nowhere").tolist() == [2, 1]
    with pytest.raises(InputError, match="'<OOV>' is a word of the text"):
        keras_json(tokenizer, counts)
    with pytest.raises(InputError, match="oov_token '<OOV>' of a Keras tokenizer is a word of its text too"):
        read_keras_json(theirs.to_json())


def test_padding_is_decoded_to_nothing():
    tokenizer, _ = fit_keras_tokenizer(["to be"], oov_token="<OOV>")
    assert tokenizer.decode([0, 0, 2, 3, 0]) == "to be"


@pytest.mark.parametrize(
    ("options", "normalize", "message"),
    [
        ({"splitter": "treebank"}, (), "cannot have 'treebank' for a splitter"),
        ({"unknown": "buckets", "buckets": 2}, (), "cannot have 'buckets' for unknown words"),
        ({"padding": False}, (), "cannot have False for padding"),
        ({"min_count": 2}, (), "cannot have 2 for min_count"),
        ({}, ("nfc", "lowercase"), "cannot have ['nfc', 'lowercase'] for normalisers"),
    ],
)
def test_what_keras_has_no_place_for_is_refused(options, normalize, message):
    options = WordOptions(**options)
    counts = count_words(["to be to be"], normalize=normalize, how=options.how)
    tokenizer = WordTokenizer.from_counts(counts, normalize=normalize, options=options)
    with pytest.raises(InputError) as caught:
        keras_json(tokenizer, counts)
    assert message in str(caught.value)


def test_counts_of_another_text_are_refused():
    with pytest.raises(InputError, match="the words of the tokenizer are not the most frequent of these counts"):
        keras_json(WordTokenizer(("be", "to")), WordCounts({"to": 2, "be": 1}, {}, 1))


def changed(**fields):
    tree = json.loads(GOLDEN)
    tree["config"] |= fields
    return json.dumps(tree)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "this is no JSON of a Keras tokenizer"),
        ("[" * 100_000, "this is no JSON of a Keras tokenizer"),
        ("[]", "a Keras tokenizer in JSON must be an object"),
        ('{"class_name": "Tokenizer", "config": {}}', "the config of a Keras tokenizer in JSON lacks 'num_words'"),
        (changed(more=1), "has a strange field 'more'"),
        (changed(num_words="4"), "num_words of a Keras tokenizer is '4': give a int"),
        (changed(num_words=1), "num_words of a Keras tokenizer is 1: ids below it are needed"),
        (changed(num_words=-1), "num_words of a Keras tokenizer is -1"),
        (changed(lower=1), "lower of a Keras tokenizer is 1"),
        (changed(split=""), "split of a word tokenizer is ''"),
        (changed(filters=None), "filters of a word tokenizer is None"),
        (changed(document_count=None), "document_count of a Keras tokenizer is None"),
        (changed(word_counts={}), "word_counts of a Keras tokenizer is no JSON in a text"),
        (changed(word_counts="[]"), "word_counts of a Keras tokenizer must map words to numbers above 0"),
        (changed(word_counts='{"to": 0}'), "must map words to numbers above 0"),
        (changed(word_counts="{}", word_index="{}"), "does not rank the words of word_counts: fit it on texts"),
        (changed(word_index='{"<OOV>": 1, "be": 3, "to": 2, "or": 4, "not": 5}'), "does not rank the words"),
        (changed(oov_token="be"), "oov_token 'be' of a Keras tokenizer is a word of its text too"),
    ],
)
def test_json_that_is_no_keras_tokenizer_is_refused_in_one_line(text, message):
    with pytest.raises(InputError) as caught:
        read_keras_json(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_any_value_in_place_of_any_other_is_a_tokenizer_or_one_line():
    values = [None, True, 0, -1, 1.5, "", "a", "[]", "{}", '{"a": 1}', '{"": 1}', [], {}, '{"be": "be"}']
    refused = [result(changed(**{name: value})) for name in json.loads(GOLDEN)["config"] for value in values]
    lines = [str(error) for error in refused if error is not None]
    assert len(lines) > 80
    assert not [line for line in lines if "\n" in line]


def result(text):
    try:
        read_keras_json(text)
    except InputError as error:
        return error
    return None
