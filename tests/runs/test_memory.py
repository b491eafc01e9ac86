"""What a training holds at the least, against what it then holds; and what there is."""

import tracemalloc

import jax
import numpy as np
import pytest

from jaxseq.config import AdamConfig, CorpusConfig, ExperimentConfig, RNNConfig, TrainConfig, TransformerConfig
from jaxseq.data.loader import RowLoader
from jaxseq.decoding import Transcript
from jaxseq.errors import InputError
from jaxseq.runs import memory
from jaxseq.runs.memory import Part, evaluation_parts, require_memory, sampling_parts, training_parts
from jaxseq.tasks.language_modeling import build_model, init_params
from jaxseq.text import CharTokenizer
from jaxseq.training.dispatch import stack_batches
from jaxseq.training.optim import make_optimizer
from jaxseq.training.state import init_state


def size(tree):
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("section", [RNNConfig(features=16), TransformerConfig(features=16, context=8)])
def test_parts_are_as_large_as_the_arrays_that_are_then_made(section, accumulate):
    config = ExperimentConfig(
        data=CorpusConfig(batch_size=4, length=8),
        model=section,
        optimizer=AdamConfig(accumulate=accumulate),
        train=TrainConfig(steps=20, log_every=5, steps_per_dispatch=7, devices=1),
    )
    model = build_model(section, vocabulary_size=11)
    loader = RowLoader(np.arange(1000) % 11, length=8, batch_size=4)
    optimizer = make_optimizer(config.optimizer, steps=20)
    params, carry = init_params(model, seed=0), model.initial_carry(4)
    state = init_state({"params": params}, optimizer, key=jax.random.key(0), carry=carry)
    sizes = {part.what: part.size for part in training_parts(config, model, loader, optimizer)}
    assert sizes["parameters and their gradients"] == (1 + accumulate) * size(params)
    assert sizes["the state of adam"] == size(state.opt_state)
    assert sizes["the carry"] == size(carry)
    assert sizes["5 batches for one dispatch"] == size(stack_batches(loader, 0, 5, 5))
    assert ("the weights of attention" in sizes) == isinstance(section, TransformerConfig)
    sample = {part.what: part.size for part in sampling_parts(model, params, rows=4, length=10)}
    assert sample["the carry"] == size(carry)


@pytest.fixture
def limited(monkeypatch):
    """Sets the bytes that host and device have; None for a device that is the host."""

    def limit(host, device=None):
        monkeypatch.setattr(memory.runtime, "memory_limit", lambda: host)
        monkeypatch.setattr(memory, "_device_limit", lambda: device)

    return limit


def test_what_is_more_than_there_is_is_refused_with_the_largest_part_and_its_remedy(limited):
    parts = [Part("the carry", 10**10, "lower this", on_host=True), Part("batches", 3 * 10**10, "lower that")]
    for enough in ((4 * 10**10, None), (None, None), (10**10, 3 * 10**10)):
        limited(*enough)
        require_memory("training", parts)
    limited(4 * 10**10 - 1)
    with pytest.raises(InputError) as caught:
        require_memory("training", parts)
    told = "training needs at least 40.0 GB of memory, 30.0 GB of it for batches, and there are 40.0 GB: lower that"
    assert str(caught.value) == told
    limited(10**12, 3 * 10**10 - 1)
    with pytest.raises(InputError, match=r"needs at least 30.0 GB of memory, .* and there are 30.0 GB: lower both"):
        require_memory("training", parts, remedy="lower both")
    limited(10**10 - 1, 10**12)
    with pytest.raises(InputError, match=r"10.0 GB of it for the carry, .*: lower this"):
        require_memory("training", parts)


def test_the_texts_of_samples_are_counted_with_half_a_byte_a_token():
    model = build_model(RNNConfig(features=16), vocabulary_size=11)

    def texts(rows, length):
        (size,) = (part.size for part in sampling_parts(model, {}, rows=rows, length=length) if part.on_host)
        return size

    tracemalloc.start()
    try:
        tokenizer = CharTokenizer.train("hello world")
        Transcript(tokenizer, "hello")  # its tables are made once
        before, _ = tracemalloc.get_traced_memory()
        transcripts = [Transcript(tokenizer, "hello") for _ in range(100)]
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert held / 4 < texts(len(transcripts), 0) < held
    assert texts(7, 1000) == texts(7, 0) + 7 * 500


def test_an_evaluation_holds_a_batch_and_the_carry_of_its_rows():
    model = build_model(TransformerConfig(features=16, context=8), vocabulary_size=11)
    sizes = {part.what: part.size for part in evaluation_parts(model, {}, rows=5, length=100)}
    assert sizes["the carry"] == size(model.initial_carry(5))
    assert sizes["a batch"] == 5 * 100 * 10


def test_nothing_is_made_to_find_it_out():
    model = build_model(TransformerConfig(), vocabulary_size=11)
    parts = sampling_parts(model, {}, rows=2**31 - 1, length=2**31 - 1)
    assert sum(part.size for part in parts) > 2**60
