"""Texts and their vectors in NumPy's .npz, which nothing in it needs pickle for.

vectors     [n, d] float32
texts       [n] texts, as wide as the longest
"""

import zipfile
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray


def write_text_vectors(file: IO[bytes], texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
    """Writes both. Texts go out one by one and are deflated: padded to the longest they may be larger than the memory.

    As NumPy's texts have it, zeros at the end of one do not come back.
    """
    width = max(map(len, texts), default=0) or 1
    with zipfile.ZipFile(file, "w") as archive:
        with archive.open(zipfile.ZipInfo("vectors.npy"), "w", force_zip64=True) as member:
            np.lib.format.write_array(member, np.ascontiguousarray(vectors, np.float32), allow_pickle=False)
        info = zipfile.ZipInfo("texts.npy")
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w", force_zip64=True) as member:
            header: dict[str, Any] = {"descr": f"<U{width}", "fortran_order": False, "shape": (len(texts),)}
            np.lib.format.write_array_header_1_0(member, header)
            for text in texts:
                member.write(text.ljust(width, "\0").encode("utf-32-le", "surrogatepass"))
