"""Sources without a mask, and what texts about them come after."""

import jax
import numpy as np
import pytest

from jaxseq.config import CaptionerConfig
from jaxseq.decoding import Beam, Sampling, beam_decode, sample_decode
from jaxseq.errors import InputError
from jaxseq.tasks.captioning.captioners import build_captioner
from jaxseq.tasks.picture_form import PictureForm

END, ROWS, LONGEST = 0, 8, 6
FORM = PictureForm(8, 8, 1, (0.5,), (0.3,))
MODEL = build_captioner(
    CaptionerConfig(filters=(4,), poolings=1, features=6, embedding=4, cell="gru"),
    form=FORM,
    vocabulary_size=7,
    start_token=1,
)
DRAW = np.random.default_rng(0)
PICTURES = DRAW.integers(0, 256, (ROWS, *FORM.shape)).astype(np.uint8)
BEGIN = np.arange(ROWS, dtype=np.int32) % 7


@pytest.fixture(scope="module")
def params():
    params = MODEL.init(jax.random.key(0), PICTURES, np.ones((ROWS, 1), np.int32))["params"]
    return jax.tree.map(lambda x: x + 0.8 * DRAW.normal(size=x.shape).astype(np.float32), params)


@pytest.fixture(scope="module")
def logits_after(params):
    """(pictures, inputs [b, t]) -> logits of what comes next."""
    apply = jax.jit(lambda pictures, inputs: MODEL.apply({"params": params}, pictures, inputs))
    return lambda pictures, inputs: np.asarray(apply(pictures, np.asarray(inputs, np.int32)))[:, -1]


def greedy(logits_after, begin):
    """The likeliest token each time, by the whole model anew for every token."""
    texts = []
    for row in range(ROWS):
        ids = [begin[row]]
        while len(ids) <= LONGEST and (len(ids) == 1 or ids[-1] != END):
            padded = np.array([ids])
            ids.append(int(logits_after(PICTURES[row : row + 1], padded)[0].argmax()))
        texts.append(ids[1:])
    return texts


@pytest.mark.parametrize("begin", [None, BEGIN], ids=["as the model has it", "a token a row"])
def test_greedy_search_and_greedy_samples_are_the_likeliest_token_each_time(params, logits_after, begin):
    options = {"mask": None, "end": END, "max_length": LONGEST, "begin": begin}
    expected = greedy(logits_after, np.ones(ROWS, int) if begin is None else begin)
    found = beam_decode(MODEL, params, PICTURES, beam=Beam(1), **options)
    assert [found.tokens[row, 0, : found.lengths[row, 0]].tolist() for row in range(ROWS)] == expected
    drawn = sample_decode(MODEL, params, PICTURES, key=jax.random.key(0), sampling=Sampling(greedy=True), **options)
    assert [drawn.tokens[row, : drawn.lengths[row]].tolist() for row in range(ROWS)] == expected


def test_what_a_text_comes_after_costs_nothing_and_is_no_part_of_it(params, logits_after):
    options = {"mask": None, "end": END, "max_length": LONGEST, "begin": BEGIN, "beam": Beam(3)}
    found = beam_decode(MODEL, params, PICTURES, **options)
    for row in range(ROWS):
        ids, total = [BEGIN[row]], 0.0
        for token in found.tokens[row, 0, : found.lengths[row, 0]].tolist():
            logits = logits_after(PICTURES[row : row + 1], np.array([ids]))[0].astype(float)
            total += logits[token] - np.log(np.exp(logits).sum())
            ids.append(token)
        np.testing.assert_allclose(found.log_probabilities[row, 0], total, atol=1e-4)


def test_a_coverage_penalty_works_without_a_mask(params):
    options = {"mask": None, "end": END, "max_length": LONGEST}
    plain = beam_decode(MODEL, params, PICTURES, beam=Beam(3), **options)
    covering = beam_decode(MODEL, params, PICTURES, beam=Beam(3, coverage_penalty=0.5), **options)
    assert (np.asarray(covering.scores[:, 0]) < np.asarray(plain.scores[:, 0])).all()


def test_what_does_not_fit_is_told(params):
    options = {"mask": None, "end": END, "max_length": LONGEST}
    with pytest.raises(InputError, match="3 tokens to begin with do not fit 8 rows: give one a row"):
        beam_decode(MODEL, params, PICTURES, begin=BEGIN[:3], **options)
    with pytest.raises(InputError, match="row 2 begins with token 7: the ids go from 0 to 6"):
        beam_decode(MODEL, params, PICTURES, begin=np.where(np.arange(ROWS) == 2, 7, 1), **options)
    with pytest.raises(InputError, match=r"a source of shape \[0, 8, 8, 1\] cannot be read: give \[b, ...\]"):
        beam_decode(MODEL, params, PICTURES[:0], **options)
