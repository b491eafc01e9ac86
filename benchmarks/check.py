"""Do the contestants compute the same work? Parameter counts and the first losses of a training, side by side; where
all have the same parameters, what they give: the probabilities of a prediction, the losses of an encoder-decoder
without dropout or of an autoencoder, the hypotheses of a search, the outputs of a detector."""

import math
import statistics
from collections.abc import Sequence

from benchmarks.rounds import Contestant, Settings, contestants, losses, outputs, probabilities, translations
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


_DRIFT = 2e-3
"""A loss after the same updates may differ by this share from the median of all contestants'."""

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


def drifts(found: dict[str, dict]) -> list[str]:
    """Whose losses are not those of the others, who began with the same parameters: a line each."""
    if not found:
        return []
    middle = [statistics.median(step) for step in zip(*(one["losses"] for one in found.values()), strict=True)]
    lines = []
    for peer, one in found.items():
        apart = [abs(own / other - 1) for own, other in zip(one["losses"], middle, strict=True)]
        wrong = [step for step, distance in enumerate(apart) if not distance <= _DRIFT]
        if wrong:
            lines.append(
                f"the loss of {peer} before update {wrong[0] + 1} is {one['losses'][wrong[0]]:.4f}, "
                f"that of the others {middle[wrong[0]]:.4f}"
            )
    return lines


def deviations(found: dict[str, dict]) -> list[str]:
    """Whose outputs are not those of the others, who have the same parameters: a line each."""
    if not found:
        return []
    middle = [statistics.median(one) for one in zip(*(each["outputs"] for each in found.values()), strict=True)]
    most = max(map(abs, middle))
    lines = []
    for peer, one in found.items():
        apart = max(abs(own - other) for own, other in zip(one["outputs"], middle, strict=True))
        if not apart <= _DRIFT * most:
            lines.append(f"{peer} is apart from the others by up to {apart:.3g}, where outputs are up to {most:.3g}")
    return lines


def differences(found: dict[str, dict]) -> list[str]:
    """Whose hypotheses are not the first contestant's: a line each, which names the sentences."""
    if not found:
        return []
    (first, reference), *others = found.items()
    lines = []
    for peer, one in others:
        pairs = zip(one["hypotheses"], reference["hypotheses"], strict=True)
        which = [number for number, (own, other) in enumerate(pairs) if own != other]
        if which:
            shown = ", ".join(map(str, which[:10])) + (", ..." if len(which) > 10 else "")
            lines.append(
                f"{len(which):,} of {len(one['hypotheses']):,} hypotheses of {peer} are not {first}'s: {shown}"
            )
    return lines


def _miscounted(model: Model, peer: str, parameters: int) -> list[str]:
    wanted = expected_parameters(model, peer)
    return [] if parameters == wanted else [f"{peer} has {parameters:,} parameters, not {wanted:,}"]


def run(works: Sequence[str], pythons: dict[str, str], settings: Settings, *, steps: int) -> int:
    """Prints what each contestant computes in the trainings, predictions and searches among `works`; 1 if anything is
    wrong, else 0."""
    wrong = 0
    for name in works:
        work = WORKS[name]
        if work.kind not in ("train", "predict", "translate", "detect") or not (work.model or work.experiment):
            continue
        if work.samples:  # whose loss is another
            continue
        entered = contestants(name, pythons, ("default",))
        what, found, wrongs = _compared(name, entered, settings, steps)
        print(f"{name}:")
        for peer, one in found.items():
            print(f"  {peer:18} {one['parameters']:>10,} parameters, {_shown(what, one[what])}")
        lines = [f"{one.label} failed" for one in entered if one.label not in found] + wrongs
        wrong += len(lines)
        print("\n".join(f"  WRONG: {line}" for line in lines) or "  all compute the same work", flush=True)
    return 1 if wrong else 0


def _compared(
    name: str, entered: Sequence[Contestant], settings: Settings, steps: int
) -> tuple[str, dict[str, dict], list[str]]:
    """What is compared, {peer: it and the parameters}, and what is wrong."""
    work = WORKS[name]
    if work.kind == "translate":
        found = translations(name, entered, settings)
        return "hypotheses", found, differences(found)
    if work.kind == "detect":
        found = outputs(name, entered, settings)
        return "outputs", found, deviations(found)
    if work.kind == "train":
        found = losses(name, entered, settings, steps=steps)
        return "losses", found, drifts(found) if work.model is None else complaints(work.model, found)
    found = probabilities(name, entered, settings)
    assert work.model is not None
    return "probabilities", found, disagreements(work.model, found)


def _shown(what: str, values: Sequence) -> str:
    if what == "hypotheses":
        return f"{len(values):,} {what} of {statistics.fmean(map(len, values)):.2f} tokens"
    return f"{what} " + " ".join(f"{value:.3f}" for value in values[:: max(1, len(values) // 10)])
