"""Words of a UTF-8 text found in a vocabulary thousands at a time, without a Python object for each."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from jaxseq.text.normalize import breaks_to_spaces, normalizer

PIECE = 1 << 18
"""Bytes of a text that are looked at at a time: so many that the calls of NumPy take no time."""

_FIRST, _BLOCK = 7, 8  # bytes of a word that are compared at once: with the size in an eighth; without
_LONGEST = _FIRST + 3 * _BLOCK  # longer ones are few
_BLOCK_BYTES = np.array([(1 << 8 * size) - 1 for size in range(_BLOCK + 1)], np.uint64)
_BYTES = _BLOCK_BYTES[: _FIRST + 1]
_SIZES = np.array([size << 56 for size in range(_LONGEST + 2)], np.uint64)
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / the golden ratio: Fibonacci hashing, Knuth's volume 3, section 6.4
_MIX_MORE = np.uint64(0xC2B2AE3D27D4EB4F)  # any odd number

_BREAKING = {"breaks_to_spaces", "letters_only"}
_BY_CHARACTER = {"lowercase", "nfc", "nfkc", *_BREAKING}


class Separators:
    """Characters that words stand between: a word is what is left of a text between two of them.

    Args:
        characters: the first of them is ASCII.
        normalizers: names of `NORMALIZERS`, applied to texts first.
    """

    def __init__(self, characters: str, normalizers: Sequence[str] = ()) -> None:
        plain = [character for character in characters if character.isascii()]
        self._normalizer = normalizer(normalizers)
        # What is done to ASCII character by character is cheaper for many texts at once.
        later = {*normalizers} <= _BY_CHARACTER and all(self._normalizer(one) in characters for one in plain)
        self._ascii_later = later
        self._breaks = not _BREAKING.isdisjoint(normalizers)
        self._byte = ord(plain[0])
        self.byte = plain[0].encode()
        """The one that `apply` puts in place of all."""
        table = [self._normalizer(chr(byte)) if later else chr(byte) for byte in range(128)]
        self._table = bytes(self._byte if character in plain else ord(character) for character in table)
        self._table += bytes(range(128, 256))
        other = [character for character in characters if not character.isascii()]
        self._other = re.compile(f"[{re.escape(''.join(other))}]") if other else None

    def apply(self, texts: Sequence[str]) -> tuple[bytes, list[int]]:
        """The texts, normalised, in UTF-8, each separator as the byte `byte` and one between texts; the size of each.

        The texts of one call are kept in memory several times over.
        """
        normalize, other = self._normalizer, self._other
        if self._ascii_later:
            soon = breaks_to_spaces if self._breaks else str
            prepared = [soon(text) if text.isascii() else normalize(text) for text in texts]
        else:
            prepared = [normalize(text) for text in texts]
        if other:
            prepared = [text if text.isascii() else other.sub(self.byte.decode(), text) for text in prepared]
        encoded = [text.encode("utf-8", "surrogatepass") for text in prepared]
        return self.byte.join(encoded).translate(self._table), list(map(len, encoded))

    def pieces(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Pieces of `data` of about 256 KiB, with the offset of each; none is cut within a word."""
        start = 0
        while len(data) - start > PIECE:
            end = data.rfind(self.byte, start, start + PIECE)
            end = end if end > start else data.find(self.byte, start + PIECE)
            if end < 0:
                break
            yield start, data[start:end]
            start = end
        yield start, data[start:]

    def bounds(self, piece: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """The words of `piece`: an array that holds them, where in it each starts [w], and the bytes of each [w]."""
        array = np.frombuffer(self.byte + piece + self.byte * (_BLOCK + 1), np.uint8)
        inside = array != self._byte
        edges = np.flatnonzero(inside[1:] != inside[:-1])
        return array, edges[0::2] + 1, edges[1::2] - edges[0::2]


class WordTable:
    """The position of each word in a list of them, most frequent first, looked up for many words at once.

    A hash table in NumPy arrays in which each word has one slot only. Of several for one slot the most frequent has it,
    the others are looked up in a dict, as are long words. Words are compared byte by byte, not by their hashes.
    """

    def __init__(self, words: Sequence[bytes]) -> None:
        self._of_word = {word: index for index, word in enumerate(words)}
        sizes = np.array([len(word) for word in words], np.int64)
        padded = sizes + (_FIRST + _BLOCK)  # so that a block may be read from every byte on
        text = b"".join(word + bytes(_FIRST + _BLOCK) for word in words) + bytes(_BLOCK)
        nothing = 0  # the size of one more word, which stands where there is none
        self._words = _Words(
            np.frombuffer(text, np.uint8), np.append(np.cumsum(padded) - padded, 0), np.append(sizes, nothing)
        )
        self._seconds = np.zeros(len(words) + 1, np.uint64)
        self._seconds[self._words.longer] = self._words.seconds
        bits = (4 * len(words)).bit_length()
        self._shift = np.uint64(64 - bits)
        self._slots = np.full(1 << bits, len(words), np.int32)
        order = np.arange(len(words) - 1, -1, -1, dtype=np.int32)
        self._slots[self._hashes(self._words)[order]] = order  # where several have one slot, the last written stays

    def find(self, array: NDArray[np.uint8], starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int32]:
        """The positions [w] of words given as by `Separators.bounds`; -1 for those that are not among the words."""
        words = _Words(array, starts, sizes)
        found = self._slots.take(self._hashes(words))
        missed = np.flatnonzero(self._differ(found, words))
        left = missed[(found[missed] < len(self._of_word)) | (sizes[missed] > _LONGEST)]
        found[missed] = -1
        if len(left):
            data, begins, ends = array.tobytes(), starts[left].tolist(), (starts[left] + sizes[left]).tolist()
            get = self._of_word.get
            found[left] = [get(data[begin:end], -1) for begin, end in zip(begins, ends, strict=True)]
        return found

    def _hashes(self, words: "_Words") -> NDArray[np.int64]:
        """The slot [w] of each word."""
        mixed = words.keys * _MIX
        mixed[words.longer] = (mixed[words.longer] ^ (words.seconds * _MIX_MORE)) * _MIX
        return (mixed >> self._shift).view(np.int64)

    def _differ(self, these: NDArray[np.int32], others: "_Words") -> NDArray[np.bool_]:
        """Whether word `these[i]` is another than word i of `others`; it counts as one if longer than `_LONGEST`."""
        words, longer = self._words, others.longer
        differ = words.keys.take(these) != others.keys
        differ[longer] |= self._seconds.take(these[longer]) != others.seconds
        which = longer[~differ[longer] & (others.sizes[longer] > _FIRST + _BLOCK)]
        for offset in range(_FIRST + _BLOCK, _LONGEST, _BLOCK):
            if not len(which):
                return differ
            differ[which] = words.block(these[which], offset) != others.block(which, offset)
            which = which[~differ[which] & (others.sizes[which] > offset + _BLOCK)]
        differ[which] = True
        return differ


class _Words:
    """Words [w] within an array of bytes, as numbers: of the first 7 bytes, the 8 after them, and so on."""

    def __init__(self, array: NDArray[np.uint8], starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> None:
        self.sizes, self._starts = sizes, starts
        self._numbers = np.ndarray((len(array) - _BLOCK + 1,), "<u8", array.data, strides=(1,))  # from every byte on
        self.keys = (self._numbers[starts] & _BYTES.take(sizes, mode="clip")) | _SIZES.take(sizes, mode="clip")
        """[w]: the first 7 bytes and the size, all there is of words that are not longer."""
        self.longer = np.flatnonzero(sizes > _FIRST)
        """Which words are longer [l]."""
        self.seconds = self.block(self.longer, _FIRST)
        """The next 8 bytes of these [l]."""

    def block(self, which: NDArray[np.int64] | NDArray[np.int32], offset: int) -> NDArray[np.uint64]:
        """Of the words `which`, longer than `offset`, the 8 bytes from there on, with zeros behind their end."""
        rest = self.sizes[which] - offset
        return self._numbers[self._starts[which] + offset] & _BLOCK_BYTES.take(rest, mode="clip")
