"""Baskets as sentences whose words are items."""

from contextlib import nullcontext
from itertools import pairwise

import numpy as np

from jaxseq.config import BasketsConfig
from jaxseq.data.baskets import Baskets, EventColumns, read_events, read_lists_of_items, read_titles, with_titles
from jaxseq.data.corpus import SPLITS
from jaxseq.data.examples import Sequences
from jaxseq.data.sources import waits
from jaxseq.data.windows import split_bounds
from jaxseq.errors import ConfigError, InputError
from jaxseq.signals import Poll
from jaxseq.tasks.task import Workspace
from jaxseq.tasks.vectors.word_splits import WordSplits
from jaxseq.text.tokenizers import Tokenizer
from jaxseq.text.word_counts import WordCounts
from jaxseq.text.word_options import WordOptions
from jaxseq.text.words import WordTokenizer


def basket_splits(config: BasketsConfig, tokenizer: Tokenizer | None, workspace: Workspace) -> WordSplits:
    """Reads the sources; without a tokenizer the items of the first one are the vocabulary, the most frequent first.

    Items that the tokenizer lacks are left out.

    Raises:
        InputError: a source cannot be used, no item is frequent enough, or a split has no basket.
    """
    with workspace.waiting() if any(map(waits, (*config.sources, config.title_source))) else nullcontext():
        titles = _titles(config, workspace.poll)
        own = _baskets(config, config.source, titles, workspace)
        others = {
            name: _baskets(config, source, titles, workspace)
            for name, source in (("validation", config.validation_source), ("test", config.test_source))
            if source
        }
    tokenizer = tokenizer or _vocabulary(own, config)
    found: dict[str, Sequences] = dict(zip(SPLITS, _shares(_known(own, tokenizer), config), strict=True))
    found |= {name: _known(baskets, tokenizer) for name, baskets in others.items()}
    splits = {name: _without_empty(found[name], name, config) for name in config.splits}
    return WordSplits(tokenizer, splits, _description(splits))


def _titles(config: BasketsConfig, poll: Poll) -> dict[str, str]:
    if not config.title_source:
        return {}
    return read_titles(
        config.title_source,
        item_column=config.item_column,
        title_column=config.title_column,
        encoding=config.encoding,
        poll=poll,
    )


def _baskets(config: BasketsConfig, source: str, titles: dict[str, str], workspace: Workspace) -> Baskets:
    how = {"encoding": config.encoding, "poll": workspace.poll}
    if config.basket_column:
        columns = EventColumns(config.basket_column, config.item_column, config.order_column, config.value_column)
        baskets = read_events(source, columns, least=config.least_value, **how)
    else:
        baskets = read_lists_of_items(source, config.item_column, separator=config.separator, **how)
    if not titles:
        return baskets
    without = sum(item not in titles for item in baskets.items)
    if without:
        workspace.tell(
            f"items of {source} without a title in {config.title_source}, which stay as they are: {without:,}"
        )
    return with_titles(baskets, titles)


def _vocabulary(baskets: Baskets, config: BasketsConfig) -> WordTokenizer:
    counts = np.bincount(baskets.sequences.ids, minlength=len(baskets.items))
    if counts.max() < config.min_count:
        raise ConfigError(
            f"data.min_count is {config.min_count}, the most frequent item occurs {counts.max():,} times: lower it"
        )
    words = WordCounts(dict(zip(baskets.items, counts.tolist(), strict=True)), {}, len(baskets.sequences.lengths))
    # A text is one item, whatever characters it has.
    options = WordOptions(splitter="whole", min_count=config.min_count, padding=False, unknown="drop")
    return WordTokenizer.from_counts(words, options=options)


def _known(baskets: Baskets, tokenizer: Tokenizer) -> Sequences:
    """The baskets as ids of the tokenizer; those that become empty stay."""
    vocabulary = tokenizer.vocabulary
    id_of = [vocabulary.id_of(item) if item in vocabulary else -1 for item in baskets.items]
    ids = np.array(id_of, np.int32)[baskets.sequences.ids]
    before = np.concatenate([[0], np.cumsum(ids >= 0)]).astype(np.int64)
    return Sequences(ids[ids >= 0], before[baskets.sequences.offsets])


def _shares(baskets: Sequences, config: BasketsConfig) -> list[Sequences]:
    cut = pairwise(split_bounds(len(baskets.lengths), config.split))
    parts = [baskets.offsets[start : end + 1] for start, end in cut]
    return [Sequences(baskets.ids[offsets[0] : offsets[-1]], offsets - offsets[0]) for offsets in parts]


def _without_empty(baskets: Sequences, name: str, config: BasketsConfig) -> Sequences:
    offsets = np.unique(baskets.offsets)
    if len(offsets) < 2:
        raise InputError(
            f"the split {name!r} has no basket with a known item, data.split is {config.split}: give it a larger "
            "share, add baskets, or lower data.min_count"
        )
    return baskets._replace(offsets=offsets)


def _description(splits: dict[str, Sequences]) -> str:
    sizes = np.concatenate([part.lengths for part in splits.values()])
    alone = int((sizes == 1).sum())
    told = f" ({alone:,} of them of one item, which teach nothing)" if alone else ""
    return f"{sizes.sum():,} items in {len(sizes):,} baskets{told}"
