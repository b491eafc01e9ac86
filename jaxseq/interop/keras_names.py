"""What Keras calls its layers and their weights, in files of any of its versions, and the one name each has here."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

_CELL = ("kernel", "recurrent_kernel", "bias")
_PLAIN = ("kernel", "bias")
_NORMAL = ("gamma", "beta")
_DIMENSIONS = ("1D", "2D", "3D")
_WEIGHTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("LSTMCell", "GRUCell", "SimpleRNNCell"), _CELL),
    **dict.fromkeys(("Dense", "EinsumDense"), _PLAIN),
    **{f"{kind}{d}{end}": _PLAIN for kind, end in (("Conv", ""), ("Conv", "Transpose")) for d in _DIMENSIONS},
    **{f"DepthwiseConv{d}": _PLAIN for d in _DIMENSIONS[:2]},
    **{f"SeparableConv{d}": ("depthwise_kernel", "pointwise_kernel", "bias") for d in _DIMENSIONS[:2]},
    "Embedding": ("embeddings",),
    "LayerNormalization": _NORMAL,
    "GroupNormalization": _NORMAL,
    "BatchNormalization": (*_NORMAL, "moving_mean", "moving_variance"),
    "PReLU": ("alpha",),
}
"""The weights of a layer in their order, by its class: files of Keras 3 only number them."""
_OTHERS = (
    *(
        "LSTM",
        "GRU",
        "SimpleRNN",
        "RNN",
        "StackedRNNCells",
        "Bidirectional",
        "TimeDistributed",
        "InputLayer",
        "Dropout",
    ),
    *("SpatialDropout1D", "SpatialDropout2D", "Activation", "Softmax", "ReLU", "LeakyReLU", "Flatten", "Reshape"),
    *(
        "Permute",
        "RepeatVector",
        "Masking",
        "Concatenate",
        "Add",
        "Multiply",
        "Average",
        "Attention",
        "AdditiveAttention",
    ),
    *("MultiHeadAttention", "GlobalMaxPooling1D", "GlobalAveragePooling1D", "MaxPooling1D", "MaxPooling2D"),
    *("AveragePooling1D", "AveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling2D", "UpSampling2D"),
)
_FORWARD, _BACKWARD = "forward", "backward"


class Weight(NamedTuple):
    """An array with the names of what it lies in, from the outside to the inside, and its own."""

    path: tuple[str, ...]
    name: str
    array: NDArray[Any]


def snake_case(class_name: str) -> str:
    """The name that files of Keras 3 give to a layer of a class: "conv2d_transpose" for Conv2DTranspose.

    >>> [snake_case(name) for name in ("LSTM", "SimpleRNN", "TimeDistributed", "Conv2DTranspose")]
    ['lstm', 'simple_rnn', 'time_distributed', 'conv2d_transpose']
    """
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", class_name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


_CLASSES = {snake_case(name): name for name in (*_WEIGHTS, *_OTHERS)}


def class_of(name: str) -> str:
    """The class that a name was made from: "lstm_2" is of an LSTM; "" for other names.

    >>> class_of("conv2d_transpose_1"), class_of("encoder")
    ('Conv2DTranspose', '')
    """
    return _CLASSES.get(re.sub(r"_\d+$", "", name), "")


def names_of(class_name: str, config: Mapping[str, Any], count: int) -> Sequence[str]:
    """The names of the weights of a layer that has so many; numbers, where its class and count do not say."""
    names = _WEIGHTS.get(class_name, ())
    if names[:2] == _NORMAL:
        without = {"gamma": config.get("scale") is False, "beta": config.get("center") is False}
        names = tuple(name for name in names if not without.get(name, False))
    elif names[-1:] == ("bias",) and count == len(names) - 1:
        names = names[:-1]
    return names if len(names) == count else [str(number) for number in range(count)]


def standard_names(weights: Sequence[Weight]) -> dict[str, NDArray[Any]] | None:
    """The weights of one layer by the shortest names that tell them apart; None where two have the same.

    Of what a weight lies in only that is kept which not all beside it lie in too, and the two directions of a
    bidirectional layer are "forward" and "backward": "model/bidirectional/forward_lstm_2/lstm_cell/kernel" becomes
    "forward/kernel", and "model/lstm/lstm_cell/kernel" becomes "kernel".
    """
    found = dict(_shortened(list(weights)))
    return found if len(found) == len(weights) else None


def _shortened(weights: list[Weight]) -> Iterator[tuple[str, NDArray[Any]]]:
    # Where all lie in one, it tells none from another.
    while weights and all(each.path for each in weights) and len({each.path[0] for each in weights}) == 1:
        weights = [each._replace(path=each.path[1:]) for each in weights]
    outer = [*dict.fromkeys(each.path[0] for each in weights if each.path)]
    directions = {_direction(name) for name in outer}
    is_bidirectional = len(outer) == 2 and directions == {_FORWARD, _BACKWARD}
    for each in weights:
        if not each.path:
            yield each.name, each.array
    for name in outer:
        inner = [each._replace(path=each.path[1:]) for each in weights if each.path[:1] == (name,)]
        shown = _direction(name) if is_bidirectional else name
        yield from ((f"{shown}/{rest}", array) for rest, array in _shortened(inner))


def _direction(name: str) -> str:
    return next((each for each in (_FORWARD, _BACKWARD) if name.startswith(f"{each}_")), "")
