"""Metrics by the names that they have in files, for whoever does not know which task has written them."""

from collections.abc import Mapping

from jaxseq.metrics.classification import CLASSIFICATION_METRICS
from jaxseq.metrics.metric import Metric
from jaxseq.metrics.perplexity import TOKEN_METRICS

KNOWN: Mapping[str, Metric] = {metric.name: metric for metric in (*CLASSIFICATION_METRICS, *TOKEN_METRICS)}
"""Of one name all are better the same way; units may differ."""
