"""The least that a request takes of memory, against the arrays that are made."""

import sys

import jax
import numpy as np
import pytest

from jaxseq.decoding import Transcript, generate
from jaxseq.models import RNNLanguageModel, TransformerLanguageModel
from jaxseq.tasks import memory
from jaxseq.text import CharTokenizer

MODELS = [
    RNNLanguageModel(vocabulary_size=11, features=16, layers=2, cell="lstm"),
    TransformerLanguageModel(vocabulary_size=11, features=16, layers=2, heads=2, context=8),
]


@pytest.mark.parametrize("model", MODELS, ids=["lstm", "transformer"])
@pytest.mark.parametrize("rows", [1, 7])
def test_it_is_made_of_what_each_row_has(model, rows):
    carry = sum(leaf.nbytes for leaf in jax.tree.leaves(model.initial_carry(rows)))
    tokenizer = CharTokenizer.train("hello world")
    transcript = Transcript(tokenizer, "hello")
    python = sum(map(sys.getsizeof, (transcript, transcript.__dict__, transcript._decoder, transcript._filter)))
    least = memory.sampling_bytes(model, 11, rows=rows, length=0)
    assert least > carry + rows * (11 * 4 + generate.__globals__["_LARGEST_CHUNK"] * 4)
    assert least < 2 * (carry + rows * (python + 11 * 4 + 4 * 64))
    assert memory.sampling_bytes(model, 11, rows=rows, length=1000) == least + 500 * rows
    tokens = rows * 100 * np.dtype(np.int32).itemsize
    assert carry + 2 * tokens < memory.evaluation_bytes(model, rows=rows, length=100) < carry + 3 * tokens


def test_nothing_is_made_to_find_it_out():
    assert memory.sampling_bytes(MODELS[1], 11, rows=2**31 - 1, length=2**31 - 1) > 2**60


def test_what_lies_on_another_device_does_not_count_as_the_host_s(monkeypatch):
    monkeypatch.setattr(memory.jax, "default_backend", lambda: "gpu")
    assert memory.sampling_bytes(MODELS[0], 11, rows=1, length=0) == memory.sampling_bytes(
        MODELS[1], 11, rows=1, length=0
    )
