"""One endless `fit`, timed between two callbacks: what a `fit` begins and ends with lies outside the clock."""

import threading
from collections.abc import Callable
from typing import Any

import keras

ENDLESS = 10**9


class _Gate(keras.callbacks.Callback):
    """Ends one call of `EndlessFit.run` and waits for the next, where an execution's results have been read."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.done = threading.Semaphore(0), threading.Semaphore(0)

    def on_train_begin(self, logs: Any = None) -> None:
        self.go.acquire()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.done.release()
        self.go.acquire()


class EndlessFit:
    """`model.fit` of a compiled model on what `stream` gives, one execution after the other, as they are asked for."""

    def __init__(self, model: keras.Model, stream: Callable[[], Any]) -> None:
        self.model, self.stream, self.gate, self.error = model, stream, _Gate(), None
        self.thread = threading.Thread(target=self._fit, daemon=True)

    def _fit(self) -> None:
        try:
            self.model.fit(
                self.stream(), steps_per_epoch=ENDLESS, epochs=1, shuffle=False, verbose=0, callbacks=[self.gate]
            )
        except BaseException as error:
            self.error = error
            self.gate.done.release()
            raise

    def run(self, executions: int) -> None:
        """So many executions.

        Raises:
            RuntimeError: `fit` has ended; its error is the cause.
        """
        if not self.thread.is_alive():
            self.thread.start()
        for _ in range(executions):
            self.gate.go.release()
            self.gate.done.acquire()
            if self.error is not None:
                raise RuntimeError("training ended") from self.error
