"""The lines of a stream of bytes, with damage told by its line."""

from codecs import IncrementalDecoder
from collections.abc import Iterator

from jaxseq.data.encodings import Encoding
from jaxseq.data.pieces import ByteStream, chunks
from jaxseq.errors import InputError

_MARK = "\ufeff"


def read_lines(stream: ByteStream, *, place: str, encoding: str = "utf-8", size: int = 2**16) -> Iterator[str]:
    """The lines of a stream, each with what ends it; joined they are the text.

    A line ends with U+000A and nowhere else: other characters that Python's `splitlines` takes for ends of lines occur
    in texts. The last line need not have an end. A byte-order mark at the start is left out.

    Args:
        place: the stream's name in messages.
        size: bytes that are read at a time.

    Raises:
        InputError: the bytes are not valid in `encoding`, or those of another kind of file.
    """
    form = Encoding(encoding)
    decoder = form.decoder()
    count, may_be_mark = 0, form.keeps_mark
    held: list[str] = []  # joined once: a file may be one line
    for data in chunks(stream, place, form, size):
        state = decoder.getstate()
        try:
            text = decoder.decode(data, final=not data)
            if not text.isascii():
                text.encode()  # halves of surrogate pairs, which some decoders let through
        except UnicodeError as error:
            decoder.setstate(state)
            line = count + 1 + _ends_before_damage(decoder, data)
            raise InputError(
                f"{place}, line {line} is not valid {encoding} ({_what(error)}): "
                "repair the file or give its encoding as --data.encoding"
            ) from error
        if text and may_be_mark:
            text, may_be_mark = text.removeprefix(_MARK), False
        held.append(text)
        if "\n" in text:
            *whole, rest = "".join(held).split("\n")
            held = [rest]
            count += len(whole)
            for line in whole:
                yield f"{line}\n"
    if last := "".join(held):
        yield last


def _ends_before_damage(decoder: IncrementalDecoder, data: bytes) -> int:
    """How many lines end before the first byte that cannot be decoded."""
    ends = 0
    for byte in data:
        try:
            text = decoder.decode(bytes([byte]))
            text.encode()
        except UnicodeError:
            break
        ends += text.count("\n")
    return ends


def _what(error: UnicodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte 0x{error.object[error.start]:02x}: {error.reason}"
    if isinstance(error, UnicodeEncodeError):
        return f"half a surrogate pair, U+{ord(error.object[error.start]):04X}"
    return str(error)
