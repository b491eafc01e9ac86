"""Pure functions on arrays: the numerics live here. Recurrences are in `jaxseq.ops.recurrence`, run over its cells.

Signatures say the shapes of arrays; their letters are explained in `jaxseq.ops.shapes`.
"""

from jaxseq.ops.attention import attend
from jaxseq.ops.convolution import convolve, convolve_transposed
from jaxseq.ops.logistic_loss import logistic_loss
from jaxseq.ops.losses import Tally, cross_entropy, linear_cross_entropy
from jaxseq.ops.normalization import layer_norm
from jaxseq.ops.objective import LossOutput

__all__ = [
    "LossOutput",
    "Tally",
    "attend",
    "convolve",
    "convolve_transposed",
    "cross_entropy",
    "layer_norm",
    "linear_cross_entropy",
    "logistic_loss",
]
