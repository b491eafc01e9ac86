"""Numbers that fields of several sections may hold."""

from typing import Annotated

from jaxseq.config.fields import Bounds

COUNTED = 2**31 - 1
"""Steps are counted in int32."""
LONGEST, WIDEST = 2**20, 2**16
"""Of windows and batches; of layers. Whether a model fits into memory is seen where its data are known."""

Count = Annotated[int, Bounds(1, COUNTED)]
CountOrZero = Annotated[int, Bounds(0, COUNTED)]
Length = Annotated[int, Bounds(1, LONGEST)]
Width = Annotated[int, Bounds(1, WIDEST)]
DropoutRate = Annotated[float, Bounds(0, 0.9999)]
