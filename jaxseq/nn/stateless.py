"""What modules without a memory answer to who hands them one."""

from typing import Any

from jaxtyping import Bool

from jaxseq.ops.shapes import Array


def refuse_carry(what: str, carry: Any, reset: Bool[Array, "b t"] | None) -> None:
    """Nothing but the empty carry `()`, or None, and no reset, means anything to a module that reads texts whole.

    Raises:
        ValueError: it was given something else; `what` is its name in the message.
    """
    if not (carry is None or (isinstance(carry, tuple) and not carry)):
        raise ValueError(
            f"{what} reads every text at once and keeps no carry: give None or () instead of {type(carry).__name__}"
        )
    if reset is not None:
        raise ValueError(f"{what} reads every text at once, a row is one text: give the texts as rows, without reset")
