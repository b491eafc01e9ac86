"""A stream of bytes that can be looked at before it is read: what every format of vectors is read from."""

from jaxseq.data.pieces import ByteStream
from jaxseq.errors import InputError

PORTION = 2**20
"""Bytes that are asked for at a time."""


class Source:
    """The bytes of a file from its start; no more of them are held than were asked for, or a portion.

    Args:
        place: the file's name in messages.
        longest: bytes in the longest line.
    """

    def __init__(self, place: str, stream: ByteStream, *, longest: int) -> None:
        self.place = place
        self._stream, self._longest = stream, longest
        self._held, self._at, self._ended = b"", 0, False
        self._before = 0

    @property
    def offset(self) -> int:
        """Bytes that have been read."""
        return self._before + self._at

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end."""
        self._fill(size)
        return self._held[self._at : self._at + size]

    def skip(self, size: int) -> None:
        """Reads as many of the bytes that were looked at."""
        self._at += size

    def exactly(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end, read."""
        data = self.peek(size)
        self._at += len(data)
        return data

    def until(self, mark: bytes, *, most: int) -> bytes | None:
        """What stands before the next `mark`, which is read too; None where it is not among `most` bytes."""
        end = self._held.find(mark, self._at, self._at + most)
        if end < 0:
            self._fill(most)
            end = self._held.find(mark, self._at, self._at + most)
        if end < 0:
            return None
        data = self._held[self._at : end]
        self._at = end + len(mark)
        return data

    def peek_line(self) -> bytes:
        """The next line without its end, cut where it is longer than any can be."""
        return self.peek(self._longest).partition(b"\n")[0]

    def lines(self) -> bytes:
        """The next lines, whole, about a portion of them, with their ends; b"" behind the last one.

        Raises:
            InputError: one is longer than any can be.
        """
        size = PORTION
        while True:
            held = self.peek(size)
            end = held.rfind(b"\n") + 1
            if not end and len(held) > self._longest:
                raise InputError(f"{self.place} has a line of more than {self._longest:,} bytes: fetch it again")
            if end or len(held) < size:
                self._at += end or len(held)
                return held[: end or len(held)]
            size *= 2

    def _fill(self, size: int) -> None:
        """Holds at least `size` bytes, if there are so many."""
        while not self._ended and len(self._held) - self._at < size:
            data = self._stream.read(max(size, PORTION))
            self._before += self._at
            self._held, self._at = self._held[self._at :] + data, 0
            self._ended = not data
