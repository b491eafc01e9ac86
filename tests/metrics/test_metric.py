"""Metrics have a direction."""

import math

import pytest

from jaxseq.errors import ConfigError
from jaxseq.metrics.metric import Metric, choose_metric
from jaxseq.metrics.perplexity import TOKEN_METRICS


@pytest.mark.parametrize(
    ("better", "expected"), [("lower", [True, False, True, False]), ("higher", [True, True, False, False])]
)
def test_better_is_lower_or_higher_and_never_equal_or_nan(better, expected):
    metric, best, found = Metric("x", better=better), None, []
    for value in (1.0, 2.0, 0.5, math.nan):
        found.append(metric.is_better(value, best))
        best = value if found[-1] else best
    assert found == expected
    assert not metric.is_better(1.0, 1.0)
    assert not metric.is_better(math.nan, None)


def test_the_first_metric_is_chosen_where_none_is_named():
    assert choose_metric(TOKEN_METRICS, "").name == "loss"
    assert choose_metric(TOKEN_METRICS, "accuracy").better == "higher"
    with pytest.raises(ConfigError, match=r"train\.metric is 'bleu': choose loss, perplexity, "):
        choose_metric(TOKEN_METRICS, "bleu")
