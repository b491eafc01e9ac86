"""What a cross-entropy also says."""

import math
from collections.abc import Mapping


def derived(means: Mapping[str, float]) -> dict[str, float]:
    """`means`, and from its "loss" in nats a token: "perplexity" e^loss and "bits_per_token" loss / ln 2."""
    if "loss" not in means:
        return dict(means)
    loss = means["loss"]
    perplexity = math.exp(loss) if loss < 700 else math.inf if loss == loss else math.nan
    return {**means, "perplexity": perplexity, "bits_per_token": loss / math.log(2)}
