"""The encodings that files of text can have."""

import codecs

from jaxseq.errors import InputError

# Text encodings to Python, but of host names and of source code: most decode a file to something else than it says.
_OF_NO_FILE = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
_OWN_MARK = {"utf-8-sig", "utf-16", "utf-32"}  # their decoders leave the byte-order mark out themselves


class Encoding:
    """An encoding by any of the names that Python knows.

    Raises:
        InputError: there is none of that name, or files of text cannot have it.
    """

    name: str
    """Python's own, as "utf-8"."""
    keeps_mark: bool
    """Whether a byte-order mark comes out of its decoder as a character."""

    def __init__(self, name: str) -> None:
        try:
            found = codecs.lookup(name)
        except (LookupError, ValueError) as error:  # ValueError: the name holds a NUL, or half of a surrogate pair
            raise InputError(
                f"unknown encoding: {ascii(name)[1:-1][:60]}: give one that Python knows as --data.encoding, as utf-8"
            ) from error
        self.name = found.name.replace("_", "-")
        # The mark that Python's own text files go by.
        if not getattr(found, "_is_text_encoding", True) or self.name in _OF_NO_FILE or not found.incrementaldecoder:
            raise InputError(
                f"{found.name} is not a text encoding of files: give the one of the text as --data.encoding, as utf-8"
            )
        self.decoder = found.incrementaldecoder
        self.keeps_mark = self.name not in _OWN_MARK
