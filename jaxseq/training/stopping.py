"""A request to stop that all processes of a run act on at the same step, whichever of them it came to."""

from signal import Signals
from typing import Any

import numpy as np

from jaxseq import processes
from jaxseq.sharding import STACKED_SHARDED, DataParallel
from jaxseq.signals import Stopped, StopRequest
from jaxseq.training.dispatch import REQUEST


class StopTogether:
    """What a training asks whether it shall stop. Alone it is as quick to see as `request` itself. Among several
    processes it is what they have agreed on: with every call of the compiled step each says whether a signal has come
    to it, and the answer is there with the call's results. All of them call the methods equally often.

    Args:
        request: of this process, entered.
    """

    def __init__(self, request: StopRequest) -> None:
        self._request = request
        self._alone = processes.count() == 1
        self._agreed: Signals | None = None

    @property
    def signal(self) -> Signals | None:
        """The signal to stop for; None where none has come."""
        return self._request.signal if self._alone else self._agreed

    def poll(self) -> None:
        """Raises `Stopped` in every process where a signal has come to one. Nothing that processes work out together
        may be under way: on CPU the messages of the two would mix."""
        if self._alone:
            self._request.poll()
            return
        self._enter(processes.largest(self._own()))
        if self._agreed is not None:
            raise Stopped(self._agreed)

    def asking(self, batches: Any, parallel: DataParallel) -> Any:
        """Stacked batches, put on the devices; with them goes the question whether to stop, where processes share
        them."""
        placed = parallel.put_rows(batches, STACKED_SHARDED)
        if not parallel.spread:
            return placed
        own = np.full((1, parallel.shares // processes.count()), self._own(), np.int32)
        return placed, parallel.put_rows(own, STACKED_SHARDED)

    def answered(self, tallies: dict[str, Any]) -> dict[str, Any]:
        """The tallies of a call, on the host, without the answer to the question that went with it, which counts from
        now on."""
        if REQUEST in tallies:
            self._enter(int(tallies[REQUEST]))
        return {name: tally for name, tally in tallies.items() if name != REQUEST}

    def _own(self) -> int:
        return 0 if self._request.signal is None else self._request.signal.value

    def _enter(self, number: int) -> None:
        if number and self._agreed is None:
            self._agreed = Signals(number)
