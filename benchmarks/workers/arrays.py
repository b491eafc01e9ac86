"""Arrays that lie in a work's folder by name."""

from pathlib import Path

import numpy as np


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Those of an .npz. The file is closed again, which is not said of what `np.load` gives back."""
    with np.load(path) as archive:
        return dict(archive)
