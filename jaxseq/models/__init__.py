"""Bodies, one file a family: tokens become features, of which a head and a task make the rest."""

from jaxseq.models.autoencoder import Autoencoder
from jaxseq.models.bag import Bag
from jaxseq.models.corners import Corners
from jaxseq.models.detector import Detector
from jaxseq.models.encoder import TransformerEncoder
from jaxseq.models.nbsvm import NBSVM
from jaxseq.models.ngram import NGram, NGramCarry
from jaxseq.models.recurrent import Recurrent
from jaxseq.models.text_vectors import TextTables
from jaxseq.models.transformer import Transformer, TransformerCarry
from jaxseq.models.window_bag import LastTokens, WindowBag
from jaxseq.models.word_vectors import VectorTables, WordParts

__all__ = [
    "Autoencoder",
    "Bag",
    "Corners",
    "Detector",
    "LastTokens",
    "NBSVM",
    "NGram",
    "NGramCarry",
    "Recurrent",
    "TextTables",
    "Transformer",
    "TransformerCarry",
    "TransformerEncoder",
    "VectorTables",
    "WindowBag",
    "WordParts",
]
