"""Commands of several processes, each of them real, on this machine."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.create_server(("", 0)) as server:
        return server.getsockname()[1]


def start(words: Sequence[str], *, folder: Path, devices: str = "1") -> subprocess.Popen[str]:
    """`jaxseq WORDS`, begun in `folder` on so many devices."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "JAX_NUM_CPU_DEVICES": devices}
    return subprocess.Popen(
        [sys.executable, "-m", "jaxseq", *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_several(
    words: Sequence[str], count: int, *, folder: Path, more: Mapping[int, Sequence[str]] | None = None
) -> list[subprocess.Popen[str]]:
    """`jaxseq train WORDS` as `count` processes; some of them begin with `more` words, by their number."""
    where, begin = f"localhost:{free_port()}", more or {}
    shared = ["--train.processes", str(count), "--train.coordinator", where]
    return [
        start(["train", *begin.get(i, ()), *words, *shared, "--train.process", str(i)], folder=folder)
        for i in range(count)
    ]


def ends(processes: Sequence[subprocess.Popen[str]], *, seconds: float = 120) -> list[Ended]:
    """How they end; one that does not is killed and fails the test."""
    try:
        texts = [process.communicate(timeout=seconds) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [Ended(process.returncode, *text) for process, text in zip(processes, texts, strict=True)]
