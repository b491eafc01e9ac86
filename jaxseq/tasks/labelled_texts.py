"""From the data section of a configuration to labelled sequences of token ids, part by part."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxseq.config import LabelledConfig
from jaxseq.data.corpus import SPLITS
from jaxseq.data.distinct import distinct_tokens
from jaxseq.data.examples import ExampleLoader, Sequences, join_sequences
from jaxseq.data.labelled import Labelled, split_off
from jaxseq.data.labelled_sources import read_labelled
from jaxseq.data.lengths import LengthReport, choose_lengths, length_report
from jaxseq.data.ngrams import with_ngrams
from jaxseq.errors import ConfigError, InputError
from jaxseq.tasks.text_tokenizers import make_open_tokenizer
from jaxseq.text.delimiting import AnyTokenizer, Delimiters, delimiters_of, encode_all
from jaxseq.text.tokenizers import Tokenizer
from jaxseq.text.vocab import UNKNOWN
from jaxseq.text.word_options import WordOptions
from jaxseq.text.words import PADDING, WordTokenizer

_NO_WORDS = {PADDING, UNKNOWN, "<start>", "<end>"}
"""Names of ids that a file of vectors may have a vector for, and that stand for no word."""
_SHORTEST = 16
"""Tokens of a batch so short that another one half as long is not worth its compilation."""


class Part(NamedTuple):
    """The labelled texts of a split as token ids."""

    examples: Labelled
    tokens: Sequences
    """Truncated, n-grams and all."""
    labels: np.ndarray
    """[k] int32 class ids."""
    lengths: LengthReport
    """What truncation and padding do to them, n-grams not counted."""


def read_parts(config: LabelledConfig, *, poll: Callable[[], None]) -> dict[str, Labelled]:
    """The labelled texts by the parts that the source has.

    Raises:
        InputError: the source cannot be used.
    """
    if not config.source:
        raise ConfigError("data.source is empty: give labelled texts, a folder, an archive, a table or tfds:NAME")
    return read_labelled(
        config.source,
        test_source=config.test_source,
        text_column=config.text_column,
        label_column=config.label_column,
        encoding=config.encoding,
        poll=poll,
    )


def with_validation(parts: Mapping[str, Labelled], config: LabelledConfig, *, seed: int) -> dict[str, Labelled]:
    """The parts by split; validation is drawn from those to train on where there is none, or left out. Of the others to
    train on there are `config.examples` at most."""
    splits = dict(parts)
    if config.has_validation and "validation" not in splits:
        splits["train"], splits["validation"] = split_off(splits["train"], share=config.validation, seed=seed)
    elif not config.has_validation:
        splits.pop("validation", None)
    if 0 < config.examples < (count := len(splits["train"].texts)):
        _, splits["train"] = split_off(splits["train"], share=config.examples / count, seed=seed)
    return {name: splits[name] for name in SPLITS if name in splits}


def tokenizer_of(config: LabelledConfig, words: Iterable[str]) -> WordTokenizer:
    """A tokenizer of `words`, the first `config.max_words` of them, that reads any text as `train_tokenizer`'s does.

    Raises:
        InputError: the tokenizer is none of words.
    """
    if config.tokenizer != "word":
        raise InputError(f"task.vocabulary is 'vectors' and data.tokenizer is {config.tokenizer!r}: take word")
    own = [word for word in words if word not in _NO_WORDS]
    return WordTokenizer(tuple(own[: config.max_words or None]), _word_options(config), config.normalize)


def train_tokenizer(config: LabelledConfig, texts: Iterable[str], *, reads_padding: bool = False) -> Tokenizer:
    """A tokenizer that reads any text, whose id 0 is that of padding; a file of a run that pads nothing has none.

    Args:
        reads_padding: the model does, so that there must be an id for it.

    Raises:
        InputError: there is no text, or no id for padding that is read.
    """
    shortened = (shorten(text, config) for text in texts)
    made = make_open_tokenizer(config, shortened, words=_word_options(config))
    if reads_padding:
        _require_padding(config, made)
    return made


def _require_padding(config: LabelledConfig, tokenizer: Tokenizer) -> None:
    first = tokenizer.vocabulary.symbols[0]
    if first not in tokenizer.vocabulary.specials:
        raise ConfigError(
            f"task.mask is False and data.tokenizer_file {config.tokenizer_file} has no id for padding, which would be "
            f"read as {first!r}: leave task.mask as it is"
        )


def _word_options(config: LabelledConfig) -> WordOptions:
    return WordOptions(
        splitter=config.splitter if config.tokenizer == "word" else "whitespace",
        max_words=config.max_words or None,
        min_count=config.min_count,
        unknown="buckets" if config.buckets else config.unknown,
        buckets=config.buckets,
    )


def shorten(text: str, config: LabelledConfig) -> str:
    """The part of a text that is read."""
    return text[: config.characters] if config.characters else text


def table_size(config: LabelledConfig, tokenizer: AnyTokenizer) -> int:
    """Rows of the embedding: ids of tokens and of n-grams."""
    return tokenizer.vocabulary_size + (config.ngram_buckets if config.ngrams > 1 else 0)


def encode(config: LabelledConfig, tokenizer: AnyTokenizer, texts: Sequence[str]) -> tuple[Sequences, LengthReport]:
    """The token ids of texts, truncated, with their delimiters, or their n-grams behind them; each once where the
    configuration says so.

    Raises:
        ValueError: there are to be delimiters, and the tokenizer has none.
    """
    shortened = (shorten(text, config) for text in texts)
    encoded = list(encode_all(tokenizer, shortened))
    ends = _delimiters(tokenizer) if config.delimit else ()
    around, own = len(ends), config.length - len(ends)
    report = length_report(np.array([len(ids) + around for ids in encoded], np.int64), config.length)
    kept = slice(-own, None) if config.truncating == "pre" else slice(own)
    parts = (ids[kept] for ids in encoded)
    if ends:
        before, behind = (np.array([end], np.int32) for end in ends)
        parts = (np.concatenate([before, ids, behind]) for ids in parts)
    sequences = join_sequences(parts)
    first = tokenizer.vocabulary_size
    sequences = with_ngrams(sequences, most=config.ngrams, first_id=first, buckets=config.ngram_buckets)
    return distinct_tokens(sequences) if config.distinct else sequences, report


def _delimiters(tokenizer: AnyTokenizer) -> Delimiters:
    found = delimiters_of(tokenizer)
    if found is None:
        raise ValueError("this tokenizer has no delimiters: make it with jaxseq.text.delimiting.delimited")
    return found


def longest(config: LabelledConfig) -> int:
    """Tokens of the longest sequence there can be, n-grams and all."""
    return sum(max(0, config.length - n) for n in range(config.ngrams))


def lengths_for(config: LabelledConfig, sequences: Sequences) -> tuple[int, ...]:
    """The lengths of batches for these sequences."""
    if config.lengths == 1:
        return (longest(config),)
    return choose_lengths(sequences.lengths, count=config.lengths, longest=longest(config))


def by_own_length(config: LabelledConfig, sequences: Sequences) -> Iterator[tuple[np.ndarray, Sequences, int]]:
    """Sequences by the length of their batch, which follows from no others: which ones, they themselves, that length.

    It is the longest, its half and so on.
    """
    lengths = [longest(config)]
    while config.lengths > 1 and lengths[0] > _SHORTEST:
        lengths.insert(0, -(-lengths[0] // 2))
    padded_to = np.searchsorted(lengths, sequences.lengths)
    for number in np.unique(padded_to):
        which = np.flatnonzero(padded_to == number)
        starts, ends = sequences.offsets[which], sequences.offsets[which + 1]
        parts = (sequences.ids[start:end] for start, end in zip(starts, ends, strict=True))
        yield which, join_sequences(parts), lengths[number]


def example_loader(
    config: LabelledConfig,
    sequences: Sequences,
    labels: np.ndarray,
    *,
    rows: int,
    lengths: Sequence[int] | None = None,
    shuffle: bool = False,
    seed: int = 0,
    pad: bool = True,
) -> ExampleLoader:
    """Batches of `rows` sequences, padded as the configuration says, to `lengths` or those that suit them best."""
    return ExampleLoader(
        sequences,
        labels,
        lengths=lengths or lengths_for(config, sequences),
        batch_size=rows,
        padding=config.padding,
        truncating=config.truncating,
        shuffle=shuffle,
        seed=seed,
        pad=pad,
    )


def told(report: LengthReport, config: LabelledConfig) -> str:
    """A report on lengths in words."""
    return (
        f"{report.truncated:,} of {report.texts:,} texts truncated to {config.length:,} tokens, {report.padded:,} "
        f"padded, {report.exact:,} exact; {report.mean_length:,.1f} tokens on average"
    )


def fingerprint_parts(parts: Mapping[str, Labelled]) -> Mapping[str, Labelled]:
    """The parts that a run hangs on: the test split may come and go."""
    return {name: part for name, part in parts.items() if name != "test"}
