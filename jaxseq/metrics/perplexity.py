"""What the mean cross-entropy of tokens, in nats, also says."""

import math
from collections.abc import Mapping

from jaxseq.errors import InputError
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


def require_one_vocabulary(fingerprints: Mapping[str, str]) -> None:
    """Refuses to hold perplexities against each other, or to mix models, where tokens are not the same things.

    Args:
        fingerprints: that of the tokenizer of each model, by the model's name.

    Raises:
        InputError: two are not the same. Fewer words in a vocabulary make each word easier to predict.
    """
    names = list(fingerprints)
    for name in names[1:]:
        if fingerprints[name] != fingerprints[names[0]]:
            raise InputError(
                f"{names[0]} and {name} have different tokenizers, so that their perplexities are of different things: "
                "compare bits per character, or train one with the tokenizer of the other"
            )
