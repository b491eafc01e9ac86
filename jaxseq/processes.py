"""Several processes that train one model together: how they find each other, and what they tell each other.

Each runs the same program on its own devices (`jax.distributed`). Process 0 is the one that writes. JAX is imported by
the functions, so that what stands on this starts without it.
"""

import dataclasses
import json
import socket
from collections.abc import Callable
from typing import Any, TypeVar

from jaxseq.errors import InputError
from jaxseq.signals import Stopped

Made = TypeVar("Made")

_SHUTDOWN = 7 * 24 * 3600
"""Seconds that processes wait at their end for process 0, which has the samples and pictures still to make."""
_LOST = ("Gloo", "NCCL", "nccl", "coordination service", "CoordinationService", "UNAVAILABLE")
"""Words in XLA's errors when another process cannot be reached any more."""


@dataclasses.dataclass(frozen=True)
class Group:
    """The processes to be, as they are given."""

    count: int
    index: int
    """-1 asks the cluster."""
    coordinator: str
    """HOST:PORT; empty asks the cluster."""
    timeout: int
    """Seconds."""

    def join(self) -> None:
        """Finds the others, which takes until all have come. To be called before anything runs on a JAX device.

        Where one does not come in time, or is lost later, JAX ends the process by abort(3): `jaxseq.commands.watched`
        makes a line of that.

        Raises:
            InputError: there is no cluster to ask, it has another number of processes, or the port is taken.
        """
        import jax

        if self.index == 0:
            self._require_port()
        if jax.distributed.is_initialized():
            raise InputError("jax.distributed has been initialised already: leave train.coordinator to it")
        # JAX's own handler of SIGTERM would take the place of ours.
        jax.config.update("jax_enable_preemption_service", False)
        told = bool(self.coordinator)
        try:
            jax.distributed.initialize(
                self.coordinator if told else None,
                self.count if told else None,
                self.index if told else None,
                cluster_detection_method="deactivate" if told else None,
                initialization_timeout=self.timeout,
                heartbeat_timeout_seconds=self.timeout,
                shutdown_timeout_seconds=_SHUTDOWN,
            )
        except ValueError as error:  # a part is missing, and no cluster says what it is
            raise InputError(
                f"train.processes is {self.count}, and there is no cluster that JAX knows how to ask for the others "
                f"({error}): give train.coordinator and train.process"
            ) from error
        if jax.process_count() != self.count:
            raise InputError(
                f"train.processes is {self.count}, and {jax.process_count()} were started: give their number"
            )

    def _require_port(self) -> None:
        port = int(self.coordinator.rpartition(":")[2])
        try:
            with socket.create_server(("", port)):
                return
        except OSError as error:
            raise InputError(
                f"train.coordinator is {self.coordinator!r}, and this process cannot listen at port {port} "
                f"({error.strerror or error}): choose another one"
            ) from error


def leave() -> None:
    """Waits for the end of all the others, and parts from them."""
    import jax

    jax.distributed.shutdown()


def count() -> int:
    """How many there are, 1 where this one trains alone."""
    import jax

    return jax.process_count()


def index() -> int:
    """Which one this is, from 0 on."""
    import jax

    return jax.process_index()


def writes() -> bool:
    """Whether this is the one that writes."""
    return index() == 0


def require_count(wanted: int) -> None:
    """Refuses a configuration for another number of processes than JAX was started with.

    Raises:
        InputError: as told.
    """
    if count() != wanted:
        raise InputError(f"train.processes is {wanted}, and JAX was started with {count()}: give their number")


def exchange(text: str) -> list[str]:
    """What every process gives, in their order; waits for all of them."""
    if count() == 1:
        return [text]
    import numpy as np
    from jax.experimental import multihost_utils

    raw = np.frombuffer(text.encode(), np.uint8)
    sizes = np.asarray(multihost_utils.process_allgather(np.int32(len(raw)))).reshape(-1)
    padded = np.pad(raw, (0, int(sizes.max()) - len(raw)))
    rows = np.asarray(multihost_utils.process_allgather(padded)) if sizes.max() else np.zeros((count(), 0), np.uint8)
    return [row[:size].tobytes().decode() for row, size in zip(rows, sizes, strict=True)]


def of_first(value: Any) -> Any:
    """What process 0 gives: anything that goes into JSON, numbers of NumPy as floats."""
    return value if count() == 1 else json.loads(exchange(json.dumps(value, default=float) if writes() else "")[0])


def require_equal(value: str, what: str, remedy: str) -> None:
    """Refuses what is not the same everywhere.

    Raises:
        InputError: in every process, where it is not; it says `what` differs from process 0's, and where.
    """
    values = exchange(value)
    if strange := [number for number, other in enumerate(values) if other != values[0]]:
        raise InputError(f"{what} of process {strange[0]} of {count()} is another than that of process 0: {remedy}")


def together(work: Callable[[], Made]) -> Made:
    """What `work` gives, once it has worked out in every process.

    Raises:
        InputError: it raised one here, or in another process, whose number is told.
        Stopped: a signal came, here or there.
    """
    if count() == 1:
        return work()
    error: InputError | Stopped | None = None
    result: Any = None
    try:
        result = work()
    except (InputError, Stopped) as caught:
        error = caught
    signal = error.signal.value if isinstance(error, Stopped) else 0
    told = exchange(json.dumps([signal, str(error) if error is not None else ""]))
    if error is not None:
        raise error
    for number, (signal, text) in enumerate(map(json.loads, told)):
        if signal:
            from signal import Signals

            raise Stopped(Signals(signal))
        if text:
            raise InputError(f"process {number} of {count()} cannot go on: {text}")
    return result


def is_loss(error: BaseException) -> bool:
    """Whether an error of XLA says that another process cannot be reached any more."""
    return count() > 1 and any(word in str(error) for word in _LOST)


def largest(value: int) -> int:
    """The largest of the ints, from 0 on, that all processes give; waits for them."""
    return max(map(int, exchange(str(value))))
