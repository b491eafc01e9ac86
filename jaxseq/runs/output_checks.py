"""Whether weights that came from elsewhere compute here what they computed there."""

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.interop.exported import ExportedFunction
from jaxseq.interop.output_check import OutputCheck
from jaxseq.opening import open_regular
from jaxseq.reading import reading, shown
from jaxseq.tasks.capabilities import ExportsFunctions
from jaxseq.tasks.task import Task

_NAMES, _TEXTS = ("inputs", "outputs"), "texts"
_DAMAGE = (ValueError, KeyError, TypeError, EOFError, AttributeError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What NumPy raises of files that are no .npz, by what is wrong with them."""
_TOLERANCE = 3e-3
"""Of the largest output: sums in another order and a GPU's shorter products stay below it."""


def require_outputs(task: Task, variables: Mapping[str, Any], path: Path) -> float:
    """Holds the model's outputs against those in an .npz: "inputs" [b, t], token ids, and "outputs", what came of them
    elsewhere: logits, their softmax or its logarithm; of every token or of the last; of two classes, the probability
    of the second alone. With "texts" [b] it also holds the tokenizer's ids of these against the inputs, which may be
    longer. The largest difference.

    Raises:
        InputError: it cannot be read, has inputs or outputs that are none of this model's, or other ones come.
    """
    ids, theirs, texts = _read(path)
    model: Any = getattr(task, "model", None)
    if model is None or not hasattr(model, "apply") or ids.ndim != 2:
        raise InputError(f"{shown(path)}: its inputs are no texts [b, t], which are all that outputs are compared for")
    size = getattr(getattr(task, "tokenizer", None), "vocabulary_size", None)
    if size is not None and not 0 <= ids.min() <= ids.max() < size:
        raise InputError(
            f"{shown(path)}: its inputs are ids from {ids.min()} to {ids.max()}, and the tokenizer has {size:,}: give "
            "those of the same tokenizer"
        )
    _require_ids(task, ids, texts, path)
    shapes = jax.eval_shape(lambda: model.apply(variables, jnp.asarray(ids)))
    shape = (shapes[0] if isinstance(shapes, tuple) else shapes).shape
    returned = jax.jit(model.apply)(variables, jnp.asarray(ids))
    logits = np.asarray(returned[0] if isinstance(returned, tuple) else returned, np.float64)
    scale = max(1e-6, float(np.abs(theirs).max(initial=0)))
    differences = [float(np.abs(each - theirs).max(initial=0)) for each in _forms(logits) if each.shape == theirs.shape]
    if not differences:
        raise InputError(
            f"{shown(path)}: its outputs are {_size(theirs.shape)}, and the model's {_size(shape)}: give those of the "
            "same model"
        )
    least = min(differences)
    if not least <= _TOLERANCE * scale:  # NaN is refused
        raise InputError(
            f"the weights compute something else here than {shown(path)} has: outputs of up to {scale:.4g} differ by "
            f"{least:.4g}: gates, layers or rows were saved in another order, or the check is of another model"
        )
    return least


def require_sums(task: Task, variables: Mapping[str, Any], check: OutputCheck, path: Path) -> None:
    """Holds the model's outputs against the check that its file carries.

    Raises:
        InputError: other ones come, or the check is of a function that the model has not.
    """
    functions = task.functions() if isinstance(task, ExportsFunctions) else {}
    function = functions.get(check.function)
    if function is None or not set(check.inputs) <= set(function.inputs):
        raise InputError(f"{shown(path)} was checked by {shown(check.function)}, which this model does not have")
    arrays = example_outputs(functions, check.function, variables, check.inputs)
    check.require(arrays, path=path)


def example_outputs(
    functions: Mapping[str, ExportedFunction], name: str, weights: Any, inputs: Mapping[str, NDArray[np.int32]]
) -> dict[str, NDArray[Any]]:
    """What the function of that name gives for an example, by name and without its carry. What is not among the inputs
    is as it begins: a carry the initial one, a mask True everywhere."""
    function, first = functions[name], next(iter(inputs.values()))
    given = []
    for own, spec in function.inputs.items():
        if own in inputs:
            given.append(jnp.asarray(inputs[own]))
        elif own == "carry":
            given.append(functions["initial_carry"].function(weights, np.zeros(len(first), np.int32)))
        else:
            given.append(jnp.ones(first.shape, spec.dtype))
    returned = jax.jit(function.function)(weights, *given)
    outputs = returned if len(function.outputs) > 1 else (returned,)
    return {own: np.asarray(array) for own, array in zip(function.outputs, outputs, strict=True) if own != "carry"}


def _forms(logits: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """What other programs give in place of logits."""
    every = [logits, logits[:, -1]] if logits.ndim == 3 else [logits]
    for each in every:
        shifted = each - each.max(axis=-1, keepdims=True)
        logarithms = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        yield from (each, np.exp(logarithms), logarithms)
        if each.shape[-1] == 2:
            yield from (each[..., 1:] - each[..., :1], np.exp(logarithms)[..., 1:])


def _require_ids(task: Task, ids: NDArray[np.int32], texts: Sequence[str], path: Path) -> None:
    """Refuses a tokenizer that gives texts other ids than a check has."""
    for text, row in zip(texts, ids, strict=False):
        try:
            own = cast(Any, task).tokenizer.encode(text)
        except UnknownSymbolError as error:
            raise InputError(f"{shown(path)}: the tokenizer cannot read its text {shown(text)}: {error}") from error
        if own.tolist() != row[: len(own)].tolist():
            raise InputError(
                f"{shown(path)}: the tokenizer reads {shown(text)} as {_listed(own)}, and the weights were given "
                f"{_listed(row)}: give their own as --tokenizer"
            )


def _listed(ids: NDArray[np.int32]) -> str:
    return f"{' '.join(map(str, ids[:8].tolist()))}{' ...' if len(ids) > 8 else ''}"


def _read(path: Path) -> tuple[NDArray[np.int32], NDArray[np.float64], list[str]]:
    try:
        with reading(path), open_regular(path) as stream, np.load(stream, allow_pickle=False) as file:
            ids, outputs = (np.asarray(file[name]) for name in _NAMES)
            texts = [str(text) for text in np.ravel(file[_TEXTS])] if _TEXTS in file else []
    except _DAMAGE as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{shown(path)} is no .npz with {' and '.join(_NAMES)} ({shown(error)})") from error
    if ids.dtype.kind not in "iu" or outputs.dtype.kind != "f" or not ids.size:
        raise InputError(f"{shown(path)}: inputs must be whole numbers, token ids [b, t], and outputs floats")
    return ids.astype(np.int32), outputs.astype(np.float64), texts


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"
