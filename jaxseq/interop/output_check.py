"""What a model's outputs add up to for an example, kept with its weights: so that whoever reads these learns whether
they came to their places, which shapes alone do not tell of gates or of square kernels.

It stands in the metadata of a .safetensors, under the key "jaxseq.check", as JSON:

{"function": "logits", "inputs": {"tokens": [[0, 3, ...]]}, "tolerance": 0.001,
 "outputs": {"logits": {"sum": 1.5, "absolute": 20.25, "placed": 0.5}}}

"sum" adds up the numbers of the output, "absolute" their sizes, and "placed" the numbers times (place + 1) / count, in
the order of rows: a sum alone would not notice columns in another order. Inputs that are not named are as they begin:
a carry is the initial one, and a mask True everywhere.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.interop.safetensors_files import read_metadata
from jaxseq.reading import shown

CHECK = "jaxseq.check"
_TOLERANCES = {"float32": 1e-3, "bfloat16": 5e-2}
"""Of "absolute", by the type of activations: rounding and a GPU's shorter products stay below it."""


class Sums(NamedTuple):
    """What an output adds up to."""

    sum: float
    absolute: float
    placed: float


class OutputCheck(NamedTuple):
    """An example, and what comes of it."""

    function: str
    inputs: Mapping[str, NDArray[np.int32]]
    outputs: Mapping[str, Sums]
    tolerance: float = _TOLERANCES["float32"]

    @classmethod
    def of(
        cls,
        function: str,
        inputs: Mapping[str, NDArray[np.int32]],
        outputs: Mapping[str, NDArray[np.floating]],
        *,
        dtype: str = "float32",
    ) -> "OutputCheck":
        """That of outputs by name; `dtype` is the type of activations."""
        sums = {name: sums_of(output) for name, output in outputs.items()}
        return cls(function, inputs, sums, _TOLERANCES[dtype])

    def to_text(self) -> str:
        """As JSON."""
        return json.dumps(
            {
                "function": self.function,
                "inputs": {name: np.asarray(ids).tolist() for name, ids in self.inputs.items()},
                "outputs": {name: sums._asdict() for name, sums in self.outputs.items()},
                "tolerance": self.tolerance,
            }
        )

    def require(self, outputs: Mapping[str, NDArray[np.floating]], *, path: Path) -> None:
        """Refuses weights of `path` with which other outputs come.

        Raises:
            InputError: an output is missing, or adds up to something else.
        """
        for name, wanted in self.outputs.items():
            if name not in outputs:
                raise InputError(f"{shown(path)} has a check of {shown(name)}, which this model does not give")
            found = sums_of(outputs[name])
            room = self.tolerance * max(wanted.absolute, found.absolute)
            if not all(abs(one - other) <= room for one, other in zip(found, wanted, strict=True)):  # NaN is refused
                raise InputError(
                    f"{shown(path)} does not give what it gave: for the example in its {CHECK} {shown(name)} adds up "
                    f"to {found.sum:.6g}, {found.placed:.6g} by places, where it was {wanted.sum:.6g}, "
                    f"{wanted.placed:.6g}: its arrays are in another order, or it was made by another model"
                )


def sums_of(output: NDArray[np.floating]) -> Sums:
    """Those of an output, in float64."""
    flat = np.asarray(output, np.float64).reshape(-1)
    places = np.arange(1, flat.size + 1) / max(1, flat.size)
    return Sums(float(flat.sum()), float(np.abs(flat).sum()), float(flat @ places))


def read_check(path: Path) -> OutputCheck | None:
    """The check in a .safetensors; None where it has none.

    Raises:
        InputError: the file cannot be read, or what stands there is no check.
    """
    text = read_metadata(path).get(CHECK)
    if text is None:
        return None
    try:
        tree: Any = json.loads(text)
        return OutputCheck(
            str(tree["function"]),
            {str(name): np.array(ids, np.int32) for name, ids in tree["inputs"].items()},
            {
                str(name): Sums(**{part: float(sums[part]) for part in Sums._fields})
                for name, sums in tree["outputs"].items()
            },
            float(tree["tolerance"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(
            f"{shown(path)}: its {CHECK} is no check of outputs ({shown(error)}): export it again"
        ) from error
