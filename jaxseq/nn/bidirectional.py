"""A recurrent layer that reads both ways."""

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Bool, Float, Float32

from jaxseq.nn.recurrent import RecurrentLayer
from jaxseq.ops.cells import State
from jaxseq.ops.lookup import Lookup
from jaxseq.ops.shapes import Array


class BidirectionalCarry(NamedTuple):
    """The state of each direction, as wide as the features of that direction."""

    forward: State
    backward: State


class Bidirectional(nn.Module):
    """Two recurrent layers side by side, one from the first token to the last and one from the last to the first.

    Each keeps its own parameters, under "forward" and "backward"; their kinds and widths may differ. Padding is passed
    over wherever it stands, so the backward layer begins at a row's last real token, and its final state is that after
    the first one.

    Raises:
        ValueError: one layer is given twice; or a carry is not of both directions.
    """

    forward: RecurrentLayer
    backward: RecurrentLayer

    def __post_init__(self) -> None:
        if self.forward is self.backward:
            raise ValueError("one layer cannot be both directions: its weights would be shared, give two")
        super().__post_init__()

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> BidirectionalCarry:
        """Zeros for both directions, leading axis batch."""
        return BidirectionalCarry(self.forward.initial_carry(batch_size), self.backward.initial_carry(batch_size))

    def __call__(
        self,
        x: Float[Array, "b t d"] | Lookup,
        carry: BidirectionalCarry | None = None,
        *,
        mask: Bool[Array, "b t"] | None = None,
        reset: Bool[Array, "b t"] | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> tuple[Float32[Array, "b t {self.forward.features+self.backward.features}"], BidirectionalCarry]:
        """Outputs, those of forward first, zero where masked; and where each direction ended.

        Args:
            x: Vectors.
            carry: What each direction starts from: forward before a row's first token, backward after its last. So
                what a call returns, which was forward after the last and backward after the first, is no beginning
                for the next piece of the same text; a text that is to be read both ways has to be whole.
            mask: False on padding.
            reset: True where a row begins anew before this token: several texts in one row. The backward
                layer begins anew where it comes to the token before; neither learns what the other text holds. The
                carry is read by the first text backward and by the last one forward.
            train: Whether dropout acts.
            guard: As `ops.recurrence.run` has it.
        """
        if carry is not None and not isinstance(carry, BidirectionalCarry):
            raise ValueError(f"a carry of {type(carry).__name__} is not of both directions: give a BidirectionalCarry")
        if isinstance(x, Lookup) and not x.is_narrow:
            x = x.vectors(mask)  # once for both
        start, end = (None, None) if carry is None else carry
        behind = None if reset is None else jnp.pad(reset[:, 1:], ((0, 0), (0, min(1, reset.shape[1]))))
        options = {"mask": mask, "train": train, "guard": guard}
        ahead, forward = self.forward(x, start, reset=reset, **options)
        back, backward = self.backward(x, end, reset=behind, reverse=True, **options)
        return jnp.concatenate([ahead, back], axis=-1), BidirectionalCarry(forward, backward)
