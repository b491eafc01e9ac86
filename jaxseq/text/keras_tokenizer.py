"""Keras's legacy `Tokenizer` (keras.preprocessing.text.Tokenizer until Keras 3): its semantics, and its JSON both ways.

Where jaxseq differs, it is on purpose. An unknown word's id is never that of a word: Keras gives both one id where the
text holds `oov_token` itself. Padding is decoded to nothing, where Keras writes `oov_token` for it.
"""

import json
import reprlib
from collections.abc import Iterable
from typing import Any

from jaxseq.errors import InputError
from jaxseq.text.splitters import FILTERS
from jaxseq.text.vocab import json_fields
from jaxseq.text.word_counts import WordCounts, count_words
from jaxseq.text.word_options import WordOptions
from jaxseq.text.words import WordTokenizer

_SETTINGS = ("num_words", "filters", "lower", "split", "char_level", "oov_token")
_COUNTS = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
_WHAT = "a Keras tokenizer"


def fit_keras_tokenizer(
    texts: Iterable[str],
    *,
    num_words: int | None = None,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    char_level: bool = False,
    oov_token: str | None = None,
) -> tuple[WordTokenizer, WordCounts]:
    """What `Tokenizer(num_words, filters, ...)` is after `fit_on_texts(texts)`, and its counts.

    `encode` is then `texts_to_sequences`, `decode` is `sequences_to_texts`, each of one text.

    Raises:
        InputError: there is no word, or a setting is impossible.
    """
    normalize, options = _settings(
        {
            "num_words": num_words,
            "filters": filters,
            "lower": lower,
            "split": split,
            "char_level": char_level,
            "oov_token": oov_token,
        }
    )
    counts = count_words(texts, normalize=normalize, how=options.how)
    return WordTokenizer.from_counts(counts, normalize=normalize, options=options), counts


def keras_json(tokenizer: WordTokenizer, counts: WordCounts) -> str:
    """The JSON of a Keras tokenizer with the same ids: what its `to_json` writes.

    Raises:
        InputError: Keras has no place for a setting of `tokenizer`; or its words are not the most frequent of `counts`.
    """
    options, names = tokenizer.options, tokenizer.normalizers
    for value, place, fits in (
        (list(names), "normalisers", names in ((), ("lowercase",))),
        (options.splitter, "a splitter", options.splitter in ("filters", "characters")),
        (options.unknown, "unknown words", options.unknown in ("unk", "drop")),
        (options.padding, "padding", options.padding),
        (options.min_count, "min_count", options.min_count == 1),
    ):
        if not fits:
            raise InputError(f"{_WHAT} cannot have {reprlib.repr(value)} for {place}: save the tokenizer as it is")
    oov_token = options.unknown_text if options.unknown == "unk" else None
    ranking = _ranking(counts)
    if tuple(ranking[: options.max_words]) != tokenizer.words:
        raise InputError("the words of the tokenizer are not the most frequent of these counts: give those it has")
    if oov_token in counts.words:
        raise InputError(f"{oov_token!r} is a word of the text: {_WHAT} needs another name for unknown words")
    words = ranking if oov_token is None else [oov_token, *ranking]
    ids = {word: index for index, word in enumerate(words, 1)}
    config = {
        "num_words": None if options.max_words is None else options.max_words + options.reserved,
        "filters": options.filters,
        "lower": names == ("lowercase",),
        "split": options.split,
        "char_level": options.splitter == "characters",
        "oov_token": oov_token,
        "document_count": counts.texts,
        "word_counts": json.dumps(dict(counts.words)),
        "word_docs": json.dumps(dict(counts.documents)),
        "index_docs": json.dumps({ids[word]: count for word, count in counts.documents.items()}),
        "index_word": json.dumps({index: word for word, index in ids.items()}),
        "word_index": json.dumps(ids),
    }
    return json.dumps({"class_name": "Tokenizer", "config": config})


def read_keras_json(text: str) -> tuple[WordTokenizer, WordCounts]:
    """The tokenizer whose JSON a Keras `Tokenizer.to_json` or `keras_json` wrote, and its counts.

    Raises:
        InputError: it is none, it was fitted on no text, or its words do not have the ids that their counts give.
    """
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"this is no JSON of {_WHAT} ({error})") from error
    config = json_fields(tree, ("class_name", "config"), what=_WHAT)["config"]
    config = json_fields(config, (*_SETTINGS, "document_count", *_COUNTS), what=f"the config of {_WHAT}")
    normalize, options = _settings({name: config[name] for name in _SETTINGS})
    texts = config["document_count"]
    if type(texts) is not int or texts < 0:
        raise InputError(f"document_count of {_WHAT} is {reprlib.repr(texts)}: it must be 0 or more")
    counts = WordCounts(_counts(config, "word_counts"), _counts(config, "word_docs"), texts)
    oov_token = config["oov_token"]
    if oov_token in counts.words:
        raise InputError(
            f"oov_token {reprlib.repr(oov_token)} of {_WHAT} is a word of its text too, and both have one id: fit it "
            "with another oov_token"
        )
    words = _ranking(counts) if oov_token is None else [oov_token, *_ranking(counts)]
    if not counts.words or _counts(config, "word_index") != {word: index for index, word in enumerate(words, 1)}:
        raise InputError(f"word_index of {_WHAT} does not rank the words of word_counts: fit it on texts")
    return WordTokenizer.from_counts(counts, normalize=normalize, options=options), counts


def _settings(settings: dict[str, Any]) -> tuple[tuple[str, ...], WordOptions]:
    """The normalisers and options of Keras's settings."""
    for name, kinds in (
        ("num_words", (int, type(None))),
        ("lower", (bool,)),
        ("char_level", (bool,)),
        ("oov_token", (str, type(None))),
    ):
        if type(settings[name]) not in kinds:
            raise InputError(f"{name} of {_WHAT} is {reprlib.repr(settings[name])}: give a {kinds[0].__name__}")
    num_words, oov_token = settings["num_words"], settings["oov_token"]
    reserved = 1 if oov_token is None else 2
    if num_words is not None and num_words and num_words < reserved:
        raise InputError(f"num_words of {_WHAT} is {num_words}: ids below it are needed for padding and oov_token")
    options = WordOptions(
        splitter="characters" if settings["char_level"] else "filters",
        filters=settings["filters"],
        split=settings["split"],
        max_words=num_words - reserved if num_words else None,  # to Keras 0 is no limit
        unknown="drop" if oov_token is None else "unk",
        unknown_text=WordOptions.unknown_text if oov_token is None else oov_token,
    )
    return ("lowercase",) if settings["lower"] else (), options


def _ranking(counts: WordCounts) -> list[str]:
    """The most frequent word first; of equals, the one that appears first."""
    return sorted(counts.words, key=counts.words.__getitem__, reverse=True)


def _counts(config: dict[str, Any], name: str) -> dict[str, int]:
    """A mapping that Keras keeps as JSON within JSON."""
    try:
        found = json.loads(config[name])
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{name} of {_WHAT} is no JSON in a text ({error})") from error
    if not isinstance(found, dict) or any(type(count) is not int or count < 1 for count in found.values()):
        raise InputError(f"{name} of {_WHAT} must map words to numbers above 0, not {reprlib.repr(found)}")
    return found
