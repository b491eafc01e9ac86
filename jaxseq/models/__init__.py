"""Bodies, one file a family: tokens become features, of which a head and a task make the rest."""

from jaxseq.models.recurrent import Recurrent
from jaxseq.models.transformer import Transformer, TransformerCarry

__all__ = ["Recurrent", "Transformer", "TransformerCarry"]
