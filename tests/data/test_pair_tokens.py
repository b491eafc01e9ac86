"""Pairs as token ids, and those that are too long to train on."""

import numpy as np
import pytest

from jaxseq.data import PairLoader, Pairs, PairSource, choose_shapes, encode_pairs, read_pairs
from jaxseq.errors import InputError
from jaxseq.text import BytePairTokenizer, PairTokenizers, WordTokenizer

PAIRS = Pairs(["eins", "eins zwei drei", "zwei drei"], ["one", "one two", "two two two"])


@pytest.fixture(scope="module")
def tokens():
    tokenizers = PairTokenizers.train(PAIRS.sources, PAIRS.targets, WordTokenizer.train, WordTokenizer.train)
    return encode_pairs(tokenizers, PAIRS)


def test_lengths_count_ends_and_no_start(tokens):
    assert tokens.source_lengths.tolist() == [2, 4, 3]
    assert tokens.target_lengths.tolist() == [2, 3, 4]
    assert tokens.overview() == "3 pairs, sources and targets of 3.0 and 3.0 tokens, at most 4 and 4"


def test_pairs_with_a_longer_side_are_left_out_of_training_and_told(tokens):
    assert tokens.within(4, 4) is tokens
    assert tokens.longer(4, 4) == ""
    kept = tokens.within(3, 4)
    assert kept.source_lengths.tolist() == [2, 3]
    assert kept.targets.ids.tolist() == [*tokens.targets.ids[:3], *tokens.targets.ids[7:]]
    assert tokens.longer(4, 2) == (
        "2 of 3 pairs are left out of training, which have more than 4 tokens in the source or 2 in the target; the "
        "first one, pair 2, has 4 and 3"
    )
    with pytest.raises(InputError, match=r"all 3 pairs to train on have more .* raise --data\.source-length"):
        tokens.within(1, 9)


def test_batches_of_multi30k_hold_its_sentences_with_little_padding(data_folder):
    folder = data_folder / "multi30k"
    pairs = read_pairs(PairSource(str(folder / "val.de.gz"), str(folder / "val.en.gz")))
    tokenizers = PairTokenizers.train(
        pairs.sources, pairs.targets, lambda texts: BytePairTokenizer.train(texts, size=2_000), None
    )
    tokens = encode_pairs(tokenizers, pairs)
    shapes = choose_shapes(tokens.source_lengths, tokens.target_lengths, count=8)
    loader = PairLoader(*tokens, shapes=shapes, batch_tokens=4_096, shuffle=False)
    texts = [""] * 1_014
    for step in range(loader.steps_per_epoch):
        batch = loader(step)
        for row, at in enumerate(loader.rows(step).tolist()):
            texts[at] = tokenizers.decode(batch.targets[row])
            source = batch.source[row][batch.source_mask[row]]
            assert np.array_equal(source, tokenizers.encode_source(pairs.sources[at]))
    assert texts == pairs.targets
    one = PairLoader(*tokens, shapes=shapes[-1:], batch_tokens=4_096)
    assert loader.padding < 0.25 < 0.5 < one.padding
