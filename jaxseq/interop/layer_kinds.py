"""Layers whose weights go to Keras and PyTorch and come from there, and the names that their weights have here.

| kind             | weights                                                   | gates side by side            |
|------------------|-----------------------------------------------------------|-------------------------------|
| embedding        | table [v, d]                                              |                               |
| lstm             | input_kernel [d, 4f], recurrent_kernel [f, 4f], bias [4f] | input forget candidate output |
| gru              | the same with 3f, and recurrent_bias [3f]                 | reset update candidate        |
| gru_reset_before | the same with 3f                                          | reset update candidate        |
| rnn              | the same with f                                           | hidden                        |
| dense            | kernel [d, f], bias [f]                                   |                               |
| conv             | kernel [k, d, f] or [k, k, d, f], bias [f]                |                               |
| conv_transpose   | the same                                                  |                               |
| norm             | scale [d], bias [d]                                       |                               |

A bidirectional layer has the weights of its cell twice, "forward/bias" and "backward/bias". The GRU with `reset_after`
is "gru"; "gru_reset_before" is that without.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.reading import shown

Weights = Mapping[str, NDArray[Any]]
"""The weights of a layer by name."""

GATES: Mapping[str, int] = {"lstm": 4, "gru": 3, "gru_reset_before": 3, "rnn": 1}
"""The recurrent kinds, and how many gates each has."""
FORWARD, BACKWARD = "forward/", "backward/"


class FileLayer(NamedTuple):
    """A layer that a file holds weights of, under the names of whoever wrote it."""

    name: str
    kinds: tuple[str, ...]
    """What it can be, for some look the same; none where it is nothing that is read."""
    weights: Weights
    convert: Callable[[str, Weights], dict[str, NDArray[Any]]]
    """(kind, weights) -> the weights as this package has them."""
    said: str = ""
    """What its file calls it: "GRU"."""
    activation: str = ""
    """Of a dense layer, where the file says it."""

    @property
    def is_bidirectional(self) -> bool:
        """Whether it has two directions."""
        return is_bidirectional(self.weights)

    def converted(self, kind: str) -> dict[str, NDArray[Any]]:
        """Its weights as this package has them, where it is of this kind.

        Raises:
            InputError: their shapes are those of no such layer.
        """
        try:
            return self.convert(kind, self.weights)
        except (ValueError, KeyError, IndexError) as error:  # of NumPy, on gates that cannot be taken apart
            shapes = ", ".join(f"{shown(name)} {' x '.join(map(str, x.shape))}" for name, x in self.weights.items())
            raise InputError(f"{shown(self.name)} is damaged: {shapes} are no weights of one {kind}") from error


def is_bidirectional(weights: Mapping[str, Any]) -> bool:
    """Whether these are the weights of two directions."""
    return any(name.startswith(BACKWARD) for name in weights)


def each_way(
    convert: Callable[[str, Weights], dict[str, NDArray[Any]]],
) -> Callable[[str, Weights], dict[str, NDArray[Any]]]:
    """`convert`, which of a bidirectional layer is called for each direction."""

    def both(kind: str, weights: Weights) -> dict[str, NDArray[Any]]:
        if not is_bidirectional(weights):
            return convert(kind, weights)
        found: dict[str, NDArray[Any]] = {}
        for side in (FORWARD, BACKWARD):
            own = {name.removeprefix(side): array for name, array in weights.items() if name.startswith(side)}
            found |= {f"{side}{name}": array for name, array in convert(kind, own).items()}
        return found

    return both
