"""Language models, one file a family; all of them `(tokens, carry) -> (logits, carry)`."""

from jaxseq.models.bag import Bag
from jaxseq.models.encoder import TransformerEncoder
from jaxseq.models.rnn import RNNLanguageModel
from jaxseq.models.transformer import TransformerCarry, TransformerLanguageModel

__all__ = ["Bag", "RNNLanguageModel", "TransformerCarry", "TransformerEncoder", "TransformerLanguageModel"]
