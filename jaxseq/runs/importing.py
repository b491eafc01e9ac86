"""A run that begins with weights from elsewhere: a run directory as `train` makes it, at step 0."""

import dataclasses
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from numpy.typing import NDArray

from jaxseq import console
from jaxseq.config import ExperimentConfig, TransformerConfig, to_json
from jaxseq.errors import InputError
from jaxseq.interop.gpt2_files import gpt2_params, gpt2_settings, is_gpt2
from jaxseq.interop.layer_matching import match_layers
from jaxseq.interop.named_params import Tensor, require_fit
from jaxseq.interop.output_check import read_check
from jaxseq.interop.weight_files import WeightFile, config_beside, read_weights, weights_in
from jaxseq.opening import open_regular
from jaxseq.reading import reading, shown
from jaxseq.runs.load import DATA
from jaxseq.runs.model_layers import model_layers
from jaxseq.runs.output_checks import require_outputs, require_sums
from jaxseq.runs.ownership import CONFIG
from jaxseq.signals import StopRequest, own_unless
from jaxseq.storage.atomic import write_atomic, writing
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.storage.new_folder import new_folder, require_free
from jaxseq.tasks.capabilities import fits_at_once
from jaxseq.tasks.task import Task, Workspace, task_of
from jaxseq.training.intervals import total_steps
from jaxseq.training.loop import Storage, Training, begin
from jaxseq.training.optim import make_optimizer
from jaxseq.training.state import init_state

_TOKENIZER, _PARAMS = "tokenizer.json", "params"
_IDS = (
    "ids are those of a tokenizer trained on the data, the most frequent first: where the weights know others, give "
    "theirs as --tokenizer"
)
_LARGEST_ARTIFACT = 2**28


class Given(NamedTuple):
    """What a run is made of beside its experiment."""

    weights: Path
    """A file, or a folder of Hugging Face's or of `jaxseq export`."""
    tokenizer: Path | None = None
    """Of the model, where it is not the one that the data give."""
    check: Path | None = None
    """An .npz of inputs and what came of them, see `jaxseq.runs.output_checks`."""


def import_run(
    experiment: ExperimentConfig, given: Given, run_dir: Path, *, stop: StopRequest | None = None
) -> list[str]:
    """Makes the run directory, which appears when it is whole and checked; what was done, line by line.

    Raises:
        InputError: something given cannot be used, the weights do not fit the model or compute something else in it,
            or something is at `run_dir`.
        Stopped: a signal has come.
    """
    require_free(run_dir)
    path = weights_in(given.weights)
    file = read_weights(path)
    with own_unless(stop) as stop, _parents(run_dir), new_folder(run_dir) as building:
        stop.poll()
        task, told = _create(experiment, given, building, stop)
        if fits_at_once(task):
            raise InputError(f"model.kind is {experiment.model.kind!r}: it is counted, and no weights are read for it")
        variables = _variables(task, experiment, file, path)
        told.append(
            f"{len(jax.tree.leaves(variables['params'])):,} arrays of {shown(given.weights)} are the parameters"
        )
        if not file.layers or path.suffix == ".safetensors":
            check = read_check(path)
            if check is not None:
                require_sums(task, variables, check, path)
                told.append("outputs are those of the check in the file")
        if given.check is not None:
            largest = require_outputs(task, variables, given.check)
            told.append(f"outputs are those of {shown(given.check)}, the largest difference {largest:.1e}")
        stop.poll()
        _save(experiment, task, variables, building)
    return told


def _variables(task: Task, experiment: ExperimentConfig, file: WeightFile, path: Path) -> dict[str, Any]:
    """The model's variables with the parameters of the file: our own names, a GPT-2, or layers in their order.

    Raises:
        InputError: the file is none of these, or does not fit the model.
    """
    place, key = shown(path), jax.random.key(experiment.train.seed)
    shapes = jax.eval_shape(task.init, key)
    wanted = {collection: _flat(tree) for collection, tree in shapes.items()}
    found = _own(place, file.tensors, wanted)
    if found is None and is_gpt2(file.tensors):
        found = {_PARAMS: _gpt2(place, experiment, file.tensors, wanted[_PARAMS], config_beside(path))}
    elif found is None and (kind := config_beside(path).get("model_type")) is not None:
        raise InputError(
            f"{place} is of model_type {shown(kind)}: of Hugging Face's models GPT-2 becomes a run, and an encoder of "
            "BERT's kind starts a classifier, by --task.weights of `jaxseq train`"
        )
    elif found is None:
        found = {_PARAMS: match_layers(place, file.layers, model_layers(task), is_ordered=file.is_ordered)}
    variables = {name: unflatten_dict(arrays, sep="/") for name, arrays in found.items()}
    if set(shapes) != set(variables):  # what no other library has begins as in a new run
        variables = dict(task.init(key)) | variables
    return jax.tree.map(jnp.asarray, variables)


def _own(
    place: str, tensors: Mapping[str, NDArray[Any]], wanted: Mapping[str, Mapping[str, tuple[int, ...]]]
) -> dict[str, dict[str, NDArray[Any]]] | None:
    """Arrays by collection, of a file with the names that `jaxseq export` writes; None where most have others."""
    # By the name in the file: the parameters by their own, those of other collections below theirs.
    places = {
        f"{'' if collection == _PARAMS else f'{collection}.'}{path.replace('/', '.')}": (collection, path)
        for collection, shapes in wanted.items()
        for path in shapes
    }
    if len(places.keys() & tensors.keys()) * 2 <= len(tensors):
        return None
    shapes = {name: wanted[collection][path] for name, (collection, path) in places.items()}
    fitting = require_fit(place, {name: Tensor(name, array) for name, array in tensors.items()}, shapes)
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for name, (collection, path) in places.items():
        found.setdefault(collection, {})[path] = fitting[name]
    return found


def _gpt2(
    place: str,
    experiment: ExperimentConfig,
    tensors: Mapping[str, NDArray[Any]],
    wanted: Mapping[str, tuple[int, ...]],
    config: Mapping[str, Any],
) -> dict[str, NDArray[Any]]:
    section = experiment.model
    if not isinstance(section, TransformerConfig):
        raise InputError(f"{place} is a GPT-2, and model.kind is {section.kind!r}: give --model.kind transformer")
    settings = gpt2_settings(place, tensors, config)
    changed = [_option(name, value) for name, value in settings.items() if getattr(section, name) != value]
    if changed:
        raise InputError(f"{place} is a GPT-2 of another form than the model: give {' '.join(changed)}")
    found = gpt2_params(place, tensors, tied=section.tie_embedding)
    if len(found["embedding"].array) != wanted["embedding"][0]:
        raise InputError(
            f"{place} knows {len(found['embedding'].array):,} tokens, and the tokenizer {wanted['embedding'][0]:,}: "
            "give the tokenizer.json beside it as --tokenizer, with --data.tokenizer bpe"
        )
    return require_fit(place, found, wanted)


def _option(name: str, value: object) -> str:
    """A field of the model section as it is typed."""
    words = f"--model.{'' if value is not False else 'no-'}{name.replace('_', '-')}"
    return words if isinstance(value, bool) else f"{words} {value}"


def _flat(tree: Any) -> dict[str, tuple[int, ...]]:
    flat: Any = flatten_dict(tree, sep="/")
    return {path: leaf.shape for path, leaf in flat.items()}


def _create(experiment: ExperimentConfig, given: Given, building: Path, stop: StopRequest) -> tuple[Task, list[str]]:
    """The task with its data, by the tokenizer that is given or lies beside the weights, and what to tell of that."""
    line, told = console.ProgressLine(), []
    workspace = Workspace(
        directory=building,
        poll=stop.poll,
        waiting=stop.raising,
        tell=console.tell,
        progress=line.show,
    )
    kind, tokenizer = task_of(experiment), given.tokenizer
    artifacts = None if tokenizer is not None else _beside(given.weights)
    if artifacts is not None:
        told.append(f"taken along of {shown(given.weights)}: {', '.join(artifacts)}")
    elif tokenizer is None and given.weights.is_dir() and os.path.lexists(given.weights / _TOKENIZER):
        tokenizer = given.weights / _TOKENIZER
        told.append(f"the tokenizer is {shown(tokenizer)}")
    try:
        if tokenizer is not None:
            if not hasattr(experiment.data, "tokenizer_file"):
                raise InputError(f"data.kind is {experiment.data.kind!r}, which reads no text: leave --tokenizer out")
            # The run keeps the configuration that it was made like; the tokenizer goes into its checkpoints.
            data: Any = dataclasses.replace(experiment.data, tokenizer_file=str(tokenizer))
            artifacts = kind.create(dataclasses.replace(experiment, data=data), workspace).artifacts()
        elif artifacts is None and getattr(experiment.data, "tokenizer_file", None) == "":
            told.append(_IDS)
        return kind.create(experiment, dataclasses.replace(workspace, artifacts=artifacts)), told
    finally:
        line.end()


def _beside(folder: Path) -> dict[str, bytes] | None:
    """What a folder of `jaxseq export` has of its task, by name; None of another folder, or of a file."""
    if not folder.is_dir() or "task" not in config_beside(folder / CONFIG):
        return None
    found = {}
    for path in sorted(folder.iterdir()):
        is_own = path.name in (CONFIG, "export.json") or path.suffix in (".safetensors", ".jaxexport")
        if not is_own and path.is_file() and path.stat().st_size <= _LARGEST_ARTIFACT:
            with reading(path), open_regular(path) as stream:
                found[path.name] = stream.read()
    return found


def _save(experiment: ExperimentConfig, task: Task, variables: Mapping[str, Any], run_dir: Path) -> None:
    """Writes the configuration and the checkpoint of step 0."""
    loader = task.loader("train", train=True)
    optimizer = make_optimizer(experiment.optimizer, steps=total_steps(experiment.train, loader.steps_per_epoch))
    key, carry = jax.random.key(experiment.train.seed), task.initial_carry(loader.batch_size)
    state = init_state(variables, optimizer, key=jax.random.fold_in(key, 1), carry=carry)
    described = to_json(experiment).encode()
    write_atomic(run_dir / CONFIG, described)
    store = CheckpointStore(run_dir / "checkpoints", keep=experiment.train.keep)
    storage = Storage(run_dir, store, {DATA: task.fingerprint()}, {CONFIG: described, **task.artifacts()})
    begin(Training(task.loss, state, loader, optimizer, None, task.metrics), storage, experiment.train)


@contextmanager
def _parents(path: Path) -> Iterator[None]:
    """The folders above a path, made if need be, and removed again where the body fails."""
    with writing(path):
        new = [parent for parent in path.parents if not parent.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for parent in new:
            with suppress(OSError):  # not empty: someone else's
                parent.rmdir()
        raise
