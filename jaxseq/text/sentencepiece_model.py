"""What a `.model` file of SentencePiece says, and the same model with another normalisation.

The messages are those of its src/sentencepiece_model.proto.
"""

import math
import reprlib
from typing import NamedTuple

from jaxseq.errors import InputError
from jaxseq.text.wire import Value, fields, with_bytes, with_varint

SPACE = "\u2581"
"""What stands for a space in pieces."""

_PIECES, _TRAINER, _NORMALIZER, _DENORMALIZER = 1, 2, 3, 5
_ROLES = {1: "normal", 2: "unknown", 3: "control", 4: "user defined", 5: "unused", 6: "byte"}
_AS_SUFFIX = 24
_CHARSMAP, _DUMMY_PREFIX, _EXTRA_SPACES, _ESCAPE = 2, 3, 4, 5


class Piece(NamedTuple):
    """A piece of a model."""

    text: str
    score: float
    role: str


class SentencePieceModel(NamedTuple):
    """What a model consists of, and what it does to a text first."""

    pieces: tuple[Piece, ...]
    normalization: str
    """The name of its rules: "nmt_nfkc", "nfkc", with "_cf" for case folding, "identity" or another one."""
    has_rules: bool
    dummy_prefix: bool
    """Whether a text is read with a space before it."""
    removes_spaces: bool
    """Whether one space is left of several, and none at the ends."""


def read_model(data: bytes) -> SentencePieceModel:
    """What the bytes of a `.model` file say.

    Raises:
        InputError: they are no model, or one with options that lose text and cannot be told.
    """
    try:
        top = list(fields(data))
        pieces = tuple(_piece(value) for number, value in top if number == _PIECES)
        trainer, spec, after = (_last(top, number) for number in (_TRAINER, _NORMALIZER, _DENORMALIZER))
        name = _text(spec.get(1, b""))
    except (ValueError, TypeError) as error:
        raise InputError(f"this is no SentencePiece model ({error})") from error
    roles = [piece.role for piece in pieces]
    if roles.count("unknown") != 1 or not {"normal", "user defined"} & {*roles}:
        raise InputError(
            f"this is no SentencePiece model: of its {len(pieces)} pieces one must be unknown, others known"
        )
    if "byte" in roles and [piece.text for piece in pieces if piece.role == "byte"] != _byte_names():
        raise InputError("a SentencePiece model has bytes among its pieces, but not all 256 in their order")
    for refused, told in (
        (trainer.get(_AS_SUFFIX), "treat_whitespace_as_suffix"),
        (not spec.get(_ESCAPE, 1), "escape_whitespaces off"),
        (after.get(_CHARSMAP), "a denormalizer_spec"),
    ):
        if refused:
            raise InputError(
                f"a SentencePiece model with {told} cannot be read: texts would not come back as they were"
            )
    return SentencePieceModel(
        pieces,
        name,
        bool(spec.get(_CHARSMAP)),
        bool(spec.get(_DUMMY_PREFIX, 1)),
        bool(spec.get(_EXTRA_SPACES, 1)),
    )


def without_normalization(data: bytes) -> bytes:
    """The same model, which reads texts as they are but for a dummy prefix where it had one."""
    spec = b"".join([with_bytes(b"", 1, b"identity"), with_bytes(b"", _CHARSMAP, b"")])
    spec = with_varint(spec, _DUMMY_PREFIX, int(read_model(data).dummy_prefix))
    return with_bytes(data, _NORMALIZER, with_varint(spec, _EXTRA_SPACES, 0))


def _piece(message: Value) -> Piece:
    found = dict(fields(_bytes(message)))
    score, role = found.get(2, 0.0), found.get(3, 1)
    if not isinstance(score, float) or not math.isfinite(score) or role not in _ROLES:
        raise ValueError(f"a piece with the score {reprlib.repr(score)} and the type {reprlib.repr(role)}")
    text = _text(found.get(1, b""))
    if not text:
        raise ValueError("a piece without text")
    return Piece(text, score, _ROLES[int(role)])


def _last(top: list[tuple[int, Value]], number: int) -> dict[int, Value]:
    """The fields of a message within, of which the last one counts."""
    return dict(fields(next((_bytes(value) for n, value in reversed(top) if n == number), b"")))


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("a number in place of a message")
    return value


def _text(value: Value) -> str:
    return _bytes(value).decode("utf-8")


def _byte_names() -> list[str]:
    return [f"<0x{byte:02X}>" for byte in range(256)]
