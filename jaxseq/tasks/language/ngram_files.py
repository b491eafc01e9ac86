"""ARPA files of n-gram models: what a run is written to, and what one takes its probabilities from."""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxseq.config import NGramConfig
from jaxseq.data.backoff import BackoffTables
from jaxseq.errors import InputError
from jaxseq.interop.arpa import SPECIAL, ArpaUnigrams, arpa_names, arpa_pieces, read_arpa, read_arpa_unigrams
from jaxseq.paths import expanded
from jaxseq.reading import reading
from jaxseq.tasks.capabilities import Export
from jaxseq.text.lined import LineTokenizer
from jaxseq.text.tokenizers import Tokenizer

_SHOWN = 40
"""Characters of a word that an error shows."""


def arpa_exports(params: Any, tokenizer: Tokenizer) -> dict[str, Export]:
    """An n-gram model as an ARPA file, whose words are those of `tokenizer`."""
    tables = BackoffTables.from_params(jax.tree.map(np.asarray, params))
    count = sum(len(each.words) for each in tables.grams)
    return {".arpa": Export(f"{count:,} n-grams are", partial(arpa_pieces, tables, _names(tokenizer)))}


def read_ngrams(section: NGramConfig, tokenizer: Tokenizer, *, silent: Collection[int]) -> BackoffTables:
    """The n-grams in the ARPA file that `section` names, for the ids of `tokenizer`; of a file that a run was exported
    to, those of the run.

    A sentence of the file is a line: where lines are no texts of their own, their ends are "</s>", and the next line
    is what begins with "<s>".

    Args:
        silent: ids that no text has.

    Raises:
        InputError: the file cannot be read, or has n-grams of another order, or other words than the vocabulary.
    """
    path = expanded(section.arpa)
    try:
        with reading(path):
            if path.exists() and not path.is_file():  # a pipe
                raise InputError(f"{path} is no plain file, and it is read twice: give one")
        found = read_arpa_unigrams(path)
        if found.order != section.order:
            longest = f"the longest n-grams of {path} are {found.order}-grams"
            raise InputError(f"model.order is {section.order} and {longest}: give --model.order {found.order}")
        names = _names(tokenizer)
        sentence_end = _sentence_end(path, found, tokenizer, names)
        _require_one_vocabulary(path, found, tokenizer, names, {*silent, sentence_end})
        return read_arpa(path, names=names, sentence_end=sentence_end).tables
    except InputError as error:
        raise InputError(f"model.arpa cannot be used: {error}") from error


def _names(tokenizer: Tokenizer) -> tuple[str, ...]:
    """What the ids are called in an ARPA file."""
    begin, end = (tokenizer.start, tokenizer.end) if isinstance(tokenizer, LineTokenizer) else (None, None)
    symbols: Sequence[str] = tokenizer.vocabulary.symbols
    return arpa_names(symbols, begin=begin, end=end, unknown=_unknown(tokenizer))


def _unknown(tokenizer: Tokenizer) -> int | None:
    """The id of unknown words, where there is one for all; its name has more brackets where a word is called so."""
    inner: Any = tokenizer.inner if isinstance(tokenizer, LineTokenizer) else tokenizer
    plain = [name.strip("<>") for name in inner.vocabulary.specials]
    return next((id for id, name in enumerate(plain) if name in ("unk", "[UNK]")), None)


def _sentence_end(path: Path, found: ArpaUnigrams, tokenizer: Tokenizer, names: Sequence[str]) -> int | None:
    """The id of line ends in running text, where they are the ends of the file's sentences; None where nothing is."""
    if isinstance(tokenizer, LineTokenizer):
        if not found.is_of_sentences:
            raise InputError(f"{path} gives </s> no probability, it is of running text: take --data.kind corpus")
        return None
    symbols: Sequence[str] = tokenizer.vocabulary.symbols
    line_end = symbols.index("\n") if "\n" in symbols else None
    if line_end is not None and names[line_end] not in found.words:
        return line_end if found.is_of_sentences else None
    if found.is_of_sentences:
        raise InputError(
            f"{path} is of sentences, and no token of the text ends one: take --data.kind lines, or a tokenizer that "
            "reads line ends (--data.splitter lines)"
        )
    return None


def _require_one_vocabulary(
    path: Path, found: ArpaUnigrams, tokenizer: Tokenizer, names: Sequence[str], others: Collection[int | None]
) -> None:
    """Refuses a file with words that the vocabulary lacks, or the other way round but for the ids `others`."""
    inner = tokenizer.inner if isinstance(tokenizer, LineTokenizer) else tokenizer
    remedy = "give the tokenizer that the file was made with as --data.tokenizer-file"
    if inner.kind == "word":
        remedy = f"give --data.tokenizer-file {path}, which makes its words the vocabulary"
    symbols: Sequence[str] = tokenizer.vocabulary.symbols
    ours, theirs = {*symbols}, {*found.symbols}
    if strange := [word for word in found.symbols if word not in ours]:
        raise InputError(
            f"{len(strange):,} of the {len(found.words):,} words of {path} are none of the vocabulary, as "
            f"{_shown(strange[0])}: {remedy}"
        )
    lacking = [
        symbol
        for id, (name, symbol) in enumerate(zip(names, symbols, strict=True))
        if id not in others and not (name in found.words if name in SPECIAL else symbol in theirs)
    ]
    if lacking:
        raise InputError(
            f"{path} has no 1-gram for {len(lacking):,} of the {len(symbols):,} symbols of the vocabulary, as "
            f"{_shown(lacking[0])}: {remedy}"
        )


def _shown(word: str) -> str:
    return repr(word if len(word) <= _SHOWN else f"{word[:_SHOWN]}...")
