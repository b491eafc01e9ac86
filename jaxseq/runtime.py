"""The process and JAX set up for speed. Nothing happens on import; commands call `configure` before they use JAX."""

import contextlib
import ctypes
import hashlib
import math
import os
import platform
import sys
import warnings
from pathlib import Path
from typing import Literal

from jaxseq.errors import InputError
from jaxseq.processes import Group

# Parameters of mallopt, from glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST, _LARGEST_IN_OLD_GLIBC = 2**31 - 1, 32 * 2**20

_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")
_CONTAINER_SHARE = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds of all cores, or "max", and the period they are for (Linux, cgroup 2)."""


def configure(
    *, devices: int = 0, allocator: Literal["tuned", "default"] = "tuned", group: Group | None = None
) -> None:
    """Sets up allocator, CPU devices and compilation cache. To be called before anything runs on a JAX device.

    Args:
        devices: CPU devices JAX shall have, 0 for one a core, see `use_cpu_devices`.
        allocator: "tuned" keeps freed memory in the process, see `tune_allocator`.
        group: the processes to join; None works alone.

    Raises:
        InputError: the environment asks JAX for what it does not have, or there is no such group.
    """
    if allocator == "tuned":
        tune_allocator()
    try:
        import jax
    except ValueError as error:  # a variable JAX_... that is none of its values
        raise InputError(
            f"JAX cannot start ({error}): correct that variable of the environment, or unset it"
        ) from error
    use_cpu_devices(devices)
    use_compilation_cache()
    if group is not None:
        group.join()
    try:
        jax.devices()
    except (RuntimeError, AssertionError, AttributeError) as error:  # the latter two for a platform without its plugin
        reason = f"{error}".splitlines()[0] if isinstance(error, RuntimeError) else "its plugin is not installed"
        name = next((name for name in ("JAX_PLATFORMS", "JAX_PLATFORM_NAME") if os.environ.get(name)), "JAX_PLATFORMS")
        raise InputError(
            f"JAX finds no device of the platform that {name} asks for, {os.environ.get(name)!r} ({reason}): set it to "
            "one that is there, as cpu, or unset it"
        ) from error


def tune_allocator() -> bool:
    """Makes malloc keep what is freed; whether it could be done (glibc only).

    XLA on CPU allocates its temporaries with malloc, which gives large ones back to the system after every step, so
    that each step has all its pages mapped and zeroed again. The number of malloc's arenas is left alone: devices that
    run at the same time would wait for each other in a single one.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    trims = libc.mallopt(_M_TRIM_THRESHOLD, _LARGEST) == 1
    # Older ones refuse to keep blocks above half the size of a heap.
    return trims and any(libc.mallopt(_M_MMAP_THRESHOLD, most) == 1 for most in (_LARGEST, _LARGEST_IN_OLD_GLIBC))


def use_cpu_devices(count: int = 0) -> None:
    """Gives JAX's CPU platform `count` devices, 0 for one for each core this process may use.

    Does nothing where the number has been chosen in the environment (JAX_NUM_CPU_DEVICES, or XLA_FLAGS), nor in a
    process that has used a JAX device already, as a notebook may have: the number cannot be changed then.
    """
    import jax

    chosen = "JAX_NUM_CPU_DEVICES" in os.environ or "xla_force_host_platform_device_count" in os.getenv("XLA_FLAGS", "")
    if not chosen:
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", count or core_count())


def core_count() -> int:
    """Cores this process may use: those it may run on, or the share of them that its container has."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _CONTAINER_SHARE.read_text(encoding="ascii").split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # there is no such file, or the quota is "max"
        return cores


def use_compilation_cache() -> None:
    """Keeps compiled programs, small ones too, in the user's cache directory, so that a second start is quick.

    JAX_COMPILATION_CACHE_DIR in the environment chooses another directory. Where it cannot be written, or there is no
    home, there is none. A program that does not fit on the disk is not kept, without a word.
    """
    import jax

    directory = os.environ.get("JAX_COMPILATION_CACHE_DIR") or _cache_directory()
    if directory is None or not _can_write(directory):
        jax.config.update("jax_compilation_cache_dir", None)
        return
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache entry")
    jax.config.update("jax_compilation_cache_dir", directory)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _cache_directory() -> str | None:
    try:
        return str(_cache_home() / "jaxseq" / f"xla-{_machine()}")
    except RuntimeError:  # no home, as a user of a container may have none
        return None


def _can_write(directory: str) -> bool:
    if "://" in directory:  # in a bucket: for JAX to find out
        return True
    try:
        os.makedirs(directory, exist_ok=True)
        directory.encode()  # as libraries want it
    except (OSError, UnicodeEncodeError):
        return False
    return os.access(directory, os.W_OK)


def _cache_home() -> Path:
    if sys.platform == "win32" and "LOCALAPPDATA" in os.environ:
        return Path(os.environ["LOCALAPPDATA"])
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _machine() -> str:
    """A short name for this kind of processor: a program compiled for one may crash another, and homes are shared."""
    text = platform.machine() + platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    text += next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def memory_limit() -> int | None:
    """Bytes of memory this process may use at most: what the machine has, its container or its user may; None where
    the system does not tell."""
    limits = [*_group_limits(), *_process_limits()]
    with contextlib.suppress(AttributeError, OSError, ValueError):  # not on Windows
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(filter(lambda limit: limit > 0, limits), default=None)


def _process_limits() -> list[int]:
    """What `ulimit` has set."""
    try:
        import resource
    except ImportError:  # Windows
        return []
    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return [limit for limit in limits if limit != resource.RLIM_INFINITY]


def _group_limits() -> list[int]:
    """The limits of this process's control groups (Linux, of either version) and of those they are in."""
    try:
        lines = _OWN_GROUPS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    files = []
    for _, controllers, group in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if controllers == "":
            root, name = _CONTROL_GROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = _CONTROL_GROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        # In a container the path may be that of the host, and its own limit stand at the root.
        path = Path(group.lstrip("/"))
        files += [root / part / name for part in (path, *path.parents)]
    limits = []
    for file in files:
        with contextlib.suppress(OSError, ValueError):  # there is no such file, or it is "max"
            limits.append(int(file.read_text(encoding="ascii")))
    return limits
