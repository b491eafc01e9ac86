"""The tokenizer that the data section of running text describes."""

from collections.abc import Iterator

from jaxseq.config import RunningTextConfig
from jaxseq.text.morpheme_tokenizer import MorphemeTokenizer
from jaxseq.text.tokenizers import TOKENIZERS, Tokenizer
from jaxseq.text.word_options import WordOptions
from jaxseq.text.words import WordTokenizer


def train_tokenizer(config: RunningTextConfig, texts: Iterator[str], *, padding: bool = False) -> Tokenizer:
    """A new tokenizer for `texts`, which are read one at a time.

    Args:
        padding: keep id 0 for whoever pads, where the kind of tokenizer has a choice.

    Raises:
        InputError: there is no text.
    """
    if config.tokenizer in ("word", "morpheme"):
        known = config.min_count == 1 and config.max_words == 0
        options = WordOptions(
            splitter=config.splitter if config.tokenizer == "word" else "whitespace",
            max_words=config.max_words or None,
            min_count=config.min_count,
            padding=padding,
            unknown="error" if known else "unk",
        )
        kind = WordTokenizer if config.tokenizer == "word" else MorphemeTokenizer
        return kind.train(texts, normalize=config.normalize, options=options)
    options = {"min_count": config.min_count} if config.min_count != 1 else {}  # not every kind has it
    return TOKENIZERS[config.tokenizer].train(texts, normalize=config.normalize, **options)
