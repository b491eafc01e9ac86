"""Language models, one file a family; all of them `(tokens, carry) -> (logits, carry)`."""

from jaxseq.models.bag import Bag
from jaxseq.models.encoder import TransformerEncoder
from jaxseq.models.nbsvm import NBSVM
from jaxseq.models.rnn import RNNLanguageModel
from jaxseq.models.transformer import TransformerCarry, TransformerLanguageModel

__all__ = ["NBSVM", "Bag", "RNNLanguageModel", "TransformerCarry", "TransformerEncoder", "TransformerLanguageModel"]
