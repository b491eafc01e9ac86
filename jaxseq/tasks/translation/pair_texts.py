"""From the data section of a configuration to pairs of sentences, split by split, and the tokenizers of their sides."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from jaxseq.config import MadeUpConfig, PairedConfig, PairsConfig
from jaxseq.data.made_up import make_up
from jaxseq.data.pair_splits import Referenced, pairs_fingerprint, repeated_sources, split_pairs, with_references
from jaxseq.data.pairs import Pairs, PairSource, read_named_pairs, read_pairs
from jaxseq.errors import ConfigError
from jaxseq.tasks.text_tokenizers import make_sentence_tokenizer
from jaxseq.text.pair_tokenizers import PairTokenizers

TEST = "test"


class PairTexts(NamedTuple):
    """Pairs of a split, or of one of the files that it has, and what their translations are held against."""

    pairs: Pairs
    scored: Sequence[Referenced]
    """Sources with their references: of a file of its own every line with the one beside it, as published figures have
    it; of shares of one file each source once, with all its targets."""


SplitTexts = Mapping[str, Mapping[str, PairTexts]]
"""By split, and there by the name of what is measured by itself."""


def read_splits(data: PairedConfig, *, seed: int, poll: Callable[[], None]) -> SplitTexts:
    """The pairs of all splits that there are. A test split of several files has them all by their names.

    Raises:
        InputError: a source cannot be used.
    """
    if isinstance(data, MadeUpConfig):
        return _made_up(data, seed)
    assert isinstance(data, PairsConfig)
    if not data.source:
        raise ConfigError("data.source is empty: give sentences, and as data.target their translations, or a table")
    shares = split_pairs(read_pairs(_source(data, ""), poll=poll), data.split)
    splits = {name: {name: PairTexts(pairs, with_references(pairs))} for name, pairs in shares.items()}
    if data.validation_source:
        pairs = read_pairs(_source(data, "validation_"), poll=poll)
        splits["validation"] = {"validation": _line_by_line(pairs)}
    if data.test_source:
        named = read_named_pairs(_source(data, "test_"), poll=poll)
        only_one = len(named) == 1
        splits[TEST] = {TEST if only_one else name: _line_by_line(pairs) for name, pairs in named.items()}
    return splits


def remarks(splits: SplitTexts) -> Iterator[str]:
    """What a person should know of the pairs: those left out, and those measured that are trained on too."""
    for split, parts in splits.items():
        for name, part in parts.items():
            if part.pairs.remark:
                yield part.pairs.remark
            count = 0 if split == "train" else repeated_sources(part.pairs, splits["train"]["train"].pairs)
            if count:
                yield f"{name}: {count:,} of {len(part.pairs.sources):,} pairs have a source that is trained on too"


def train_tokenizers(data: PairedConfig, pairs: Pairs) -> PairTokenizers:
    """Tokenizers that read any sentence, for pairs like these.

    Raises:
        InputError: as `make_sentence_tokenizer`.
    """
    make_source, make_target = (partial(make_sentence_tokenizer, side) for side in (data.source_text, data.target_text))
    return PairTokenizers.train(
        pairs.sources,
        pairs.targets,
        make_source,
        None if data.joint else make_target,
        reverse_source=data.reverse_source,
    )


def fingerprint(splits: SplitTexts) -> str:
    """Changes when a sentence does that is trained on or validated with: the test split may come and go."""
    return pairs_fingerprint({name: parts[name].pairs for name, parts in splits.items() if name != TEST})


def _made_up(data: MadeUpConfig, seed: int) -> SplitTexts:
    counts = {"train": data.examples, "validation": data.held_out, TEST: data.held_out}
    options = {"seed": seed, "least": data.least, "most": data.most, "letters": data.letters}
    return {
        name: {name: _line_by_line(make_up(data.exercise, name, count, **options))} for name, count in counts.items()
    }


def _source(data: PairsConfig, prefix: str) -> PairSource:
    return PairSource(
        getattr(data, f"{prefix}source"),
        getattr(data, f"{prefix}target"),
        data.source_column,
        data.target_column,
        data.encoding,
        option=f"--data.{prefix.replace('_', '-')}",
    )


def _line_by_line(pairs: Pairs) -> PairTexts:
    return PairTexts(
        pairs, [Referenced(*pair) for pair in zip(pairs.sources, [(t,) for t in pairs.targets], strict=True)]
    )
