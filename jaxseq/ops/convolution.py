"""Convolutions along one axis or two, and their transposes.

x is [b, t, d] or [b, h, w, d], a kernel [k, d, f] or [k, k, d, f]: one [d, f] for each place of the window. As in all
of the field the kernel is not turned round: output i is the sum over places p of x[i * stride + p * dilation - before]
times kernel[p].

What is not finite in x makes the outputs not finite that see it, and in the gradient of the kernel all that its channel
has, whatever the gradient of those outputs: put zeros in its place first where that must not be.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from jaxseq.ops.block_convolution import convolve_blocks, is_of_blocks
from jaxseq.ops.loopable_convolution import LAYOUTS, convolve_loopable, convolve_transposed_loopable, spread
from jaxseq.ops.shapes import Array, is_open
from jaxseq.ops.spatial import Convention, Padding, PerAxis, Windows, transposed_windows, windows


def convolve(
    x: Float[Array, "b *n d"],
    kernel: Float[Array, "*k d f"],
    bias: Float[Array, " f"] | None = None,
    *,
    stride: PerAxis = 1,
    dilation: PerAxis = 1,
    padding: Padding = "valid",
) -> Float[Array, "b *m f"]:
    """The convolution of x with kernel, plus bias; padding is zeros. Products and result have the type of x.

    On a CPU it is `convolve_blocks` where windows of two axes lie side by side, else `convolve_loopable`; for both only
    reverse-mode differentiation is defined.

    Raises:
        ValueError: x and kernel do not go together, or as `spatial.windows` has it.
    """
    _require_pair(x, kernel)
    geometry = windows(x.shape[1:-1], kernel.shape[:-2], stride, dilation, padding)
    kernel = kernel.astype(x.dtype)
    if jax.default_backend() == "cpu" and not is_open(*x.shape) and x.size:
        blocks = x.ndim == 4 and is_of_blocks(geometry)
        y: Any = convolve_blocks(x, kernel, x.dtype) if blocks else convolve_loopable(x, kernel, geometry)
        return _plus(y, bias)
    y = lax.conv_general_dilated(
        x,
        kernel,
        geometry.stride,
        geometry.padding,
        rhs_dilation=geometry.dilation,
        dimension_numbers=LAYOUTS[x.ndim - 2],
    )
    return _plus(y, bias)


def convolve_transposed(
    x: Float[Array, "b *n d"],
    kernel: Float[Array, "*k d f"],
    bias: Float[Array, " f"] | None = None,
    *,
    stride: PerAxis = 1,
    dilation: PerAxis = 1,
    padding: Padding = "valid",
    output_size: PerAxis | None = None,
    convention: Convention = "keras",
) -> Float[Array, "b *m f"]:
    """The transpose of the convolution that goes from `output_size` and f channels to the size of x and d channels with
    this stride, dilation and padding; plus bias.

    That convolution has the kernel [k, f, d], this one with its last axes exchanged: x is multiplied by the transpose
    of its `convolution_matrix`. Several sizes become one by a stride, so which of them is meant may be said; what
    `output_size` and "same" are otherwise `spatial.transposed_windows` says, for Keras's convention and PyTorch's. An
    `output_padding` of PyTorch is what `output_size` has above the smallest one. On a CPU only reverse-mode
    differentiation is defined.

    Keras stores this kernel as [k, k, f, d], PyTorch as [d, f, k, k].

    Raises:
        ValueError: x and kernel do not go together, or as `spatial.transposed_windows` has it.
    """
    _require_pair(x, kernel)
    geometry = transposed_windows(x.shape[1:-1], kernel.shape[:-2], stride, dilation, padding, output_size, convention)
    kernel = kernel.astype(x.dtype)
    form = convolve_transposed_loopable if jax.default_backend() == "cpu" and x.size else spread
    return _plus(form(x, kernel, geometry), bias)


def convolution_matrix(
    kernel: Float[Array, "*k d f"],
    size: PerAxis,
    *,
    stride: PerAxis = 1,
    dilation: PerAxis = 1,
    padding: Padding = "valid",
) -> Float[Array, "m n"]:
    """The matrix that is the convolution: `convolve(x, kernel)`, laid out in one row, is this times x laid out so.

    For small sizes: it has a column for each number of a picture [*size, d], a row for each of the output's.

    Raises:
        ValueError: as `spatial.windows` has it.
    """
    _require_axes(kernel.ndim - 2)
    geometry = windows(size, kernel.shape[:-2], stride, dilation, padding)
    seen = [jnp.asarray(_seen(*axis), kernel.dtype) for axis in _by_axis(geometry)]
    spell = "oik,kdf->ofid" if len(seen) == 1 else "oik,pjl,kldf->opfijd"
    matrix = jnp.einsum(spell, *seen, kernel, precision=lax.Precision.HIGHEST)
    return matrix.reshape(int(np.prod(geometry.output)) * kernel.shape[-1], -1)


def _seen(n: int, m: int, k: int, s: int, d: int, pad: tuple[int, int]) -> np.ndarray:
    """[n, m, k]: whether output o sees input i in place p of its window."""
    output, place, source = np.arange(n)[:, None, None], np.arange(k), np.arange(m)[:, None]
    return output * s + place * d - pad[0] == source


def _by_axis(geometry: Windows) -> list[tuple[int, int, int, int, int, tuple[int, int]]]:
    """Of each axis how many windows, input places, kernel, stride, dilation and padding."""
    return list(
        zip(
            geometry.output,
            geometry.size,
            geometry.kernel,
            geometry.stride,
            geometry.dilation,
            geometry.padding,
            strict=True,
        )
    )


def _plus(y: Array, bias: Array | None) -> Array:
    # In the wider type, so that the gradient of the bias adds up in it.
    return y if bias is None else (y + bias).astype(y.dtype)


def _require_pair(x: Array, kernel: Array) -> None:
    _require_axes(x.ndim - 2)
    if kernel.ndim != x.ndim:
        raise ValueError(
            f"a kernel of shape {kernel.shape} does not go with x of shape {x.shape}: give one of {x.ndim} axes, a "
            "place in the window for each axis between batch and channels, then channels in and out"
        )
    if kernel.shape[-2] != x.shape[-1]:
        raise ValueError(
            f"a kernel of shape {kernel.shape} is for {kernel.shape[-2]} channels and x of shape {x.shape} has "
            f"{x.shape[-1]}: give a kernel with these as its last axis but one"
        )


def _require_axes(axes: int) -> None:
    if axes not in LAYOUTS:
        raise ValueError(f"{axes} axes cannot be convolved: give x [b, t, d] or [b, h, w, d], and kernels of that kind")
