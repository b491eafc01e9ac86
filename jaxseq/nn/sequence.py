"""What goes along time: one protocol for layers and for whole models, so that one can stand in another's place."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

from jax.typing import DTypeLike
from jaxtyping import Bool, Float

from jaxseq.ops.shapes import Array


@runtime_checkable
class SequenceLayer(Protocol):
    """A Linen module that reads x [b, t, ...] and hands on in a carry what reading further takes.

    The carry is a pytree of arrays, the batch leading on every leaf. Reading all of x at once equals reading it in any
    pieces, and equals a `step` for each x[:, i]. The recurrent layers are such, on vectors, and so are the bodies in
    `jaxseq.models`, on tokens. (A Transformer's `Block` is not: all blocks share one `Placement`, which the body works
    out once.)
    """

    def initial_carry(self, batch_size: int) -> Any:
        """The carry before anything was read."""
        ...

    def __call__(
        self,
        x: Any,
        carry: Any = None,
        /,
        *,
        mask: Bool[Array, "b t"] | None = None,
        reset: Bool[Array, "b t"] | None = None,
        train: bool = False,
        guard: bool = True,
    ) -> tuple[Float[Array, "b t f"], Any]:
        """Outputs, zero where masked, and the carry.

        Args:
            carry: None for the initial one, known when compiling.
            mask: Where False x is padding, whatever it holds, and the carry passes through. None for all
                True.
            reset: Where True the row starts from the initial carry before this x. None for all False.
            train: Whether dropout acts; its key is the one named "dropout".
            guard: Whether what is not finite is kept from all that does not depend on it. A loss in which every x
                counts goes without.
        """
        ...

    def prepare(self, params: Mapping[str, Any]) -> Any:
        """`params`, which may hold more than this layer's own, as `step` wants them: what is the same for every step is
        worked out here, once."""
        ...

    def step(self, weights: Any, x: Any, carry: Any, /) -> tuple[Float[Array, "b f"], Any]:
        """Outputs for x [b, ...], and the carry, shaped as given: the layer's fastest step.

        A pure function of its arguments. It, `prepare` and `initial_carry` are marked `flax.linen.nowrap`.
        """
        ...


@runtime_checkable
class CausalBody(SequenceLayer, Protocol):
    """A model without its head: tokens [b, t] int32 become features [b, t, d] in the compute type, each of which
    knows its own token and those before."""

    TIME_FIRST: ClassVar[bool]
    """Whether features lie in memory time first, so that it costs nothing to read them in that order."""

    @property
    def vocabulary_size(self) -> int:
        """Tokens that it knows."""
        ...

    @property
    def dtype(self) -> DTypeLike:
        """The compute type: that of activations and of matrix products."""
        ...
