"""Words in batches with the texts that they stand in."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data.examples import Sequences
from jaxseq.data.text_windows import TextWindowLoader
from jaxseq.data.word_windows import WordWindowLoader

SIZES = st.lists(st.integers(0, 9), min_size=1, max_size=9).filter(lambda sizes: max(sizes) > 1)


@settings(max_examples=40)
@given(SIZES, st.integers(1, 7), st.integers(1, 3), st.floats(0.3, 1), st.booleans())
def test_every_centre_is_with_the_text_it_stands_in(sizes, length, batch_size, chance, shuffle):
    # Each word is another one, so that its id tells its place.
    offsets = np.cumsum([0, *sizes])
    texts = Sequences(np.arange(offsets[-1], dtype=np.int32), offsets)
    chances = np.where(np.arange(offsets[-1]) % 2, 1.0, chance)
    options = {"chances": chances, "window": 2, "length": length, "batch_size": batch_size, "shuffle": shuffle}
    words = WordWindowLoader(texts, **options)
    loader = TextWindowLoader(words)
    assert (loader.steps_per_epoch, loader.batch_size, loader.uniform) == (words.steps_per_epoch, batch_size, True)
    for step in range(2 * loader.steps_per_epoch):
        batch = loader(step)
        for mine, whole in zip(batch.words, words(step), strict=True):
            np.testing.assert_array_equal(mine, whole)
        inside = np.arange(length) < batch.words.centres[:, None]
        centres = batch.words.tokens[:, 2:-2][inside]
        np.testing.assert_array_equal(batch.texts[inside], np.searchsorted(offsets, centres, side="right") - 1)
        assert (batch.texts[~inside] == -1).all()
        assert batch.texts.shape == (batch_size, length)
