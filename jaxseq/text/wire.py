"""The wire format of protocol buffers, as far as SentencePiece's models need it.

https://protobuf.dev/programming-guides/encoding: a message is fields, each a key (number << 3 | type) as a varint and a
value: a varint, 8 bytes, 4 bytes, or a length as a varint and so many bytes.
"""

import struct
from collections.abc import Iterator

Value = int | bytes | float

_VARINT, _LONG, _BYTES, _FLOAT = 0, 1, 2, 5


def fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """The fields of a message, as they come: their numbers and values.

    Raises:
        ValueError: the bytes are no message.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in (_LONG, _FLOAT):
            size = 8 if kind == _LONG else 4
        else:
            raise ValueError(f"a field of the type {kind} at offset {at}")
        if at + size > len(message):
            raise ValueError(f"the bytes end at offset {len(message)}, within a field")
        data = message[at : at + size]
        at += size
        yield number, struct.unpack("<f", data)[0] if kind == _FLOAT else data


def with_bytes(message: bytes, number: int, value: bytes) -> bytes:
    """`message` with another field `number`, which has bytes; appended where there is none, as the last one counts."""
    kept = b"".join(_written(n, v) for n, v in fields(message) if n != number)
    return kept + _written(number, value)


def with_varint(message: bytes, number: int, value: int) -> bytes:
    """`message` with another field `number`, which has an integer."""
    return message + _written(number, value)


def _written(number: int, value: Value) -> bytes:
    if isinstance(value, int):
        return _as_varint(number << 3 | _VARINT) + _as_varint(value)
    if isinstance(value, float):
        return _as_varint(number << 3 | _FLOAT) + struct.pack("<f", value)
    return _as_varint(number << 3 | _BYTES) + _as_varint(len(value)) + value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError(f"no number at offset {at}")
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _as_varint(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])
