"""Which part and which class a text belongs to, told by the folders that it lies in."""

from collections.abc import Iterable
from typing import NamedTuple

from jaxseq.data.members import Parts
from jaxseq.errors import InputError

PART_OF = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
"""The parts of a data set by the names that folders and files have."""
UNLABELLED = "unsup"
"""The folder of aclImdb that holds reviews without a label."""


class Place(NamedTuple):
    """Where an example belongs."""

    part: str
    """A value of `PART_OF`, or "" where the source is not divided."""
    label: str


def class_folders(files: Iterable[Parts], *, source: str) -> dict[Parts, Place]:
    """The files that lie in folders of classes: `LABEL/**`, or `train/LABEL/**`, `test/LABEL/**` and so on.

    Folders that everything lies in, such as `aclImdb/`, are passed over. Where there are folders of parts, only what is
    in them counts, and never what lies beside the folders of classes, as aclImdb's README and lists of addresses do.
    aclImdb's `unsup` is left out.

    Args:
        source: in messages.

    Raises:
        InputError: the folders of parts do not lie in one place.
    """
    names = [parts for parts in files if UNLABELLED not in parts[:-1]]
    parted = {parts: at for parts in names if (at := _part_index(parts)) is not None}
    above = sorted({parts[:at] for parts, at in parted.items()})
    if len(above) > 1:
        one, other = ("/".join(folders) or "." for folders in above[:2])
        raise InputError(f"{source} holds two data sets, in {one} and in {other}: give one of these folders")
    if parted:
        return {parts: Place(PART_OF[parts[at].lower()], parts[at + 1]) for parts, at in parted.items()}
    depth = 0
    while len({parts[depth] for parts in names if len(parts) > depth + 1}) == 1 and any(
        len(parts) > depth + 2 for parts in names
    ):
        depth += 1
    return {parts: Place("", parts[depth]) for parts in names if len(parts) > depth + 1}


def _part_index(parts: Parts) -> int | None:
    """Where in a name the folder of a part stands; one directly above a file is a folder of a class."""
    return next((at for at, name in enumerate(parts[:-2]) if name.lower() in PART_OF), None)
