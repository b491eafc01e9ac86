"""What a run has learned, written to a file that other programs read, or to a folder with all of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from jaxseq import __version__, console
from jaxseq.config import to_json
from jaxseq.errors import InputError
from jaxseq.interop.exported import ExportedFunction, named, write_functions, write_weights
from jaxseq.interop.output_check import CHECK, OutputCheck
from jaxseq.runs.exporting_layers import write_layers
from jaxseq.runs.load import Run, load_run
from jaxseq.runs.output_checks import example_outputs
from jaxseq.runs.ownership import CONFIG
from jaxseq.signals import Poll, never
from jaxseq.storage.atomic import replacing, writing
from jaxseq.storage.new_folder import require_free
from jaxseq.tasks.capabilities import Exports
from jaxseq.tasks.exported_functions import functions_of, weights_of


def export_run(run_dir: Path, path: Path, *, checkpoint: Literal["best", "newest"] = "best", poll: Poll = never) -> str:
    """Writes the file, which appears when it is whole; what it holds, in words.

    Args:
        poll: called between two pieces of it.

    Raises:
        InputError: the run cannot be read, has nothing to write to a file of such a name, or it cannot be written.
    """
    run = _loaded(run_dir, checkpoint)
    if not isinstance(run.task, Exports):
        raise InputError(
            f"the model in {run_dir} has learned nothing that goes into a {path.suffix} file: export it to a folder, "
            f"{path.stem}/"
        )
    exports = run.task.exports(run.variables)
    chosen = exports.get(path.suffix.lower())
    if chosen is None:
        raise InputError(
            f"{path.name} ends in {path.suffix!r}: what {run_dir} has learned goes to {', '.join(exports)}, or to "
            f"a folder, {path.name}/"
        )
    pieces = chosen.content()
    first = next(pieces, b"")  # what cannot be written is refused before the file is there
    with replacing(path) as file, writing(path):
        file.write(first)
        for piece in pieces:
            poll()
            file.write(piece)
    return chosen.what


def export_weights(
    run_dir: Path,
    path: Path,
    format: Literal["keras", "torch", "safetensors"],
    *,
    checkpoint: Literal["best", "newest"] = "best",
) -> str:
    """Writes all weights to one file, for Keras or PyTorch as `write_layers` has it, or as in a folder that
    `export_folder` writes; the file appears when it is whole. What it holds, in words.

    Raises:
        InputError: the run cannot be read, the model has layers that the library does not have, or the file cannot be
            written.
    """
    run = _loaded(run_dir, checkpoint)
    if format != "safetensors":
        return write_layers(run, path, format)
    weights = weights_of(run.variables)
    write_weights(path, weights, header=_header(run, functions_of(run.task, run.variables), weights))
    return f"{len(named(weights)):,} arrays of weights are"


def export_folder(
    run_dir: Path,
    folder: Path,
    *,
    checkpoint: Literal["best", "newest"] = "best",
    weights_only: bool = False,
    poll: Poll = never,
) -> str:
    """Writes a folder with the weights, the experiment, what the task keeps with it (tokenizers, labels), and unless
    `weights_only` the functions that the task has; it appears when it is whole. What it holds, in words.

    Args:
        poll: called between two functions.

    Raises:
        InputError: the run cannot be read; something is at `folder` that is no empty folder; it cannot be written; or a
            library is missing.
    """
    require_free(folder)
    run = _loaded(run_dir, checkpoint)
    functions, weights = functions_of(run.task, run.variables), weights_of(run.variables)
    write_functions(
        folder,
        {} if weights_only else functions,
        weights,
        metadata={"name": run.experiment.name, "step": run.step, "jaxseq": __version__},
        header=_header(run, functions, weights),
        files={CONFIG: to_json(run.experiment).encode(), **run.task.artifacts()},
        poll=poll,
    )
    arrays = f"{len(named(weights)):,} arrays of weights"
    if weights_only:
        return f"{arrays} are"
    if not functions:
        console.tell(
            f"the model in {run_dir} has no functions to export (task.kind {run.experiment.task.kind}, model.kind "
            f"{run.experiment.model.kind}): its weights are written alone"
        )
        return f"{arrays} are"
    return f"{arrays} and the function{'s' * (len(functions) > 1)} {', '.join(functions)} are"


def _loaded(run_dir: Path, checkpoint: Literal["best", "newest"]) -> Run:
    run = load_run(run_dir, checkpoint=checkpoint)
    for line in run.skipped:
        console.tell(f"skipped a checkpoint: {line}")
    return run


def _header(run: Run, functions: Mapping[str, ExportedFunction], weights: Any) -> dict[str, str]:
    """What goes with the weights in their file."""
    about = {"format": "jaxseq", "jaxseq.version": __version__, "jaxseq.step": str(run.step)}
    check = _check(functions, weights, dtype=run.experiment.train.compute_dtype)
    return about if check is None else {**about, CHECK: check.to_text()}


def _check(functions: Mapping[str, ExportedFunction], weights: Any, *, dtype: str) -> OutputCheck | None:
    """What the first function with an example gives for that; None where there is none."""
    for name, function in functions.items():
        if not function.example:
            continue
        ids = {own: value for own, value in function.example.items() if value.dtype != np.bool_}
        return OutputCheck.of(name, ids, example_outputs(functions, name, weights, ids), dtype=dtype)
    return None
