"""What a training, an evaluation and a sample hold at the least, against what they then hold."""

import dataclasses
import json
import tracemalloc

import jax
import numpy as np
import pytest

from jaxseq.config import AdamConfig, CorpusConfig, ExperimentConfig, RNNConfig, TrainConfig, TransformerConfig
from jaxseq.data import Corpus
from jaxseq.decoding import Transcript
from jaxseq.runs.memory import training_parts
from jaxseq.tasks.language.corpus_splits import CorpusSplits
from jaxseq.tasks.language.language_modeling import LanguageModeling
from jaxseq.text import CharTokenizer
from jaxseq.training.dispatch import stack_batches
from jaxseq.training.optim import make_optimizer
from jaxseq.training.state import init_state

TOKENIZER = CharTokenizer.train("hello world")
ARTIFACTS = {"tokenizer.json": json.dumps(TOKENIZER.to_json()).encode()}


def size(tree):
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


def task_of(**sections) -> LanguageModeling:
    """The task of an experiment, on 1,000 tokens."""
    experiment = ExperimentConfig(**sections)
    task = LanguageModeling.restore(experiment, ARTIFACTS)
    ids = np.arange(1000, dtype=np.int32) % len(TOKENIZER.vocabulary)
    assert isinstance(experiment.data, CorpusConfig)
    return dataclasses.replace(task, texts=CorpusSplits(experiment.data, TOKENIZER, Corpus(ids, np.array([0]))))


@pytest.mark.parametrize(("accumulate", "ema_decay"), [(1, 0.0), (2, 0.0), (1, 0.9)])
@pytest.mark.parametrize("section", [RNNConfig(features=16), TransformerConfig(features=16, context=8)])
def test_parts_are_as_large_as_the_arrays_that_are_then_made(section, accumulate, ema_decay):
    task = task_of(
        data=CorpusConfig(batch_size=4, length=8),
        model=section,
        optimizer=AdamConfig(accumulate=accumulate, ema_decay=ema_decay),
        train=TrainConfig(steps=20, log_every=5, steps_per_dispatch=7, devices=1),
    )
    loader, optimizer = task.loader("train", train=True), make_optimizer(task.experiment.optimizer, steps=20)
    variables, carry = task.init(jax.random.key(0)), task.initial_carry(4)
    state = init_state(variables, optimizer, key=jax.random.key(0), carry=carry)
    sizes = {part.what: part.size for part in training_parts(task.experiment, task, optimizer)}
    assert sizes["parameters and their gradients"] == (1 + accumulate) * size(variables) + size(state.average)
    assert sizes["the state of adam"] == size(state.opt_state)
    assert sizes["the carry"] == size(carry)
    assert sizes["5 batches for one dispatch"] == size(stack_batches(loader, 0, 5, 5))
    assert ("the weights of attention" in sizes) == isinstance(section, TransformerConfig)
    sample = {part.what: part.size for part in task.sampling_memory(rows=4, length=10)}
    assert sample["the carry"] == size(carry)
    assert sample["parameters"] == size(variables)


def test_windows_have_no_carry_and_devices_of_their_own_a_copy_of_the_parameters_each():
    if jax.device_count() < 2:
        pytest.skip("needs 2 devices")
    data = CorpusConfig(batch_size=4, length=8, layout="windows")

    def parts(devices):
        task = task_of(data=data, train=TrainConfig(steps=20, devices=devices))
        optimizer = make_optimizer(task.experiment.optimizer, steps=20)
        return {part.what: part.size for part in training_parts(task.experiment, task, optimizer)}

    one, two = parts(1), parts(2)
    assert "the carry" not in one
    for what in one:
        copied = what in ("parameters and their gradients", "the state of adam")
        assert two[what] == (2 * one[what] if copied else one[what])


def test_the_texts_of_samples_are_counted_with_half_a_byte_a_token():
    task = task_of(model=RNNConfig(features=16))

    def texts(rows, length):
        (size,) = (part.size for part in task.sampling_memory(rows=rows, length=length) if part.on_host)
        return size

    tracemalloc.start()
    try:
        Transcript(TOKENIZER, "hello")  # its tables are made once
        before, _ = tracemalloc.get_traced_memory()
        transcripts = [Transcript(TOKENIZER, "hello") for _ in range(100)]
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert held / 4 < texts(len(transcripts), 0) < held
    assert texts(7, 1000) == texts(7, 0) + 7 * 500


def test_an_evaluation_holds_a_batch_and_the_carry_of_its_rows():
    task = task_of(model=TransformerConfig(features=16, context=8), data=CorpusConfig(length=100))
    sizes = {part.what: part.size for part in task.evaluation_memory(rows=5)}
    assert sizes["the carry"] == size(task.model.initial_carry(5))
    assert sizes["a batch"] == 5 * 100 * 10


def test_nothing_is_made_to_find_it_out():
    task = task_of(model=TransformerConfig())
    parts = task.sampling_memory(rows=2**31 - 1, length=2**31 - 1)
    assert sum(part.size for part in parts) > 2**60
