"""Language models, one file a family; all of them `(tokens, carry) -> (logits, carry)`."""

from jaxseq.models.rnn import RNNLanguageModel
from jaxseq.models.transformer import TransformerCarry, TransformerLanguageModel

__all__ = ["RNNLanguageModel", "TransformerCarry", "TransformerLanguageModel"]
