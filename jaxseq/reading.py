"""Reading what others wrote: damage and missing permissions in one line, and names from elsewhere fit to be shown."""

import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxseq.errors import InputError

# What Python's readers raise on damaged files, the last ones for a name, a length or a version that is wrong.
DAMAGE = (
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    struct.error,
    UnicodeDecodeError,
    NotImplementedError,
    MemoryError,
)


def shown(name: object) -> str:
    """A name from elsewhere in a message of one line: what does not print is escaped."""
    text = str(name)
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """While entered, what goes wrong in reading the file at `path` is told in one line.

    Raises:
        InputError: it cannot be opened, or is damaged.
    """
    try:
        yield
    except (*DAMAGE, OSError) as error:
        if not isinstance(error, OSError) or error.errno is None:  # bz2 and gzip tell damage so
            raise InputError(
                f"{shown(path)} is damaged, or not what its name says ({shown(error)}): fetch it again"
            ) from error
        raise InputError(
            f"{shown(path)} cannot be read ({error.strerror}): check the file and its permissions"
        ) from error
