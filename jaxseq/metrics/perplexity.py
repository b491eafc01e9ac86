"""What the mean cross-entropy of tokens, in nats, also says."""

import math

from jaxseq.metrics.metric import Metric


def perplexity(loss: float) -> float:
    """e^loss, infinite where that passes float64."""
    return math.exp(loss) if loss < 700 else math.inf if loss == loss else math.nan


TOKEN_METRICS = (
    Metric("loss", "nats per token"),
    Metric("perplexity", from_loss=perplexity, of_tokens=True),
    Metric("bits_per_token", from_loss=lambda loss: loss / math.log(2), of_tokens=True),
    Metric("accuracy", better="higher"),
)
"""Of models that predict tokens."""
