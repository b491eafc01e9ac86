"""Texts of word ids, split by split, with their labels where the data have some."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from jaxseq.config import CorpusConfig, LabelledConfig, LinesConfig
from jaxseq.data.examples import Sequences, join_sequences
from jaxseq.data.labelled import labelled_fingerprint
from jaxseq.errors import ConfigError
from jaxseq.tasks.labelled_texts import encode, fingerprint_parts, read_parts, train_tokenizer, with_validation
from jaxseq.tasks.task import Workspace
from jaxseq.tasks.vectors.word_splits import WordSplits
from jaxseq.text.tokenizers import Tokenizer, encode_each

BEGIN = 60
"""Characters of a text that it is shown by."""
_BEGIN_WORDS = 20
"""Words that as many characters seldom go beyond."""


class Texts(NamedTuple):
    """The texts of a split."""

    tokens: Sequences
    """The words that are known, others left out as if they were not there."""
    begins: list[str]
    """How each begins."""
    labels: list[str] | None
    """None where the data have none."""


@dataclass(frozen=True)
class TextSplits:
    """Texts by split, and the tokenizer of their words."""

    tokenizer: Tokenizer
    parts: Mapping[str, Texts]
    fingerprint: str
    """Changes when a text or a label does that is trained on or validated with."""

    @classmethod
    def create(
        cls,
        data: LabelledConfig | CorpusConfig | LinesConfig,
        tokenizer: Tokenizer | None,
        workspace: Workspace,
        *,
        seed: int,
    ) -> Self:
        """Reads the sources; without a tokenizer it trains one on the texts to train on.

        Raises:
            InputError: a source cannot be used.
        """
        if isinstance(data, LabelledConfig):
            return cls._labelled(data, tokenizer, workspace, seed)
        words = WordSplits.create(data, tokenizer, workspace)
        parts = {
            name: Texts(tokens, _begins(words.tokenizer, tokens), None) for name, tokens in words.sentences.items()
        }
        return cls(words.tokenizer, parts, words.fingerprint())

    @classmethod
    def _labelled(cls, data: LabelledConfig, tokenizer: Tokenizer | None, workspace: Workspace, seed: int) -> Self:
        for name, least in (("ngrams", 1), ("buckets", 0), ("delimit", False)):
            if (value := getattr(data, name)) != least:
                raise ConfigError(f"data.{name} is {value}: text_vectors predicts words alone, leave it at {least}")
        read = with_validation(read_parts(data, poll=workspace.poll), data, seed=seed)
        tokenizer = tokenizer or train_tokenizer(data, read["train"].texts)
        parts = {}
        for name, part in read.items():
            workspace.poll()
            begins = [shown_as(text) for text in part.texts]
            parts[name] = Texts(known_words(data, tokenizer, part.texts), begins, part.labels)
        return cls(tokenizer, parts, labelled_fingerprint(fingerprint_parts(read)))

    def counts(self) -> np.ndarray:
        """How often each word occurs in the training split [v]."""
        return np.bincount(self.parts["train"].tokens.ids, minlength=self.tokenizer.vocabulary_size)


def known_words(
    data: LabelledConfig | CorpusConfig | LinesConfig, tokenizer: Tokenizer, texts: Sequence[str]
) -> Sequences:
    """The words of texts that are known, read as the section says.

    Raises:
        InputError: a text has symbols that the tokenizer cannot pass over.
    """
    if isinstance(data, LabelledConfig):
        sequences, _ = encode(data, tokenizer, texts)
    else:
        sequences = join_sequences(encode_each(tokenizer, texts))
    stays = sequences.ids >= len(tokenizer.vocabulary.specials)  # padding and the unknown word stand for none
    return Sequences(sequences.ids[stays], np.concatenate([[0], np.cumsum(stays)])[sequences.offsets])


def shown_as(text: str) -> str:
    """A text by its beginning, on one line."""
    words = " ".join(text[: 4 * BEGIN].split())
    return words if len(words) <= BEGIN else words[:BEGIN].rsplit(" ", 1)[0] + " ..."


def _begins(tokenizer: Tokenizer, texts: Sequences) -> list[str]:
    starts, ends = texts.offsets[:-1], texts.offsets[1:]
    ends = np.minimum(ends, starts + _BEGIN_WORDS)
    return [shown_as(tokenizer.decode(texts.ids[a:b])) for a, b in zip(starts, ends, strict=True)]
