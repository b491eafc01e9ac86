"""The worker's side of the pipe: builds one job, then times rounds of it on request. Standard library only.

One JSON object a line comes in on standard input, one goes out on standard output; whatever a library prints goes to
standard error instead.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from benchmarks.works import WORKS, Work


class Job(Protocol):
    """One peer's form of one work."""

    @property
    def units_per_call(self) -> float:
        """Training steps, generations, megabytes or texts that one call amounts to."""
        ...

    def run(self, calls: int) -> None:
        """Works, and returns when the results are there."""
        ...


class TrainingJob(Job, Protocol):
    parameters: int

    def losses(self, steps: int) -> list[float]:
        """The loss before each of the first `steps` updates. Called instead of `run`, on a fresh job."""
        ...


class SearchJob(Job, Protocol):
    parameters: int

    def hypotheses(self) -> list[list[int]]:
        """The best of every sentence, in order: its ids, the end included. Called instead of `run`."""
        ...


class DetectionJob(Job, Protocol):
    parameters: int

    def outputs(self) -> Any:
        """The logit of every picture, in order: an array [n]. Called instead of `run`."""
        ...


class PredictionJob(Job, Protocol):
    parameters: int

    def probabilities(self) -> Any:
        """Of every text, in order: an array [n]. Called instead of `run`."""
        ...


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_bytes() -> int:
    """The most memory this process has held. Linux's VmHWM: its ru_maxrss is inherited from the parent process."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _timed(job: Job, calls: int) -> float:
    start = time.perf_counter()
    job.run(calls)
    return (time.perf_counter() - start) / (calls * job.units_per_call)


def _answer(job: Job, request: dict[str, Any], device_peak: Callable[[], int]) -> dict[str, Any]:
    match request["do"]:
        case "round":
            job.run(max(1, request["calls"] // 4))  # what another process has left of caches and clocks is not counted
            return {"seconds": _timed(job, request["calls"])}
        case "warm up":
            _timed(job, 1)  # compiles
            return {"seconds": _timed(job, 1), "units_per_call": job.units_per_call}
        case "losses":
            return {"losses": job.losses(request["steps"])}  # pyright: ignore[reportAttributeAccessIssue]
        case "probabilities":
            return {"probabilities": job.probabilities().tolist()}  # pyright: ignore[reportAttributeAccessIssue]
        case "outputs":
            return {"outputs": job.outputs().tolist()}  # pyright: ignore[reportAttributeAccessIssue]
        case "hypotheses":
            return {"hypotheses": job.hypotheses()}  # pyright: ignore[reportAttributeAccessIssue]
        case "peak":
            return {"peak_bytes": peak_bytes(), "device_peak_bytes": device_peak()}
    raise ValueError(f"unknown request {request!r}")


def serve(
    build: Callable[[Work, Path, str], Job], *, packages: tuple[str, ...], device_peak: Callable[[], int] = lambda: 0
) -> None:
    """Builds the work that the first request names and answers requests until the pipe closes.

    Args:
        build: (work, folder with its data, "cpu" or "gpu") -> job.
        packages: whose versions go into the results.
        device_peak: the most memory held on the device, in bytes.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    first = json.loads(sys.stdin.readline())
    job = build(WORKS[first["work"]], Path(first["folder"]), first["device"])
    versions = {name: metadata.version(name) for name in packages}
    print(json.dumps({"parameters": getattr(job, "parameters", 0), "versions": versions}), file=answers)
    for line in sys.stdin:
        print(json.dumps(_answer(job, json.loads(line), device_peak)), file=answers)
