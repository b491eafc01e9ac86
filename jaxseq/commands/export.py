"""`jaxseq export`: what a run has learned, as a file or a folder that other programs read."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxseq import console, runtime
from jaxseq.commands.arguments import new_file, parse
from jaxseq.errors import InputError
from jaxseq.paths import expanded, run_path
from jaxseq.signals import PATIENCE, Stopped, StopRequest, own_unless


@dataclass(frozen=True)
class ExportArguments:
    """Write what a model has learned for other programs.

    To a folder, a name without an ending or with a / behind it: the weights (model.safetensors), the experiment
    (config.json), tokenizers and labels, and what the model computes as functions that JAX alone runs (NAME.jaxexport).

    To a file, in the format that its name says: the vectors of its words, or whatever its tokens are, as .npz or
    .safetensors ("words" and "vectors"), .txt or .vec (as word2vec writes text), .glove (as GloVe does) or .bin
    (word2vec's binary format, or fastText's where n-grams have vectors); n-grams as .arpa. With --format all weights of
    the model, for another library."""

    run: tyro.conf.Positional[Path]
    """Run directory, as runs/bag_lm."""
    output: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FOLDER/|FILE")]
    """Folder or file to write, which must not be there; an empty folder may."""
    checkpoint: Literal["best", "newest"] = "best"
    """The checkpoint that did best on the validation split (by train.metric), or the last one."""
    format: Literal["name", "keras", "torch", "safetensors"] = "name"
    """What a file holds: what its name says, or all layers for Keras (.weights.h5 or .h5) or PyTorch (a state_dict), or
    the weights as in a folder's model.safetensors."""
    weights_only: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Write no functions to the folder."""


_ENDS = {"keras": ("weights.h5", "h5", "keras"), "torch": ("pt", "pth"), "safetensors": ("safetensors",)}
"""Of names of files, the best first."""


def main(argv: Sequence[str], *, program: str, stop: StopRequest | None = None) -> int:
    """Parses, writes, says what; returns the exit code."""
    arguments = parse(ExportArguments, argv, program=program)
    run, output = run_path(arguments.run), expanded(arguments.output)
    is_folder = arguments.output.endswith(("/", os.sep)) or not output.suffix or output.is_dir()
    _require_fit(arguments, output, is_folder=is_folder)
    output = output if is_folder else new_file(output)
    runtime.configure(devices=1)
    with own_unless(stop) as stop:
        stop.patience = PATIENCE
        from jaxseq.runs.export import export_folder, export_run, export_weights  # after that: it imports JAX

        try:
            checkpoint = arguments.checkpoint
            if is_folder:
                only = arguments.weights_only
                what = export_folder(run, output, checkpoint=checkpoint, weights_only=only, poll=stop.poll)
            elif arguments.format == "name":
                what = export_run(run, output, checkpoint=checkpoint, poll=stop.poll)
            else:
                what = export_weights(run, output, arguments.format, checkpoint=checkpoint)
        except Stopped as stopped:
            return stopped.exit_code
    console.show(f"{what} in {arguments.output}")
    return 0


def _require_fit(arguments: ExportArguments, output: Path, *, is_folder: bool) -> None:
    """Refuses options that mean nothing beside others."""
    named, asked = arguments.output, arguments.format
    if is_folder and asked != "name":
        raise InputError(f"{named} is a folder, and --format is for files: name one, as model.{_ENDS[asked][0]}")
    if not is_folder and arguments.weights_only:
        raise InputError(f"{named} is a file, and --weights-only is for folders: leave it out")
    if not is_folder and asked == "name":
        for library in ("keras", "torch"):
            if output.suffix.lower().lstrip(".") in _ENDS[library]:
                raise InputError(f"{named} is the name of a file of layers: give --format {library} to write these")
