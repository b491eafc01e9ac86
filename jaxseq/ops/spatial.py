"""Geometry of what looks through windows: convolutions, poolings, and what goes back up from them.

Along each axis a window has `kernel` places that lie `dilation` apart, and begins every `stride` places of the input,
which is `padding` longer before and behind. A number stands for the same along all axes.
"""

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Literal, NamedTuple

Padding = Literal["valid", "same"] | Sequence[tuple[int, int]]
"""Places beside the input: none for "valid"; for "same" as many as make the output ceil(size / stride), one more behind
than before where they are odd in number, as Keras and TensorFlow have it; or (before, behind) for each axis, so that
PyTorch's padding 1 of two axes is [(1, 1), (1, 1)]."""

Convention = Literal["keras", "pytorch"]
"""Whose padding and size a transposed convolution has; see `transposed_windows`."""

PerAxis = int | Sequence[int]
"""A number for all axes, or one for each."""


class Windows(NamedTuple):
    """The windows of a convolution or a pooling, one entry for each axis: window i of an axis begins at the place
    i * stride - padding[0] of the input."""

    size: tuple[int, ...]
    """Of the input, without padding."""
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    output: tuple[int, ...]
    """How many windows there are."""


def windows(
    size: PerAxis, kernel: PerAxis, stride: PerAxis = 1, dilation: PerAxis = 1, padding: Padding = "valid"
) -> Windows:
    """How many windows there are, and where. As many axes as there are numbers in `size`, or else in `kernel`.

    Raises:
        ValueError: a number is too small, or not one for each axis; the padding is none; no window goes into an axis.
    """
    axes = _axes(size, kernel)
    sizes, kernels = per_axis(size, axes, "size", least=0), per_axis(kernel, axes, "kernel")
    strides, dilations = per_axis(stride, axes, "stride"), per_axis(dilation, axes, "dilation")
    pads = _pads(sizes, kernels, strides, dilations, padding)
    output = []
    for axis, (n, k, s, d, (before, behind)) in enumerate(zip(sizes, kernels, strides, dilations, pads, strict=True)):
        room = n + before + behind - span(k, d)
        if room < 0 and padding != "same":
            raise ValueError(
                f"a kernel of {k} with dilation {d} spans {span(k, d)} places and does not go into the "
                f"{n + before + behind} that axis {axis} has with its padding: give a smaller one or padding 'same'"
            )
        output.append(room // s + 1)
    return Windows(sizes, kernels, strides, dilations, pads, tuple(output))


def transposed_windows(
    size: PerAxis,
    kernel: PerAxis,
    stride: PerAxis = 1,
    dilation: PerAxis = 1,
    padding: Padding = "valid",
    output_size: PerAxis | None = None,
    convention: Convention = "keras",
) -> Windows:
    """The windows of the convolution that a transposed one is the transpose of.

    Its `output` is `size`, and its `size` is what the transposed one gives out: `output_size`, by default

    | padding  | "keras"                       | "pytorch"                   |
    |----------|-------------------------------|-----------------------------|
    | "valid"  | (n - 1) stride + the larger of span and stride | (n - 1) stride + span |
    | "same"   | n stride                      | n stride                    |
    | explicit | (n - 1) stride + span - before - behind | the same          |

    where a kernel spans (kernel - 1) dilation + 1 places. "same" of "keras" is that of the convolution from
    `output_size` to n, which has more padding behind; of "pytorch" it is as much before as behind, half of span -
    stride, rounded up: what has to be written as `padding` there, with an `output_padding`, to come to n stride.

    Raises:
        ValueError: as for `windows`; or no convolution of `output_size` has the output `size`.
    """
    if convention not in ("keras", "pytorch"):
        raise ValueError(f"the convention {convention!r} is unknown: give 'keras' or 'pytorch'")
    axes = _axes(size, kernel)
    sizes, kernels = per_axis(size, axes, "size"), per_axis(kernel, axes, "kernel")
    strides, dilations = per_axis(stride, axes, "stride"), per_axis(dilation, axes, "dilation")
    spans = tuple(span(k, d) for k, d in zip(kernels, dilations, strict=True))
    if padding == "same" and convention == "pytorch":
        halves = [max(0, -((s - reach) // 2)) for reach, s in zip(spans, strides, strict=True)]
        padding = [(half, half) for half in halves]
        default = tuple(n * s for n, s in zip(sizes, strides, strict=True))
    elif padding == "same":
        default = tuple(n * s for n, s in zip(sizes, strides, strict=True))
    else:
        pads = _pads(sizes, kernels, strides, dilations, padding)
        wide = padding == "valid" and convention == "keras"
        default = tuple(
            (n - 1) * s + (max(reach, s) if wide else reach) - before - behind
            for n, s, reach, (before, behind) in zip(sizes, strides, spans, pads, strict=True)
        )
    asked = default if output_size is None else per_axis(output_size, axes, "output_size")
    _require_possible(asked, sizes, spans, strides, padding)
    return windows(asked, kernels, strides, dilations, padding)


class Reach(NamedTuple):
    """One layer of a stack, along one axis."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    """Padding before the input."""


class ReceptiveField(NamedTuple):
    """What the outputs of a stack see along one axis: output i sees from the place start + i * jump of the input
    `size` places on (of which dilation may leave some out, and some may be padding)."""

    size: int
    jump: int
    start: int


def receptive_field(layers: Iterable[Reach | tuple[int, ...]]) -> ReceptiveField:
    """Of a stack of layers (kernel, stride, dilation, before), the first one first; what is left out is as in `Reach`.
    A pooling is a layer with the size of its window as kernel.

    >>> receptive_field([(3,), (3,), (3,)])
    ReceptiveField(size=7, jump=1, start=0)
    >>> receptive_field([Reach(3, before=1), Reach(2, stride=2), Reach(3, before=1)])
    ReceptiveField(size=8, jump=2, start=-3)

    Raises:
        ValueError: a kernel, stride or dilation is below 1, or padding below 0.
    """
    size, jump, start = 1, 1, 0
    for at, layer in enumerate(layers):
        reach = Reach(*layer)
        if min(reach.kernel, reach.stride, reach.dilation) < 1 or reach.before < 0:
            raise ValueError(f"layer {at} is {reach}: give kernel, stride and dilation from 1, before from 0")
        size += (reach.kernel - 1) * reach.dilation * jump
        start -= reach.before * jump
        jump *= reach.stride
    return ReceptiveField(size, jump, start)


def span(kernel: int, dilation: int) -> int:
    """Places from the first to the last that a kernel looks at."""
    return (kernel - 1) * dilation + 1


def per_axis(value: PerAxis, axes: int, name: str, *, least: int = 1) -> tuple[int, ...]:
    """`value` as one number for each axis; errors call it `name`.

    Raises:
        ValueError: there are not as many, or one is below `least`.
    """
    given = tuple(value) if isinstance(value, Sequence) else (value,) * axes
    if len(given) != axes:
        raise ValueError(f"{name} {value} has {len(given)} numbers for {axes} axes: give one for each, or a single one")
    if not all(isinstance(number, Integral) and number >= least for number in given):
        raise ValueError(f"{name} {value} cannot be used: give whole numbers from {least}")
    return given


def _axes(size: PerAxis, kernel: PerAxis) -> int:
    return next((len(given) for given in (size, kernel) if isinstance(given, Sequence)), 1)


def _pads(
    size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], padding: Padding
) -> tuple[tuple[int, int], ...]:
    if padding == "valid":
        return ((0, 0),) * len(size)
    if padding == "same":
        totals = [
            max((-(-n // s) - 1) * s + span(k, d) - n, 0)
            for n, k, s, d in zip(size, kernel, stride, dilation, strict=True)
        ]
        return tuple((total // 2, total - total // 2) for total in totals)
    pairs = padding if isinstance(padding, Sequence) and not isinstance(padding, str) else ()
    if len(pairs) != len(size) or not all(_is_pair(pair) for pair in pairs):
        raise ValueError(
            f"padding {padding!r} does not fit {len(size)} axes: give 'valid', 'same', or for each axis a pair "
            "(before, behind) of numbers from 0"
        )
    return tuple((before, behind) for before, behind in pairs)


def _is_pair(pair: object) -> bool:
    return isinstance(pair, Sequence) and len(pair) == 2 and all(isinstance(n, Integral) and int(n) >= 0 for n in pair)


def _require_possible(
    asked: Sequence[int], size: Sequence[int], spans: Sequence[int], stride: Sequence[int], padding: Padding
) -> None:
    """`asked` is a size from which the convolution comes to `size`."""
    for axis, (wanted, n, reach, s) in enumerate(zip(asked, size, spans, stride, strict=True)):
        beside = reach - 1 if isinstance(padding, str) and padding == "same" else 0
        beside = beside if isinstance(padding, str) else sum(padding[axis])
        least = (n - 1) * s + reach - beside
        if not max(1, least) <= wanted < least + s:
            possible = f"from {max(1, least)} to {least + s - 1}" if s > 1 else f"of {least}"
            raise ValueError(
                f"no convolution of {wanted} places with stride {s} and this padding has {n} outputs along axis "
                f"{axis}, so none can be transposed: give an output_size {possible}, or other padding"
            )
