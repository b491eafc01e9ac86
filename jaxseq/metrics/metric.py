"""What is measured: names, units and which way is better."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from jaxseq.errors import ConfigError


class Metric(NamedTuple):
    """Something that a run measures."""

    name: str
    """As in metrics.csv, `validation/NAME` in TensorBoard."""
    unit: str = ""
    better: Literal["lower", "higher"] = "lower"
    from_loss: Callable[[float], float] | None = None
    """How it follows from the mean "loss"; None where it is tallied itself."""
    of_tokens: bool = False
    """Whether it is a figure for each token, so that those of two vocabularies are of two things."""
    form: str = ".4f"
    """How a value is shown."""
    heading: str = ""
    """Of its column in tables; the name where there is none."""

    def is_better(self, value: float, best: float | None) -> bool:
        """Whether `value` is better than the `best` so far, None where there was none. NaN never is."""
        if value != value:
            return False
        return best is None or (value < best if self.better == "lower" else value > best)

    @property
    def label(self) -> str:
        """Name and unit for people."""
        name = self.name.replace("_", " ")
        return f"{name} ({self.unit})" if self.unit else name


def with_derived(means: Mapping[str, float], metrics: Sequence[Metric]) -> dict[str, float]:
    """`means`, and after them those of `metrics` that follow from their "loss"."""
    if "loss" not in means:
        return dict(means)
    return {**means, **{m.name: m.from_loss(means["loss"]) for m in metrics if m.from_loss is not None}}


def choose_metric(metrics: Sequence[Metric], name: str) -> Metric:
    """The one that is called `name`; "" is the first.

    Raises:
        ConfigError: there is none of that name.
    """
    for metric in metrics:
        if name in ("", metric.name):
            return metric
    raise ConfigError(f"train.metric is {name!r}: choose {', '.join(metric.name for metric in metrics)}")
