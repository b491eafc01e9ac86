"""What the mean cross-entropy of tokens, in nats, also says."""

import math

from jaxseq.metrics.metric import Metric


def perplexity(loss: float) -> float:
    """e^loss, infinite where that passes float64."""
    return math.exp(loss) if loss < 700 else math.inf if loss == loss else math.nan


BITS_PER_CHARACTER = Metric("bits_per_character", heading="bits/char")
"""Of a whole text, by the number of its characters: of models with other tokenizers too."""

PERPLEXITY_PER_WORD = Metric("perplexity_per_word", heading="ppl/word")
"""Of a whole text, by the number of its words and line ends: of models with other tokenizers too."""

LOSS_WITH_PADDING = Metric("loss_with_padding", "nats per cell", heading="loss with padding")
"""Of lines padded to one length, the sum over their tokens by the number of all cells: what a mean over padded batches
comes to where padding itself is predicted without doubt, as it soon is by who learns it."""

TOKEN_METRICS = (
    Metric("loss", "nats per token"),
    Metric("perplexity", from_loss=perplexity, of_tokens=True),
    Metric("bits_per_token", from_loss=lambda loss: loss / math.log(2), of_tokens=True),
    Metric("accuracy", better="higher", form=".2%"),
)
"""Of models that predict tokens."""
