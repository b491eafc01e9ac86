"""TensorBoard's event files, scalars only.

The format is TFRecord (length, masked CRC-32C, data, masked CRC-32C) around protocol buffers of the message `Event`,
both few enough bytes to write by hand: the packages that can do it start threads that lose errors, and one of them
imports PyTorch wherever that is installed.
"""

import re
import struct
import time
from collections.abc import Mapping
from pathlib import Path

from jaxseq.opening import open_append, open_new, open_regular
from jaxseq.storage.atomic import writing

EVENT_FILE = re.compile(r"events\.out\.tfevents\.\d{18,20}")
"""Names of the files: other programs add the computer's name and more."""
_LARGEST = 3.4028234e38  # in float32
_VERSION = b"brain.Event:2"


class EventFile:
    """A new event file in `directory`, which is made if it is not there.

    Args:
        purge_after: TensorBoard shall forget what earlier files in the directory say of later steps.

    Raises:
        InputError: the file cannot be written; so does `add`.
    """

    def __init__(self, directory: Path, *, purge_after: int) -> None:
        # TensorBoard reads the files in the order of their names.
        self._path = directory / f"events.out.tfevents.{time.time_ns()}"
        with writing(self._path):
            directory.mkdir(parents=True, exist_ok=True)
            open_new(self._path).close()
        self._write(_message(3, _VERSION), step=0)
        self._write(_message(7, _number(1, 1)), step=purge_after + 1)  # session_log: start

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Writes values by tag; those that are not finite in float32 are left out."""
        values = [
            _message(1, _message(1, tag.encode()) + _key(2, 5) + struct.pack("<f", value))
            for tag, value in scalars.items()
            if abs(value) <= _LARGEST
        ]
        self._write(_message(5, b"".join(values)), step=step)

    def _write(self, content: bytes, *, step: int) -> None:
        event = _key(1, 1) + struct.pack("<d", time.time()) + _number(2, step) + content
        length = struct.pack("<Q", len(event))
        with writing(self._path), open_append(self._path) as file:
            file.write(length + _checksum(length) + event + _checksum(event))


def is_event_file(path: Path) -> bool:
    """Whether a file is an `EventFile`, if only the beginning of one: the library of TensorBoard writes the first event
    in fewer bytes, without its step."""
    first = _number(2, 0) + _message(3, _VERSION)
    try:
        with open_regular(path) as file:
            begin = file.read(12 + 9 + len(first))
    except OSError:
        return False
    length = struct.pack("<Q", 9 + len(first))
    wanted = length + _checksum(length) + _key(1, 1)
    return begin[: len(wanted)] == wanted[: len(begin)] and begin[21:] == first[: max(0, len(begin) - 21)]


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _number(field: int, value: int) -> bytes:
    return _key(field, 0) + _varint(value)


def _message(field: int, content: bytes) -> bytes:
    """A field that holds bytes: text or a message."""
    return _key(field, 2) + _varint(len(content)) + content


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc_table()


def _checksum(data: bytes) -> bytes:
    """CRC-32C (Castagnoli), rotated and shifted as TFRecord masks it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
