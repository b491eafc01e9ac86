"""Vectors in two dimensions."""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError

Method = Literal["pca", "tsne"]

_FEWEST = 4
"""Vectors that t-SNE has neighbours for."""
_PERPLEXITY = 30.0


class Projection(NamedTuple):
    """Where vectors lie in two dimensions."""

    points: NDArray[np.float64]
    """[n, 2]."""
    axes: tuple[str, str]
    """What the axes are; empty where they mean nothing."""


def project(vectors: NDArray[np.floating], *, method: Method = "pca") -> Projection:
    """Vectors [n, d] in two dimensions, the same each time.

    Raises:
        InputError: t-SNE needs scikit-learn, or more vectors.
    """
    if method == "pca":
        points, shares = principal_components(vectors)
        names = (f"{which} principal component" for which in ("first", "second"))
        first, second = (f"{name}, {share:.1%} of the variance" for name, share in zip(names, shares, strict=True))
        return Projection(points, (first, second))
    return Projection(_tsne(vectors), ("", ""))


def principal_components(vectors: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The first two principal components of vectors [n, d] as points [n, 2], and their shares of the variance [2].

    By the singular values of the centred vectors (Pearson 1901); of each component the number that is largest, without
    its sign, is positive. What there is none of, as the second component of a single number, is 0.
    """
    vectors = np.asarray(vectors, np.float64)
    centred = vectors - vectors.mean(axis=0)
    left, values, right = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
    points, shares = np.zeros((len(vectors), 2)), np.zeros(2)
    kept = min(2, len(values))
    points[:, :kept] = (left * values * signs)[:, :kept]
    total = np.square(values).sum()
    if total > 0:
        shares[:kept] = np.square(values)[:kept] / total
    return points, shares


def _tsne(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Points [n, 2] whose neighbours are those of vectors [n, d]; far distances mean little (van der Maaten and Hinton
    2008)."""
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise InputError("t-SNE needs the package scikit-learn: pip install 'jaxseq[vectors]'") from error
    count = len(vectors)
    if count < _FEWEST:
        raise InputError(f"t-SNE needs {_FEWEST} words or more, there are {count}: give more, or --method pca")
    start, _ = principal_components(vectors)
    start *= 1e-4 / (start[:, 0].std() or 1)  # small, as in "The art of using t-SNE" (Kobak and Berens 2019)
    options: dict[str, Any] = {"init": start.astype(np.float32), "random_state": 0}
    tsne = TSNE(perplexity=min(_PERPLEXITY, (count - 1) / 3), **options)
    return np.asarray(tsne.fit_transform(np.asarray(vectors, np.float32)), np.float64)
