"""What all tests share. It lies beside the helper modules (laws.py, subjects.py), which makes them importable."""

import contextlib
import os
from pathlib import Path

import pytest

# Several CPU devices, for data parallelism; the variable is for the processes that tests start.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "4")
os.environ.setdefault("KERAS_BACKEND", "jax")

import jax

with contextlib.suppress(RuntimeError):  # too late where something has used JAX before
    jax.config.update("jax_num_cpu_devices", int(os.environ["JAX_NUM_CPU_DEVICES"]))


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of published data sets: JAXSEQ_DATA, or ../shared/data beside the repository."""
    folder = Path(os.environ.get("JAXSEQ_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set JAXSEQ_DATA")
    return folder
