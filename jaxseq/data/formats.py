"""What kind of file bytes are the beginning of, where they are no text."""

from typing import NamedTuple

_PICTURE = "leave it out"
_DOCUMENT = "save it as text first"
_PACKED = "unpack it first"
_FOLDER = "unpack it and give the folder"


class Format(NamedTuple):
    """A format of files that are no text."""

    start: bytes
    suffix: str
    name: str
    remedy: str


_FORMATS = (
    Format(b"\x1f\x8b", ".gz", "a gzip file", f"let its name end in .gz, or {_PACKED}"),
    Format(b"\xfd7zXZ\x00", ".xz", "an xz file", f"let its name end in .xz, or {_PACKED}"),
    Format(b"BZh", ".bz2", "a bzip2 file", f"let its name end in .bz2, or {_PACKED}"),
    Format(b"PK\x03\x04", ".zip", "a zip archive or a document in one", f"let its name end in .zip, or {_PACKED}"),
    Format(b"PK\x05\x06", ".zip", "an empty zip archive", _PICTURE),
    Format(b"PK\x07\x08", ".zip", "part of a zip archive", "put the parts together first"),
    Format(b"(\xb5/\xfd", ".zst", "a zstandard file", f"{_PACKED} (unzstd)"),
    Format(b'\x04"M\x18', ".lz4", "an LZ4 file", f"{_PACKED} (unlz4)"),
    Format(b"]\x00\x00", ".lzma", "an LZMA file", f"{_PACKED} (unlzma)"),
    Format(b"\x1f\x9d", ".Z", "a file of compress", f"{_PACKED} (uncompress)"),
    Format(b"7z\xbc\xaf'\x1c", ".7z", "a 7-Zip archive", _FOLDER),
    Format(b"Rar!\x1a\x07", ".rar", "a RAR archive", _FOLDER),
    Format(b"%PDF-", ".pdf", "a PDF document", f"{_DOCUMENT} (pdftotext)"),
    Format(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ".doc", "a document of an office program", _DOCUMENT),
    Format(b"SQLite format 3\x00", ".sqlite", "an SQLite data base", _DOCUMENT),
    Format(b"PAR1\x15", ".parquet", "a Parquet file", _DOCUMENT),
    Format(b"\x89HDF\r\n\x1a\n", ".h5", "an HDF5 file", _DOCUMENT),
    Format(b"\x93NUMPY", ".npy", "a NumPy array", _DOCUMENT),
    Format(b"\x89PNG\r\n\x1a\n", ".png", "a picture", _PICTURE),
    Format(b"\xff\xd8\xff", ".jpg", "a picture", _PICTURE),
    Format(b"\x7fELF", "", "a program", _PICTURE),
)
_TAR = Format(b"ustar", ".tar", "a tar archive", _FOLDER)
_TAR_MAGIC = slice(257, 262)
_BZIP2_BLOCK = (b"1AY&SY", b"\x17rE8P\x90")  # what follows "BZh" and a digit, in a file with text and in one without
_MARKS = {  # UTF-32's before UTF-16's, with which it begins
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8",
}

HEAD = 262
"""How many bytes of a file it takes to know its format."""


def format_of(head: bytes) -> Format | None:
    """The format of a file that begins with `head`; None for text, or what may be text."""
    if head[_TAR_MAGIC] == _TAR.start:
        return _TAR
    found = next((form for form in _FORMATS if head.startswith(form.start)), None)
    is_word = found is not None and found.suffix == ".bz2" and head[4:10] not in _BZIP2_BLOCK
    return None if is_word else found


def objection(head: bytes, encoding: str) -> str | None:
    """Why a document that begins with `head` is no text in `encoding`, and what to do; None where it may be.

    Args:
        encoding: by Python's own name, as "utf-8".
    """
    found = format_of(head)
    if found is not None:
        return f"is {found.name} ({found.suffix or 'ELF'}), no text: {found.remedy}"
    family = next((family for mark, family in _MARKS.items() if head.startswith(mark)), None)
    if family is None or encoding.startswith(family):
        return None
    return f"begins with the byte-order mark of {family.upper()}: give --data.encoding {family}"
