"""The files that a source names, and the documents of each as pieces of text."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from jaxseq.data.archives import COMPRESSED_SUFFIXES, hidden, open_streams
from jaxseq.data.pieces import TextPiece, decode
from jaxseq.errors import InputError
from jaxseq.paths import expanded
from jaxseq.reading import reading, shown

_TEXT_SUFFIXES = (".txt", *(f".txt{suffix}" for suffix in COMPRESSED_SUFFIXES))

_TAKES = 'a path, a glob, "-", "python-manual" or "tfds:NAME"'


def find_files(source: str, *, option: str = "--data.source", takes: str = _TAKES) -> list[Path]:
    """The files that a path, a folder or a glob names, sorted.

    A folder stands for every `.txt` file in it and below, compressed ones (`.txt.gz`, `.txt.xz`, `.txt.bz2`,
    `.txt.zip`) included, hidden ones not. A glob (`**` goes into folders) stands for every file it matches.

    Args:
        option, takes: what names it, and what may be named by it, for messages.

    Raises:
        InputError: nothing is there, or one may not look.
    """
    if not source:
        raise InputError(f"{option} is empty: name a file, a folder or another source of text")
    try:
        return _found(source, option, takes)
    except OSError as error:
        raise InputError(
            f"{shown(source)} cannot be looked up ({error.strerror}): check the name and permissions"
        ) from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        # Names of files have no NUL and no halves of surrogate pairs.
        raise InputError(f"{source!a} is no name of a file ({error}): give another {option}") from error


def _found(source: str, option: str, takes: str) -> list[Path]:
    os.fsencode(source)
    path = expanded(source)
    if "\0" in source:
        raise ValueError("it holds a NUL")
    if path.is_dir():
        files = sorted(
            file for file in files_below(path) if file.name.lower().endswith(_TEXT_SUFFIXES) and file.is_file()
        )
        if not files:
            raise InputError(
                f"the folder {shown(source)} holds no .txt file: name other files by a glob, "
                f'"{shown(source.rstrip("/"))}/**/*.md"'
            )
        return files
    if path.exists():
        return [path]
    files = sorted(Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file())
    if not files:
        what = "no file matches" if glob.has_magic(source) else "there is no file or folder"
        raise InputError(f"{what} {shown(source)} (from {_here()}): {option} takes {takes}")
    return files


def files_below(folder: Path) -> Iterator[Path]:
    """All that is in a folder and in those below it, links not followed, nothing hidden.

    Raises:
        OSError: one may not look into one of them.
    """

    def refuse(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not hidden((name,))]
        yield from (Path(place, name) for name in files if not hidden((name,)))


def _here() -> str:
    try:
        return shown(Path.cwd())
    except OSError:
        return "a folder that has been deleted"


def read_file(path: Path, *, encoding: str, piece_size: int) -> Iterator[TextPiece]:
    """The documents of one file: itself, or for a .zip its members. Documents without text are left out.

    Raises:
        InputError: it cannot be opened, is damaged, or is not valid in `encoding`.
    """
    with reading(path):
        for place, stream in open_streams(path):
            starts_document = True
            for text in decode(stream, place=place, encoding=encoding, piece_size=piece_size):
                yield TextPiece(text, starts_document)
                starts_document = False
