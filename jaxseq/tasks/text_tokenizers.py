"""The tokenizer that a data section describes."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from jaxseq.config import LinesConfig, RunningTextConfig, TextConfig
from jaxseq.errors import InputError
from jaxseq.interop.arpa import UNKNOWN, is_arpa, read_arpa_unigrams
from jaxseq.opening import open_regular
from jaxseq.paths import expanded
from jaxseq.text.characters import CharTokenizer
from jaxseq.text.delimiting import any_tokenizer_from_text, base_of
from jaxseq.text.jamo import JamoTokenizer
from jaxseq.text.keras_tokenizer import read_keras_json
from jaxseq.text.morpheme_tokenizer import MorphemeTokenizer
from jaxseq.text.sentencepieces import SentencePieceTokenizer
from jaxseq.text.tokenizers import TOKENIZERS, Tokenizer
from jaxseq.text.tokenizers_json import read_tokenizers_json
from jaxseq.text.utf8 import ByteTokenizer
from jaxseq.text.vocab import Vocabulary
from jaxseq.text.word_options import WordOptions
from jaxseq.text.words import PADDING, WordTokenizer

_PIECES = ("bpe", "wordpiece", "unigram")


def make_tokenizer(config: TextConfig, texts: Iterable[str], *, words: WordOptions, padding: bool) -> Tokenizer:
    """The tokenizer in the file that is given, or a new one for `texts`, which are read one at a time.

    Args:
        words: how a tokenizer of words or morphemes lays out its ids; its splitter is for words.
        padding: one of pieces keeps id 0 for whoever pads.

    Raises:
        InputError: there is no text, or the file holds no tokenizer of this kind.
    """
    kind, normalize = config.tokenizer, config.normalize
    if config.tokenizer_file:
        path = expanded(config.tokenizer_file)
        if kind == "word" and is_arpa(path):
            return _of_arpa(path, config, words)
        return _given(path, config, padding=padding)
    options = {"min_count": config.min_count} if config.min_count != 1 else {}  # not every kind has it
    if kind in _PIECES:
        options |= {"size": config.pieces, "padding": padding}
    with _told_by_fields(config):
        if kind == "word":
            return WordTokenizer.train(texts, normalize=normalize, options=words)
        if kind == "morpheme":
            return MorphemeTokenizer.train(texts, normalize=normalize, options=words)
        return TOKENIZERS[kind].train(texts, normalize=normalize, **options)


def make_open_tokenizer(config: TextConfig, texts: Iterable[str], *, words: WordOptions) -> Tokenizer:
    """`make_tokenizer` of one that reads any text, untrained symbols too, and keeps id 0 for padding; a file of
    a run that pads nothing may have no such id.

    Raises:
        InputError: as `make_tokenizer`.
    """
    if config.tokenizer_file or config.tokenizer not in ("char", "jamo", "byte"):
        return make_tokenizer(config, texts, words=words, padding=True)
    normalize, specials = config.normalize, (PADDING,)
    if config.tokenizer == "byte":
        return ByteTokenizer.train(texts, normalize=normalize, specials=specials)
    kind = CharTokenizer if config.tokenizer == "char" else JamoTokenizer
    return kind.train(texts, normalize=normalize, specials=specials, unknown=True, min_count=config.min_count)


def make_sentence_tokenizer(config: TextConfig, texts: Iterable[str]) -> Tokenizer:
    """`make_open_tokenizer` for sentences: words are split as the section says, and those kept that it asks for.

    Raises:
        InputError: as `make_tokenizer`.
    """
    words = WordOptions(
        splitter=config.splitter if config.tokenizer == "word" else "whitespace",
        max_words=config.max_words or None,
        min_count=config.min_count,
    )
    return make_open_tokenizer(config, texts, words=words)


def word_options(config: RunningTextConfig, *, padding: bool = False) -> WordOptions:
    """Of the words or morphemes of running text; where none can be missing, an unknown one is an error."""
    known = config.min_count == 1 and config.max_words == 0
    return WordOptions(
        splitter=config.splitter if config.tokenizer == "word" else "whitespace",
        max_words=config.max_words or None,
        min_count=config.min_count,
        padding=padding,
        unknown="error" if known else "unk",
    )


@contextmanager
def _told_by_fields(config: Any) -> Iterator[None]:
    """While entered, what a trainer says of its options is said of the fields they come from, and of no text, where."""
    try:
        yield
    except InputError as error:
        told = str(error)
        if found := re.match(r"(size|min_count) is \d", told):
            field = "pieces" if found[1] == "size" else found[1]
            raise InputError(f"data.{field}{told.removeprefix(found[1])}") from error
        if "to train a tokenizer on" in told:
            said = told.removeprefix("there is ")
            raise InputError(f"{config.source} has {said}; give --data.source a source that holds text") from error
        raise


def _given(path: Path, config: TextConfig, *, padding: bool) -> Tokenizer:
    """The tokenizer in a file; in front of one that others wrote are the normalisers of the configuration."""
    kind = config.tokenizer
    try:
        with open_regular(path) as file:
            content = file.read()
    except OSError as error:
        raise InputError(
            f"data.tokenizer_file {path} cannot be read ({error.strerror}): check the name and permissions"
        ) from error
    try:
        if kind == "sentencepiece":
            own = config.file_normalization
            tokenizer: Tokenizer = SentencePieceTokenizer.read(
                content, normalize=config.normalize, normalization=own, padding=padding
            )
        elif text := _of_keras(content):
            tokenizer = read_keras_json(text)[0]
        elif kind == "char" and (symbols := _symbols(content)):
            tokenizer = CharTokenizer(Vocabulary(symbols), tuple(config.normalize))
        elif _is_ours(content):
            tokenizer = base_of(any_tokenizer_from_text(content))
        else:
            tokenizer = read_tokenizers_json(content, normalize=config.normalize, padding=padding)
    except InputError as error:
        raise InputError(
            f"data.tokenizer_file {path} cannot be used: {error}; fetch it again, or give another"
        ) from error
    if tokenizer.kind != kind:
        raise InputError(
            f"data.tokenizer_file {path} holds a {tokenizer.kind} tokenizer and data.tokenizer is {kind}: give "
            f"--data.tokenizer {tokenizer.kind}, or another file"
        )
    return tokenizer


def _of_arpa(path: Path, config: TextConfig, words: WordOptions) -> WordTokenizer:
    """The words of an ARPA file in its order, and line ends where they are the ends of its sentences."""
    try:
        found = read_arpa_unigrams(path)
        listed = found.symbols
        reads_line_ends = words.how.split("\n") == ["\n"] and not isinstance(config, LinesConfig)
        if reads_line_ends and found.is_of_sentences and "\n" not in listed:
            listed = ("\n", *listed)
        options = replace(words, max_words=None, min_count=1, unknown="unk" if UNKNOWN in found.words else "error")
        return WordTokenizer(listed, options, tuple(config.normalize))
    except InputError as error:
        raise InputError(f"data.tokenizer_file {path} cannot be used: {error}") from error


def _of_keras(content: bytes) -> str:
    """What Keras's `Tokenizer.to_json` gave, which often is put into JSON once more; "" where a file is none of it."""
    try:
        tree = json.loads(content)
        text = tree if isinstance(tree, str) else content.decode("utf-8")
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    return text if isinstance(tree, dict) and tree.get("class_name") == "Tokenizer" else ""


def _symbols(content: bytes) -> tuple[str, ...]:
    """The characters in a list in JSON, in the order of their ids, or in an object that maps them to these; none of
    another file."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return ()
    if isinstance(tree, dict) and all(type(id) is int for id in tree.values()):
        names = {id: symbol for symbol, id in tree.items()}
        tree = [names.get(id) for id in range(len(tree))]
    listed = tree if isinstance(tree, list) else []
    symbols = tuple(symbol for symbol in listed if isinstance(symbol, str))
    return symbols if len(symbols) == len(listed) else ()


def _is_ours(content: bytes) -> bool:
    """Whether a file is one of `jaxseq.text.tokenizers`, or none at all, which is told best there."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return True
    return not isinstance(tree, dict) or "kind" in tree or "base" in tree
