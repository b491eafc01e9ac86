"""The runner's side of the pipe: a worker process that is asked one thing at a time."""

import json
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.peers import ROOT


class WorkerError(RuntimeError):
    """A worker ended instead of answering; the message ends with what it had printed last."""


class Worker:
    """A worker that has built its job and waits.

    Args:
        module: in benchmarks.workers.
        root: checkout whose code it runs.
        first: what it is to build.
        log: file for what it prints.

    Raises:
        WorkerError: it could not build it.
    """

    def __init__(
        self,
        module: str,
        *,
        python: str,
        environment: dict[str, str],
        first: dict[str, Any],
        log: Path,
        root: Path = ROOT,
    ) -> None:
        self._log = log
        with log.open("w") as stderr:
            self._process = subprocess.Popen(
                [python, "-m", f"benchmarks.workers.{module}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
                cwd=root,
                text=True,
            )
        self.built = self._exchange(first)

    def ask(self, do: str, **options: Any) -> dict[str, Any]:
        """The answer to one request."""
        return self._exchange({"do": do, **options})

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._process.wait()
            printed = self._log.read_text(errors="replace")
            raise WorkerError(f"exit code {self._process.returncode}: ...{printed[-1500:]}")
        return json.loads(line)

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()
