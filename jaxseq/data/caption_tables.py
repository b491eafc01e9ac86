"""Captions and the names of the pictures that they belong to, from the forms of tables that there are.

- a table whose first line names its columns, or JSON lines: one column for the picture, one for each language;
- Flickr8k's `Flickr8k.token.txt`, `name.jpg#0`, a tab and a caption on each line, five for a picture;
- its newer `captions.txt`, comma-separated values in spite of its name;
- COCO's `captions_train2017.json`, one object with "images" and "annotations".
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from jaxseq.data.pictures import is_picture
from jaxseq.data.table_files import Table
from jaxseq.data.tables import filled_rows, read_numbered_rows, read_rows, suffix_of
from jaxseq.errors import InputError
from jaxseq.reading import shown

_PICTURE, _LANGUAGES = "--data.picture-column", "--data.languages"
_CAPTION = "caption"
_NUMBERED = re.compile(r"[^\t]*#[0-9]+\t")
_REPAIR = "write one, or leave the line out"


class Caption(NamedTuple):
    """A caption of a table."""

    place: str
    """Where it stands, for messages: "captions.tsv, line 3"."""
    picture: str
    """The name of its picture, as it stands there."""
    language: str
    """The column it stands in; "" where that is not asked for by its name."""
    text: str
    """Without white space around it; it is not empty."""


class Read(NamedTuple):
    """What a table holds."""

    captions: list[Caption]
    remark: str = ""
    """What was left out, in words for a person; empty where all was read."""


def read_caption_table(table: Table, *, picture_column: str, languages: Sequence[str]) -> Read:
    """The captions of a table of any of these forms, in its order.

    Args:
        languages: the columns to read; of tables without columns, one at most, what their language is to be called.
            Without any it is the column "caption", or the only one there is beside that of the pictures.

    Raises:
        InputError: there is no such column, or a line does not have the form of its table, names no picture, or has a
            caption without words.
    """
    first = next(table.lines, "")
    lines = chain([first] if first else [], table.lines)
    if table.kind == "jsonl" and (whole := _one_object(first, lines, table.place)) is not None:
        return Read(list(_of_coco(whole, table.place, _one_language(languages, table.place))))
    if table.kind == "tsv" and _NUMBERED.match(first):
        return _of_flickr(table._replace(lines=lines), _one_language(languages, table.place))
    if suffix_of(table.place) == ".txt" and "\t" not in first and "," in first:
        table = table._replace(kind="csv")
    names = _column_names(first, table.kind)
    chosen = list(languages) or _only_column(names, picture_column, table.place)
    columns = {_PICTURE: picture_column, **{f"{_LANGUAGES}[{at}]": name for at, name in enumerate(chosen)}}
    rows = read_rows(lines, kind=table.kind, place=table.place, columns=columns)
    captions = []
    for line, (picture, *texts) in filled_rows(rows, place=table.place, remedy="give it a picture and a caption"):
        here = f"{table.place}, line {line}"
        if not picture.strip():
            raise InputError(f"{here} names no picture ({shown(picture_column)!r} is empty): {_REPAIR}")
        for name, text in zip(chosen, texts, strict=True):
            if not text.strip():
                raise InputError(f"{here} has a caption without words ({shown(name)!r} is empty): {_REPAIR}")
            captions.append(Caption(here, picture.strip(), name if languages else "", text.strip()))
    return Read(captions)


def _column_names(first: str, kind: str) -> list[str]:
    """What the columns seem to be called; whoever reads the rows refuses what is no header."""
    line = first.removesuffix("\n").removesuffix("\r")
    if kind == "tsv":
        return [name.strip() for name in line.split("\t")]
    if kind == "csv":
        return [name.strip() for row in csv.reader([line]) for name in row]
    try:
        record = json.loads(line or "{}")
    except (ValueError, RecursionError):
        return []
    return list(record) if isinstance(record, dict) else []


def _only_column(names: Sequence[str], picture_column: str, place: str) -> list[str]:
    others = [name for name in names if name != picture_column]
    if _CAPTION in others or not others:
        return [_CAPTION]
    if len(others) > 1:
        raise InputError(
            f"{place} has several columns beside {shown(picture_column)!r}: {', '.join(map(shown, others))}: name "
            f"those with captions by {_LANGUAGES}, or that of the pictures by {_PICTURE}"
        )
    return others


def _one_language(languages: Sequence[str], place: str) -> str:
    """What the captions of a table without columns are called."""
    if len(languages) > 1:
        raise InputError(
            f"{place} has captions of one language and no columns, and {_LANGUAGES} names {', '.join(languages)}: "
            "name one, or none"
        )
    return languages[0] if languages else ""


def _of_flickr(table: Table, language: str) -> Read:
    captions, strange = [], []
    columns = {"the name of the picture": "1", "the caption": "2"}
    rows = read_numbered_rows(table.lines, kind="tsv", place=table.place, columns=columns)
    for line, (key, text) in filled_rows(rows, place=table.place, remedy="give it a picture and a caption"):
        here = f"{table.place}, line {line}"
        name, _, number = key.rpartition("#")
        if not name or not number.isdigit():
            raise InputError(f"{here} begins with {shown(key[:60])!r}, no name#number of a picture: {_REPAIR}")
        if not text.strip():
            raise InputError(f"{here} has a caption without words: {_REPAIR}")
        # Flickr8k has captions of a 2258277193_586949ec62.jpg.1, which is not among its pictures.
        (captions if is_picture(name) else strange).append(Caption(here, name, language, text.strip()))
    if not strange:
        return Read(captions)
    first = strange[0]
    return Read(
        captions,
        f"{len(strange):,} captions are of {shown(first.picture)} or others that are no pictures by their names, and "
        f"are left out, the first one at {first.place}",
    )


def _one_object(first: str, lines: Iterator[str], place: str) -> dict[str, Any] | None:
    """The object that a file is, where it is one; None where it has a record on each line."""
    try:
        record = json.loads(first)
    except RecursionError as error:
        raise InputError(f"{place} is no JSON ({error}): fetch it again") from error
    except ValueError:
        if first.strip() not in ("{", "["):
            return None  # a line that is damaged is told by its number
        try:
            record = json.loads("".join(lines))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{place} is no JSON ({shown(error)}): fetch it again") from error
        if not isinstance(record, dict) or "annotations" not in record:
            raise InputError(
                f'{place} is JSON of another form: give one object on each line, or COCO\'s, with "images" and '
                '"annotations"'
            ) from None
    return record if isinstance(record, dict) and "annotations" in record else None


def _of_coco(whole: dict[str, Any], place: str, language: str) -> Iterator[Caption]:
    """In the order of its images."""
    names, captions = {}, {}
    for number, image in enumerate(_records(whole, "images", place), 1):
        here = f"{place}, image {number}"
        id, name = _value(image, "id", int, here), _value(image, "file_name", str, here)
        if names.setdefault(id, name) != name:
            raise InputError(f"{here} has the id {id} of another one, {shown(names[id])}: leave one out")
    for number, annotation in enumerate(_records(whole, "annotations", place), 1):
        here = f"{place}, annotation {number}"
        id, text = _value(annotation, "image_id", int, here), _value(annotation, _CAPTION, str, here)
        if id not in names:
            raise InputError(f"{here} is of the image {id}, which is not among its images: leave it out")
        if not text.strip():
            raise InputError(f"{here} has a caption without words: write one, or leave it out")
        captions.setdefault(id, []).append(Caption(here, names[id], language, text.strip()))
    for id, name in names.items():
        if id not in captions:
            raise InputError(f"{place} has no caption of {shown(name)} (image {id}): write one, or leave it out")
        yield from captions[id]


def _records(whole: dict[str, Any], key: str, place: str) -> list[Any]:
    records = whole.get(key)
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise InputError(f"{place} has no list of {key!r}, as COCO's files of captions have: fetch it again")
    return records


def _value(record: dict[str, Any], key: str, kind: type, here: str) -> Any:
    value = record.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{here} has no {key!r}, as COCO's files of captions have: repair it, or leave it out")
    return value
