"""Do the contestants compute the same work? Parameter counts and the first losses of a training, side by side; of a
prediction the probabilities themselves, for all have the same parameters there."""

import math
import statistics
from collections.abc import Sequence

from benchmarks.rounds import Settings, contestants, losses, probabilities
from benchmarks.works import WORKS, Model

_START = 0.03
"""An untrained model may be this far from ln(vocabulary), relatively."""
_CHANCE = 2
"""Labels of a classifier."""
_PROGRESS = 0.5
"""What the loss falls by may differ by this share between a contestant and the median of all."""

_LEARNS = 0.03
"""What the loss of a classifier falls by at least, relatively: how fast it learns hangs on the initial weights, which
are every library's own."""


_APART = 1e-3
"""A probability may be this far from the median of all contestants'."""


def expected_parameters(model: Model, peer: str) -> int:
    """Parameters of the model as the peer's own layers have it.

    PyTorch's LSTM has a second bias for each gate. Flax's GRU has one bias for the two gates, where PyTorch and Keras
    have an input and a recurrent one.
    """
    extra = 0
    cells = model.features * model.layers * model.directions
    if model.family == "lstm" and peer.startswith("torch"):
        extra = 4 * cells
    if model.family == "gru" and peer == "flax":
        extra = -2 * cells
    return model.parameters + extra


def complaints(model: Model, found: dict[str, dict]) -> list[str]:
    """What is wrong with {peer: {"parameters", "losses"}}: a line each."""
    if not found:
        return []
    choices = _CHANCE if model.label else model.vocabulary
    start = math.log(choices)
    falls = {peer: one["losses"][0] - one["losses"][-1] for peer, one in found.items()}
    middle = sorted(falls.values())[len(falls) // 2]
    lines = []
    for peer, one in found.items():
        lines += _miscounted(model, peer, one["parameters"])
        if abs(one["losses"][0] / start - 1) > _START:
            lines.append(f"{peer} starts at a loss of {one['losses'][0]:.4f}, not ln {choices} = {start:.4f}")
        if model.label:
            if not falls[peer] > _LEARNS * start:
                lines.append(f"{peer} does not learn: its loss falls by {falls[peer]:.3f}")
        elif not abs(falls[peer] - middle) <= _PROGRESS * abs(middle):
            lines.append(f"the loss of {peer} falls by {falls[peer]:.3f}, that of the others by about {middle:.3f}")
    return lines


def disagreements(model: Model, found: dict[str, dict]) -> list[str]:
    """What is wrong with {peer: {"parameters", "probabilities"}}: a line each."""
    middle = [statistics.median(text) for text in zip(*(one["probabilities"] for one in found.values()), strict=True)]
    lines = []
    for peer, one in found.items():
        lines += _miscounted(model, peer, one["parameters"])
        apart = [abs(own - other) for own, other in zip(one["probabilities"], middle, strict=True)]
        wrong = sum(not distance <= _APART for distance in apart)  # NaN too
        if wrong:
            lines.append(
                f"{peer} is apart from the others in {wrong:,} of {len(apart):,} texts, by up to {max(apart):.3g}"
            )
    return lines


def _miscounted(model: Model, peer: str, parameters: int) -> list[str]:
    wanted = expected_parameters(model, peer)
    return [] if parameters == wanted else [f"{peer} has {parameters:,} parameters, not {wanted:,}"]


def run(works: Sequence[str], pythons: dict[str, str], settings: Settings, *, steps: int) -> int:
    """Prints what each contestant computes in the trainings and predictions among `works`; 1 if anything is wrong, else
    0."""
    wrong = 0
    for name in works:
        model, kind = WORKS[name].model, WORKS[name].kind
        if kind not in ("train", "predict") or model is None or WORKS[name].samples:  # whose loss is another
            continue
        entered = contestants(name, pythons, ("default",))
        if kind == "train":
            what, found = "losses", losses(name, entered, settings, steps=steps)
            wrongs = complaints(model, found)
        else:
            what, found = "probabilities", probabilities(name, entered, settings)
            wrongs = disagreements(model, found)
        print(f"{name}:")
        for peer, one in found.items():
            shown = " ".join(f"{value:.3f}" for value in one[what][:: max(1, len(one[what]) // 10)])
            print(f"  {peer:18} {one['parameters']:>10,} parameters, {what} {shown}")
        lines = [f"{one.label} failed" for one in entered if one.label not in found] + wrongs
        wrong += len(lines)
        print("\n".join(f"  WRONG: {line}" for line in lines) or "  all compute the same work", flush=True)
    return 1 if wrong else 0
