"""From times to what tables show: medians, quartiles, ratios. Pure functions of results."""

import statistics
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from benchmarks.peers import OURS, SHARED
from benchmarks.works import WORKS


class Spread(NamedTuple):
    """Lower quartile, median, upper quartile."""

    low: float
    median: float
    high: float


class Line(NamedTuple):
    """One contestant in one work."""

    label: str
    seconds: Spread
    """For one unit of the work."""
    ratio: Spread | None
    """Time of jaxseq over the time of this one, round by round; None for jaxseq itself."""
    matmul_share: float | None
    """FLOP of the unit over its median time, as a share of the median matmul rate; None where FLOP are not counted."""
    peak_bytes: int
    device_peak_bytes: int


def spread(values: Sequence[float]) -> Spread:
    """Quartiles of at least one value, by linear interpolation."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    return Spread(*statistics.quantiles(values, n=4, method="inclusive"))


def our_label(result: dict[str, Any]) -> str | None:
    """jaxseq as it runs by default: with the tuned allocator, where that was measured."""
    return next((label for label in (f"{OURS} +m", OURS) if label in result["contestants"]), None)


def lines(result: dict[str, Any]) -> list[Line]:
    """The contestants of one work, the fastest first."""
    ours = our_label(result)
    rate = statistics.median(result["matmul_gflops"]) * 1e9
    found = []
    for label, one in result["contestants"].items():
        seconds = spread(one["seconds"])
        share = result["flop"] / seconds.median / rate if result["flop"] else None
        ratio = ratio_between(result, ours, label) if ours and label != ours else None
        found.append(Line(label, seconds, ratio, share, one["peak_bytes"], one["device_peak_bytes"]))
    return sorted(found, key=lambda line: line.seconds.median)


def ratio_between(result: dict[str, Any], label: str, other: str) -> Spread:
    """Time of `label` over time of `other` in the same round: what moves the whole machine cancels."""
    ours, theirs = (result["contestants"][name]["seconds"] for name in (label, other))
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])


def fastest_peer(result: dict[str, Any], *, only: str | None = None) -> str | None:
    """Label of the peer with the lowest median, with either allocator; `only` looks at the peer of that name."""
    times = {
        label: statistics.median(one["seconds"])
        for label, one in result["contestants"].items()
        if one["peer"] not in (OURS, SHARED) and (only is None or one["peer"] == only)
    }
    return min(times, key=times.__getitem__, default=None)


def verdicts(name: str, result: dict[str, Any], device: str) -> list[str]:
    """What the table comes to: time against the fastest peer and against the one that the target names, and memory."""
    work, ours = WORKS[name], our_label(result)
    fastest, against = fastest_peer(result), fastest_peer(result, only=WORKS[name].against)
    if ours is None or fastest is None:
        return []
    sentences = []
    for peer in dict.fromkeys(filter(None, (fastest, against))):
        ratio = ratio_between(result, ours, peer)
        which = "the fastest peer, " if peer == fastest else ""
        target = f"; the target is {figure(work.target)}" if work.target and peer == against and device == "cpu" else ""
        sentences.append(
            f"{ours} takes {figure(ratio.median)} of the time of {which}{peer} "
            f"(quartiles {figure(ratio.low)} to {figure(ratio.high)}{target})"
        )
    if work.kind == "train":
        peaks = {one.label: one.device_peak_bytes if device == "gpu" else one.peak_bytes for one in lines(result)}
        others = [label for label, one in result["contestants"].items() if one["peer"] != OURS and peaks[label]]
        if others:  # 0 where a peer does not tell
            leanest = min(others, key=peaks.__getitem__)
            sentences.append(
                f"Peak memory of {ours} is {peaks[ours] / 1e6:,.0f} MB, "
                f"of the leanest peer, {leanest}, {peaks[leanest] / 1e6:,.0f} MB"
            )
    return sentences


def figure(value: float) -> str:
    """Three significant digits, or all before the decimal point, never an exponent: 0.0000123, 27.8, 1,234."""
    rounded = f"{value:.3g}"
    return f"{value:,.0f}" if abs(float(rounded)) >= 100 else f"{Decimal(rounded):f}"


def show_seconds(name: str, seconds: float) -> str:
    """Time of a unit as its table shows it: milliseconds, or units a second."""
    return figure(1 / seconds if is_rate(name) else seconds * 1e3)


def unit(name: str) -> str:
    """What `show_seconds` shows."""
    kinds = {
        "train": "ms a step",
        "generate": "ms",
        "predict": "texts/s",
        "count": "words/s",
        "vectors": "words/s",
        "translate": "sentences/s",
        "detect": "ms a batch",
    }
    return kinds.get(WORKS[name].kind, "MB/s")


def is_rate(name: str) -> bool:
    """Whether more of what `show_seconds` shows is better."""
    return unit(name).endswith("/s")
