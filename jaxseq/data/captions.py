"""Pictures with captions: from a folder, an archive or tensorflow-datasets to one array and texts that go with it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.caption_tables import Read, read_caption_table
from jaxseq.data.lines import read_lines
from jaxseq.data.members import Parts
from jaxseq.data.picture_files import PictureFiles, find_pictures, match_names
from jaxseq.data.pictures import Size, decode_picture
from jaxseq.data.sources import TFDS_PREFIX
from jaxseq.data.table_files import Table, open_tables
from jaxseq.data.tables import suffix_of, table_kind
from jaxseq.data.tfds_pictures import captioned_examples
from jaxseq.errors import InputError
from jaxseq.reading import shown
from jaxseq.signals import Poll, never


class Captioned(NamedTuple):
    """Pictures of one size and what each is called, in the order of their table."""

    names: list[str]
    """Of the n pictures, as the table has them; no two are the same."""
    pictures: NDArray[np.uint8]
    """[n, h, w, c]."""
    captions: list[list[tuple[str, str]]]
    """Those of each picture as (language, caption), one at least; the language is "" where none is named."""
    remark: str = ""
    """What was left out, in words for a person; empty where all was read."""


def read_captions(
    source: str,
    *,
    captions: str = "",
    picture_column: str = "image",
    caption_columns: Sequence[str] = (),
    size: Size | None = None,
    channels: int = 3,
    encoding: str = "utf-8",
    option: str = "--data.",
    poll: Poll = never,
) -> Captioned:
    """The pictures that a table names, and their captions.

    Pictures are read one after the other into one array. Those that no caption belongs to are refused where the table
    lies among them, and left out where it is given apart, as of a part of them; `remark` says how many.

    Args:
        source: a folder of pictures, an archive of them (zip or tar), or "tfds:NAME[/config][:version][:split]".
        captions: the table, or a glob for several, or one in an archive as "a.zip/captions.tsv", of a form that
            `jaxseq.data.caption_tables` knows; "" where it lies among the pictures, the only one there.
        picture_column: the column of the names of pictures.
        caption_columns: those of captions, a language each; without any the column "caption", or the only other one.
            Of a data set of tensorflow-datasets the features, as "captions/text".
        size: height and width that all pictures are brought to; None takes them as they are, all of one size.
        channels: 3 for colour, 1 for grey.
        option: what the names of options begin with, for messages: "--data.test-".
        poll: called before each picture.

    Raises:
        InputError: a source cannot be read; a picture is missing, damaged or of another size, or has no caption; a
            caption has no words. The picture, the line or the member of the archive is named.
    """
    if source.startswith(TFDS_PREFIX):
        if captions:
            raise InputError(f"{option}captions is {shown(captions)}, and {source} has its own: leave it out")
        spec = source.removeprefix(TFDS_PREFIX)
        return _of_examples(captioned_examples(spec, languages=caption_columns), size, channels, poll)
    files = find_pictures(source, option=f"{option}source", poll=poll)
    if captions:
        tables: Iterable[Table] = open_tables(captions, option=f"{option}captions", encoding=encoding, poll=poll)
    else:
        tables = _own_table(files, option, encoding)
    read = [read_caption_table(table, picture_column=picture_column, languages=caption_columns) for table in tables]
    return _captioned(files, read, size, channels, poll, named_apart=captions)


def _own_table(files: PictureFiles, option: str, encoding: str) -> Iterator[Table]:
    """The only table among the pictures; a `.txt` counts where there is no other."""
    plain = {parts for parts in files.tables if suffix_of(parts[-1]) == ".txt"}
    found = [parts for parts in files.tables if parts not in plain] or sorted(plain)
    if len(found) != 1:
        names = ", ".join(shown("/".join(parts)) for parts in found[:5]) + (" ..." if len(found) > 5 else "")
        what = f"holds {len(found)} tables ({names})" if found else "holds no table of captions"
        raise InputError(f"{shown(files.source)} {what}: name it by {option}captions")
    for place, stream in files.tables[found[0]]():
        yield Table(place, table_kind(found[0][-1]), read_lines(stream, place=place, encoding=encoding))


def _captioned(
    files: PictureFiles, read: list[Read], size: Size | None, channels: int, poll: Poll, *, named_apart: str
) -> Captioned:
    entries = list(chain.from_iterable(part.captions for part in read))
    if not entries:
        raise InputError(f"{shown(named_apart or files.source)} has no caption: give a table that has some")
    found = match_names(files, ((entry.picture, entry.place) for entry in entries))
    rows: dict[Parts, int] = {}
    names: list[str] = []
    captions: list[list[tuple[str, str]]] = []
    for entry in entries:
        row = rows.setdefault(found[entry.picture], len(rows))
        if row == len(names):
            names.append(entry.picture)
            captions.append([])
        captions[row].append((entry.language, entry.text))
    remarks = [part.remark for part in read if part.remark]
    others = [parts for parts in files.pictures if parts not in rows]
    if others:
        first = shown("/".join(others[0]))
        if not named_apart:
            raise InputError(
                f"picture {first} in {shown(files.source)} has no caption in the table there: give it one, or leave "
                "the picture out"
            )
        remarks.append(
            f"{len(others):,} of {len(files.pictures):,} pictures in {shown(files.source)} have no caption in "
            f"{shown(named_apart)} and are left out, the first one {first}"
        )
    array = _Array(len(rows), size, channels)
    missing = set(rows.values())
    for parts, place, data in files.contents(rows, poll):
        array.put(rows[parts], data, place)
        missing.discard(rows[parts])
    if missing:
        raise InputError(f"{shown(files.source)} has changed while it was read: start again")
    return Captioned(names, array.pictures(), captions, "; ".join(remarks))


def _of_examples(
    examples: Iterator[tuple[str, bytes, list[tuple[str, str]]]], size: Size | None, channels: int, poll: Poll
) -> Captioned:
    """Of examples whose number is not known before."""
    names, captions, pictures = [], [], []
    for name, data, texts in examples:
        poll()
        shape = size if size is not None or not pictures else pictures[0].shape[:2]
        pictures.append(decode_picture(data, place=name, size=shape, channels=channels, resize=size is not None))
        names.append(name)
        captions.append(texts)
    return Captioned(names, np.stack(pictures), captions)


class _Array:
    """Pictures in one array, which is made when the size of the first one is known."""

    def __init__(self, count: int, size: Size | None, channels: int) -> None:
        self._count, self._size, self._channels, self._resize = count, size, channels, size is not None
        self._pictures: NDArray[np.uint8] | None = None

    def put(self, row: int, data: bytes, place: str) -> None:
        picture = decode_picture(data, place=place, size=self._size, channels=self._channels, resize=self._resize)
        if self._pictures is None:
            self._size = picture.shape[0], picture.shape[1]
            try:
                self._pictures = np.empty((self._count, *picture.shape), np.uint8)
            except MemoryError as error:
                raise InputError(
                    f"{self._count:,} pictures of {self._size[0]} x {self._size[1]} pixels do not fit into memory: "
                    "give a smaller --data.size"
                ) from error
        self._pictures[row] = picture

    def pictures(self) -> NDArray[np.uint8]:
        assert self._pictures is not None
        return self._pictures
