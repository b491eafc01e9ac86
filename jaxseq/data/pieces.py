"""From bytes to pieces of decoded text, of which no more than one has to lie in memory."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from jaxseq.data.encodings import Encoding
from jaxseq.data.formats import HEAD, objection
from jaxseq.errors import InputError
from jaxseq.text.cuts import last_cut

_MARK = "\ufeff"


class ByteStream(Protocol):
    """What is read from: an open file, plain or compressed."""

    def read(self, size: int, /) -> bytes: ...


class TextPiece(NamedTuple):
    """A part of a document; a document's pieces follow each other, and the next document starts a piece of its own."""

    text: str
    starts_document: bool


def decode(stream: ByteStream, *, place: str, encoding: str, piece_size: int = 2**20) -> Iterator[str]:
    """The text of a stream of bytes in pieces of about `piece_size` bytes, none of them empty.

    A piece ends before a line, or where lines are longer than pieces before a word, or else where `last_cut` allows
    it: normalised piece by piece the text is what it is when normalised whole. Where no cut is allowed a piece goes
    on until there is one, so that memory is bounded by the piece size and the longest stretch that must not be cut.

    A byte-order mark at the start is left out; U+FEFF elsewhere is a character as others are.

    Raises:
        InputError: the bytes are not valid, or those of another kind of file; offsets count from the start of the
            (uncompressed) stream.
    """
    form = Encoding(encoding)
    held: list[str] = []
    for text in _decoded(stream, place, encoding, form, piece_size):
        last = held[-1][-1] if held else ""
        cut = last_cut(last + text) - len(last)
        if cut < 0 or (cut == 0 and not held):
            held.append(text)
            continue
        yield "".join([*held, text[:cut]])
        held = [text[cut:]]
    if held:
        yield "".join(held)


def _decoded(stream: ByteStream, place: str, encoding: str, form: Encoding, size: int) -> Iterator[str]:
    """What the decoder makes of each `size` bytes, where that is any text."""
    decoder = form.decoder()
    consumed = characters = 0
    may_be_mark = form.keeps_mark
    for data in chunks(stream, place, form, size):
        consumed += len(data)
        try:
            text = decoder.decode(data, final=not data)
            text.encode()  # files are written as UTF-8, which has no halves of surrogate pairs
        except UnicodeDecodeError as error:
            # What the decoder refused is a suffix of everything read so far, kept-back bytes included.
            offset = consumed - len(error.object) + error.start
            raise InputError(
                f"{place} is not valid {encoding}: byte 0x{error.object[error.start]:02x} at offset {offset} "
                f"({error.reason}): repair the file or give its encoding as --data.encoding"
            ) from error
        except UnicodeEncodeError as error:
            raise InputError(
                f"{place} is not valid {encoding}: its character {characters + error.start} is half a surrogate pair "
                f"(U+{ord(error.object[error.start]):04X}): repair the file or give its encoding as --data.encoding"
            ) from error
        except UnicodeError as error:
            raise InputError(
                f"{place} is not valid {encoding} ({error}) before offset {consumed}: give its --data.encoding"
            ) from error
        characters += len(text)
        if text and may_be_mark:
            text, may_be_mark = text.removeprefix(_MARK), False
        if text:
            yield text


def chunks(stream: ByteStream, place: str, form: Encoding, size: int) -> Iterator[bytes]:
    """The bytes of `stream` as they come, `size` at most at a time, at last b"".

    Raises:
        InputError: they begin as those of another kind of file do.
    """
    head = data = stream.read(size)
    # Who writes a line may wait for what is made of it.
    while data and len(head) < HEAD and b"\n" not in head:
        data = stream.read(size)
        head += data
    wrong = objection(head, form.name)
    if wrong is not None:
        raise InputError(f"{place} {wrong}")
    yield from (head[start : start + size] for start in range(0, len(head), size))
    while data:
        data = stream.read(size)
        if data:
            yield data
    yield b""
