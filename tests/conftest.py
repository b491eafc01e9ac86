"""What all tests share. It lies beside the helper modules (laws.py, subjects.py), which makes them importable."""

import atexit
import contextlib
import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# Several CPU devices, for data parallelism; the variable is for the processes that tests start.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "4")
os.environ.setdefault("KERAS_BACKEND", "jax")

# Compiling is most of what the tests cost, and optimising a good part of that. Set to 0, programs are those that users
# have: .ci/run does so where it has 64-bit types switched on.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] == "1":
    # Each fused loop goes through MLIR, and each program into 32 parts, unless told otherwise: two thirds of compiling.
    # A release of jaxlib without one of these would end at once and name it.
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1")

# What one test has compiled serves the others, and the processes they start; the user's own cache is left alone.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="jaxseq-tests-")
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

# Ignored under nohup the one, in the background of a script the other, and so by the commands that tests start.
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import jax
import jaxtyping

# What their signatures say of shapes and types is checked in all calls made by tests.
jaxtyping.install_import_hook(("jaxseq.ops", "jaxseq.nn", "jaxseq.models"), "beartype.beartype")

with contextlib.suppress(RuntimeError):  # too late where something has used JAX before
    jax.config.update("jax_num_cpu_devices", int(os.environ["JAX_NUM_CPU_DEVICES"]))


# Tracing makes objects by the million, few of them in cycles: looking for these as often as Python does takes a tenth
# of the tests' time.
gc.set_threshold(50_000, 20, 20)

# No example fails by the clock: the machine may do other work. Where a change is let in (CI is set there) examples are
# the same each time, so that none is refused for what another brought; at a desk new ones are looked for in every run.
hypothesis.settings.register_profile("jaxseq", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("jaxseq")

# Doctests are looked for in every module; conftest.py is a name that several folders have, what lies in endurance/
# are commands, whose parts have tests, and what lies in systems/ registers itself where it is imported.
collect_ignore_glob = ["conftest.py", "*/conftest.py", "endurance/*", "systems/*"]
sys.path.append(str(Path(__file__).parent / "endurance"))


@pytest.fixture
def unchecked() -> Iterator[None]:
    """As in use: what signatures say is not checked, and bad arguments come to the function itself."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module", autouse=True)
def programs_of_one_file() -> Iterator[None]:
    """What a file's tests have compiled is let go after them: programs hold memory maps, of which Linux gives a process
    65,530, and where none is left XLA ends in a segmentation fault."""
    yield
    jax.clear_caches()
    maps = Path("/proc/self/maps")
    assert not maps.exists() or len(maps.read_text().splitlines()) < 20_000


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes name no test: an archive holds the time of its making, and all processes must know a test by one name."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of published data sets: JAXSEQ_DATA, or ../shared/data beside the repository."""
    folder = Path(os.environ.get("JAXSEQ_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set JAXSEQ_DATA")
    return folder
