"""The memory that a training takes at the least, of what it trains and of what it holds of a batch."""

import jax

from jaxseq.config import ExperimentConfig
from jaxseq.memory import Part, size_of
from jaxseq.tasks.task import Task
from jaxseq.training.devices import choose_devices
from jaxseq.training.intervals import Intervals
from jaxseq.training.optim import Optimizer
from jaxseq.training.row_updates import tables_of


def training_parts(experiment: ExperimentConfig, task: Task, optimizer: Optimizer) -> list[Part]:
    """What a device holds while it trains; on CPU the devices are cores, and all of them are counted."""
    loader = task.loader("train", train=True)
    model = experiment.train.model_devices
    mesh = choose_devices(experiment.train.devices, loader.batch_size, model=model)[0].mesh
    devices = len(mesh.local_devices)
    together = jax.devices()[0].platform == "cpu"
    copies, share = (devices // model, jax.process_count()) if together else (1 / model, mesh.size // model)

    params = jax.eval_shape(task.init, jax.random.key(0))["params"]
    state = jax.eval_shape(optimizer.transform.init, params)
    gradients, kept = 2 if optimizer.accumulate > 1 else 1, 2 if optimizer.ema_decay else 1
    tables = tables_of(params, optimizer)  # of these there are gradients of rows
    whole = [leaf for i, leaf in enumerate(jax.tree.leaves(params)) if i not in tables]
    smaller = "lower model.features or model.layers"
    most = Intervals.of(experiment.train, loader.steps_per_epoch, uniform=loader.uniform).most
    parameters = kept * size_of(params) + gradients * size_of(whole)
    return [
        Part("parameters and their gradients", int(copies * parameters), smaller),
        Part(f"the state of {experiment.optimizer.kind}", int(copies * size_of(state)), smaller),
        *(part._replace(size=part.size // share) for part in task.training_memory(batches=most)),
    ]
