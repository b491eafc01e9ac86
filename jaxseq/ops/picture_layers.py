"""Layers of a stack over pictures, as plain values: what each does and the shape that comes out of it.

A picture is [h, w, c]. All convolutions have a stride of 1, all pools a stride of their window.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, assert_never

Shape = tuple[int, int, int]
"""Height, width and channels."""

Edges = tuple[int, int]
"""Rows or columns added before and behind."""


class Convolution(NamedTuple):
    """features maps out, each the sum of kernel x kernel windows over the input, a bias and an activation.

    Transposed, every pixel of the input is spread over a kernel x kernel window of the output; `valid` gives
    kernel - 1 more rows and columns then, where it gives as many fewer otherwise.
    """

    features: int
    kernel: int = 3
    padding: Literal["same", "valid"] = "same"
    transposed: bool = False
    activation: Literal["linear", "relu", "sigmoid"] = "relu"


class MaxPool(NamedTuple):
    """The largest of each window x window block; blocks that stick out are dropped (`valid`) or filled up (`same`)."""

    window: int = 2
    padding: Literal["valid", "same"] = "valid"


class Upsample(NamedTuple):
    """Up by `factor`: each value repeated (nearest), in the corner of a block of zeros (nails), or put back where the
    matching MaxPool found it (unpool).

    The matching one is the last that has not been undone yet; the map gets the size that it had before it.
    """

    kind: Literal["nearest", "nails", "unpool"] = "nearest"
    factor: int = 2


Layer = Convolution | MaxPool | Upsample


def output_shapes(layers: Sequence[Layer], shape: Shape) -> list[Shape]:
    """Shapes after each of the layers.

    Raises:
        ValueError: a picture is too small for a layer, or an unpooling has no pooling to undo.
    """
    shapes: list[Shape] = []
    pooled: list[tuple[Shape, Shape]] = []
    for number, layer in enumerate(layers, 1):
        where = f"layer {number} of the stack, {layer}"
        match layer:
            case Convolution():
                height, width = (_convolved(size, layer, where) for size in shape[:2])
                shape = (height, width, layer.features)
            case MaxPool():
                before = shape
                height, width = (_pooled(size, layer, where) for size in shape[:2])
                shape = (height, width, shape[2])
                pooled.append((before, shape))
            case Upsample(kind="unpool"):
                if not pooled:
                    raise ValueError(f"{where}: there is no MaxPool left whose places it could fill: add one before it")
                before, after = pooled.pop()
                if shape != after:
                    raise ValueError(
                        f"{where}: a map of {_spelled(shape)} meets the places that a MaxPool found for one of "
                        f"{_spelled(after)}: give the convolutions since then padding 'same', the last one "
                        f"{after[2]} features"
                    )
                shape = before
            case Upsample():
                shape = (shape[0] * layer.factor, shape[1] * layer.factor, shape[2])
            case _:
                assert_never(layer)
        shapes.append(shape)
    return shapes


def edges(layer: Convolution) -> Edges:
    """Zeros to put around the input, so that a convolution without any gives what the layer does.

    A transposed convolution is one with the kernel turned by 180 degrees. `same` has more zeros behind than before, as
    Keras and TensorFlow have it, and a transposed one the other way round: it is the gradient of the one that is not.
    """
    around = layer.kernel - 1
    match layer.padding, layer.transposed:
        case "same", False:
            return around // 2, around - around // 2
        case "same", True:
            return around - around // 2, around // 2
        case "valid", True:
            return around, around
        case _:
            return 0, 0


def pool_edges(size: int, layer: MaxPool) -> Edges:
    """Rows or columns to put around `size` of them, less than zero where they are dropped."""
    over = -size % layer.window if layer.padding == "same" else -(size % layer.window)
    return (over // 2, over - over // 2) if over > 0 else (0, over)


def _spelled(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def _convolved(size: int, layer: Convolution, where: str) -> int:
    after = size + sum(edges(layer)) - layer.kernel + 1
    if after < 1:
        raise ValueError(f"{where}: {size} pixels are fewer than its window of {layer.kernel}: use padding 'same'")
    return after


def _pooled(size: int, layer: MaxPool, where: str) -> int:
    after = (size + sum(pool_edges(size, layer))) // layer.window
    if after < 1:
        raise ValueError(f"{where}: {size} pixels are fewer than its window of {layer.window}: use padding 'same'")
    return after
