"""From the name of a source to labelled texts, part by part."""

import glob
import os
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from jaxseq.data.archives import TARS
from jaxseq.data.class_folders import PART_OF, UNLABELLED, Place, class_folders
from jaxseq.data.corpus import SPLITS
from jaxseq.data.encodings import Encoding
from jaxseq.data.labelled import Labelled
from jaxseq.data.lines import read_lines
from jaxseq.data.members import Parts, Streams, archive_files, file_streams, folder_files
from jaxseq.data.sources import PYTHON_MANUAL, STANDARD_INPUT, TFDS_PREFIX
from jaxseq.data.tables import TABLES, Kind, filled_rows, read_rows, suffix_of, table_kind
from jaxseq.data.text_files import find_files
from jaxseq.data.tfds_source import read_labelled_tfds
from jaxseq.errors import InputError
from jaxseq.paths import expanded
from jaxseq.reading import shown
from jaxseq.signals import Poll, never

_TEXT = ".txt"
_WHOLE = ""  # the part of a source that is not divided
_OTHER_WAYS = "give a table (.csv, .tsv, .jsonl), a folder or an archive of folders of classes, or tfds:NAME"


class _Columns(NamedTuple):
    """The columns of a table that make an example."""

    text: str
    label: str


def read_labelled(
    source: str,
    *,
    test_source: str = "",
    text_column: str = "text",
    label_column: str = "label",
    encoding: str = "utf-8",
    poll: Poll = never,
) -> dict[str, Labelled]:
    """The labelled texts of a source by part: "train", and where the source has them "validation" and "test".

    Args:
        source: one of
            - a folder of folders of classes, `LABEL/*.txt`, with or without `train/`, `validation/` (`valid/`, `val/`,
              `dev/`) and `test/` above them, or an archive of one (`.zip`, `.tar`, `.tar.gz`, `.tar.xz`, `.tar.bz2`),
              which is read as it is; a folder `unsup`, as aclImdb has, is left out;
            - a table with a header, as `jaxseq.data.tables` says, also compressed; a `.txt` has tabs and no quoting;
            - a folder, archive or glob of tables whose names tell their part, as `train.csv` or `ratings_test.txt`;
            - a glob that stands for one folder or archive, as `aclImdb*` does however it is packed;
            - "tfds:NAME[/config][:version][:split][#feature]" with a label among its features. Without a split it is
              all those that are named as parts are.
            A source without names of parts is all "train".
        test_source: the same, for "test": its part of that name, or all of it where it is not divided. What `source`
            itself holds for "test" is then left out.
        text_column: the name of a column, of a key of JSON lines, of a feature of tfds.
        label_column: the same of the labels.
        encoding: of files.
        poll: called before each file, member or row; raises where they are to be the last.

    Texts stay as they are, empty ones included; labels lose white space around them. Order is that of the names of
    files, and within a table that of its rows.

    Raises:
        InputError: there is no such source, it has no part to train on, an example has no label (its line is named), or
            its bytes are damaged, not valid in `encoding` (the line is named) or meant to harm.
    """
    columns = _Columns(text_column, label_column)
    parts = _read(source, columns, encoding, poll)
    if _WHOLE in parts:
        parts["train"] = parts.pop(_WHOLE)
    if "train" not in parts:
        raise InputError(f"{shown(source)} holds {_listed(parts)} and nothing to train on: name its files train, too")
    if test_source:
        parts["test"] = _test_part(test_source, _read(test_source, columns, encoding, poll))
    return {name: parts[name] for name in SPLITS if name in parts}


def read_test_part(
    source: str,
    *,
    text_column: str = "text",
    label_column: str = "label",
    encoding: str = "utf-8",
    poll: Poll = never,
) -> Labelled:
    """The part of a source that is for testing; all of it where it is not divided.

    Raises:
        InputError: as in `read_labelled`; or it is divided, and has no part for testing.
    """
    return _test_part(source, _read(source, _Columns(text_column, label_column), encoding, poll))


def _test_part(source: str, parts: Mapping[str, Labelled]) -> Labelled:
    examples = parts.get("test", parts.get(_WHOLE))
    if examples is None:
        raise InputError(
            f"{shown(source)} holds {_listed(parts)} and nothing to test on: give --data.test-source one that does"
        )
    return examples


def _listed(parts: Mapping[str, Labelled]) -> str:
    return " and ".join(name for name in SPLITS if name in parts)


def _read(source: str, columns: _Columns, encoding: str, poll: Poll) -> dict[str, Labelled]:
    Encoding(encoding)  # a wrong one is told for every source
    if columns.text == columns.label:
        raise InputError(
            f"--data.text-column and --data.label-column are both {shown(columns.text)!r}: name two different columns"
        )
    if source in (STANDARD_INPUT, PYTHON_MANUAL):
        raise InputError(f"{source} has no labels: {_OTHER_WAYS}")
    if source.startswith(TFDS_PREFIX):
        found = read_labelled_tfds(
            source.removeprefix(TFDS_PREFIX), text=columns.text, label=columns.label, parts=PART_OF
        )
        examples: Iterator[tuple[Place, str]] = ((Place(part, label), text) for part, text, label in found)
    else:
        examples = _from_files(source, columns, encoding, poll)
    parts: dict[str, Labelled] = {}
    for place, text in examples:
        poll()
        part = parts.setdefault(place.part, Labelled([], [], shown(source)))
        part.texts.append(text)
        part.labels.append(place.label)
    if not parts:
        raise InputError(f"{shown(source)} holds no labelled text: {_OTHER_WAYS}")
    return parts


def _from_files(source: str, columns: _Columns, encoding: str, poll: Poll) -> Iterator[tuple[Place, str]]:
    files, is_list = _files(source, poll)
    places = (
        {} if is_list else class_folders((name for name in files if suffix_of(name[-1]) == _TEXT), source=shown(source))
    )
    if places:
        for name, place in places.items():
            for document, stream in files[name]():
                yield place, "".join(read_lines(stream, place=document, encoding=encoding))
        return
    for part, kind, streams in _tables(files, source, is_list):
        for document, stream in streams():
            lines = read_lines(stream, place=document, encoding=encoding)
            for text, label in _examples(lines, kind, document, columns):
                yield Place(part, label), text


def _files(source: str, poll: Poll) -> tuple[dict[Parts, Streams], bool]:
    """The files of a source, and whether a person has listed them: by a glob, or one by its name."""
    path = _existing(source) or _matched(source)
    if path is not None and path.is_dir():
        return folder_files(path, _may_count, poll), False
    if path is not None and path.is_file() and _is_archive(path):
        return archive_files(path, _may_count, poll), False
    found = find_files(source)
    above = os.path.commonpath([file.parent for file in found])  # what they have in common tells no part
    return {Path(os.path.relpath(file, above)).parts: partial(file_streams, file) for file in found}, True


def _existing(source: str) -> Path | None:
    """The path that a source names; None where it is a glob, or nothing."""
    try:
        path = expanded(source)
        return path if os.path.lexists(path) else None
    except (OSError, ValueError):  # `find_files` says what is wrong
        return None


def _matched(source: str) -> Path | None:
    """The folder or the archive that a glob stands for; None where it stands for tables, or for nothing.

    Raises:
        InputError: it stands for several, and not all of them are tables.
    """
    try:
        found = sorted(map(Path, glob.glob(str(expanded(source)), recursive=True)))
    except (OSError, ValueError):  # `find_files` says what is wrong
        return None
    above = {folder for path in found for folder in path.parents}  # `**` stands for the folders on the way, too
    found = [path for path in found if path not in above]
    whole = [path for path in found if path.is_dir() or (path.is_file() and _is_archive(path))]
    if whole and len(found) > 1:
        other = next(path for path in found if path != whole[0])
        raise InputError(
            f"{shown(source)} stands for {len(found)} files and folders, {shown(whole[0])} and {shown(other)} among "
            "them: name the one to read"
        )
    return whole[0] if whole else None


def _may_count(name: Parts) -> bool:
    return UNLABELLED not in name[:-1] and suffix_of(name[-1]) in (_TEXT, *TABLES)


def _is_archive(path: Path) -> bool:
    """Whether a file is by its name an archive of files, and not a compressed one such as `reviews.csv.zip`."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if any(suffix in TARS for suffix in suffixes):
        return True
    return suffixes[-1:] == [".zip"] and suffix_of(path.name) not in (_TEXT, *TABLES)


def _tables(files: Mapping[Parts, Streams], source: str, is_list: bool) -> list[tuple[str, Kind, Streams]]:
    """The tables to read: the part that each one belongs to, its kind and its content.

    A file by its own name is the whole. Of several, all the names tell a part, or none does; in a folder or an archive
    those that do not are passed over, for they are something else, such as an example of what to hand in.
    """
    names = list(files)
    if not is_list:
        names = [name for name in names if suffix_of(name[-1]) in TABLES] or names
    parts = {name: _WHOLE if is_list and len(names) == 1 else _part_of(name) for name in names}
    told = [name for name in names if parts[name] != _WHOLE]
    if told and not is_list:
        names = told
    if len(names) > 1 and len(told) < len(names) and (told or not is_list):
        unclear = next(name for name in names if parts[name] == _WHOLE)
        raise InputError(
            f"{shown(source)} holds {len(names)} tables, and the name of {shown('/'.join(unclear))} does not tell what "
            "it is for: have it hold train, validation or test, or give the one to train on by its own name"
        )
    return [(parts[name], table_kind("/".join(name)), files[name]) for name in names]


def _part_of(name: Parts) -> str:
    """The part that the name of a file tells, or a folder above it; _WHOLE where none does."""
    *folders, file = name
    words = [word for word in re.split("[^a-z]+", file.lower()) if word in PART_OF]
    found = {PART_OF[word] for word in words or map(str.lower, folders) if word in PART_OF}
    if len(found) > 1:
        raise InputError(
            f"the name {shown('/'.join(name))} tells two parts, {' and '.join(sorted(found))}: name it by one"
        )
    return found.pop() if found else _WHOLE


def _examples(lines: Iterator[str], kind: Kind, place: str, columns: _Columns) -> Iterator[tuple[str, str]]:
    """Text and label of each row of a table. Empty lines may stand at its end alone."""
    options = {"--data.text-column": columns.text, "--data.label-column": columns.label}
    rows = read_rows(lines, kind=kind, place=place, columns=options)
    for line, values in filled_rows(rows, place=place, remedy="give it a text and a label"):
        text, label = values[0], values[1].strip()
        if not label:
            raise InputError(
                f"{place}, line {line} has no label ({shown(columns.label)!r} is empty): give it one, or leave it out"
            )
        yield text, label
