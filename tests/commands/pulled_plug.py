"""A training that ends without a signal, so that nothing is saved any more, and goes on."""

from pathlib import Path

import pytest
from command_line import arrays_of, assert_same_arrays, jaxseq

_STEP = 9


class PulledPlug(Exception):
    """No signal: nothing is saved any more."""


def assert_goes_on_exactly(words: list[str], *, loader: type, whole: str, folder: Path) -> None:
    """A run that stops before batch 9 of its `loader`, and is begun again, ends with the arrays of the run `whole`."""
    read = loader.__call__

    def stopping(self, step):
        if step == _STEP:
            raise PulledPlug
        return read(self, step)

    often = ("--train.checkpoint-every", "4", "--train.steps-per-dispatch", "2")
    words = [*words, "--name", "parts", *often]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loader, "__call__", stopping)
        with pytest.raises(PulledPlug):
            jaxseq("train", *words, folder=folder)
    code, _, err = jaxseq("train", *words, folder=folder)
    assert code == 0, err
    assert "going on from step" in err
    assert arrays_of(folder / "runs/parts")[0] > _STEP
    assert_same_arrays(folder / "runs/parts", folder / "runs" / whole)
