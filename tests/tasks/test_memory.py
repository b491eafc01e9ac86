"""What a training holds at the least, against what it then holds; and what there is."""

import jax
import numpy as np
import pytest

from jaxseq.config import DataConfig, ExperimentConfig, OptimizerConfig, RNNConfig, TrainConfig, TransformerConfig
from jaxseq.data.loader import RowLoader
from jaxseq.errors import InputError
from jaxseq.tasks import memory
from jaxseq.tasks.language_model import build_model, init_params
from jaxseq.tasks.memory import Part, available_memory, require_memory, sampling_parts, training_parts
from jaxseq.training.dispatch import stack_batches
from jaxseq.training.optim import make_optimizer
from jaxseq.training.state import init_state


def size(tree):
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("section", [RNNConfig(features=16), TransformerConfig(features=16, context=8)])
def test_parts_are_as_large_as_the_arrays_that_are_then_made(section, accumulate):
    config = ExperimentConfig(
        data=DataConfig(batch_size=4, length=8),
        model=section,
        optimizer=OptimizerConfig(accumulate=accumulate),
        train=TrainConfig(steps=20, log_every=5, steps_per_dispatch=7, devices=1),
    )
    model = build_model(section, vocabulary_size=11)
    loader = RowLoader(np.arange(1000) % 11, length=8, batch_size=4)
    optimizer = make_optimizer(config.optimizer, steps=20)
    params, carry = init_params(model, seed=0), model.initial_carry(4)
    state = init_state(params, optimizer, key=jax.random.key(0), carry=carry)
    sizes = {part.what: part.size for part in training_parts(config, model, loader, optimizer)}
    assert sizes["parameters and their gradients"] == (1 + accumulate) * size(params)
    assert sizes["the state of adam"] == size(state.opt_state)
    assert sizes["the carry"] == size(carry)
    assert sizes["5 batches for one dispatch"] == size(stack_batches(loader, 0, 5, 5))
    assert ("the weights of attention" in sizes) == isinstance(section, TransformerConfig)
    sample = {part.what: part.size for part in sampling_parts(model, rows=4, length=10)}
    assert sample["the carry"] == size(carry)


def test_what_is_more_than_there_is_is_refused_with_the_largest_part_and_its_remedy():
    parts = [Part("the carry", 10**10, "lower this"), Part("batches", 3 * 10**10, "lower that")]
    require_memory("training", parts, 4 * 10**10)
    require_memory("training", parts, None)
    with pytest.raises(InputError) as caught:
        require_memory("training", parts, 4 * 10**10 - 1)
    told = "training needs at least 40.0 GB of memory, 30.0 GB of it for batches, and 40.0 GB are free: lower that"
    assert str(caught.value) == told


def test_this_machine_has_some_memory():
    available = available_memory()
    assert available is None or available > 10**6


@pytest.mark.parametrize(
    ("limit", "used", "stat", "left"),
    [
        ("1000", "400", "active_file 100\ninactive_file 50\n", 750),
        ("1000", "400", None, 600),
        ("max", "400", None, None),
        (str(2**63 - 4096), "400", None, None),
        ("1000", "4000", None, 0),
        ("1000", None, None, None),
    ],
)
def test_what_a_container_leaves_is_its_limit_less_what_is_held(tmp_path, limit, used, stat, left):
    for name, text in (("memory.max", limit), ("memory.current", used), ("memory.stat", stat)):
        if text is not None:
            (tmp_path / name).write_text(text)
    assert memory._container_free(tmp_path) == [left, None]
