"""Pictures of digits and which they are: MNIST, and what is published in the same files."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.idx import read_idx
from jaxseq.data.pictures import decode_picture
from jaxseq.data.shuffling import shuffled
from jaxseq.data.sources import TFDS_PREFIX
from jaxseq.data.tfds_pictures import labelled_pictures
from jaxseq.errors import InputError
from jaxseq.paths import expanded
from jaxseq.reading import shown

_FILES = {"train": "train", "test": "t10k"}
_SPLIT_EPOCH = 2**62  # no run comes to it, so no epoch's order has to do with the split


class Digits(NamedTuple):
    """Pictures and the class of each."""

    pictures: NDArray[np.uint8]
    """[n, h, w, 1], the ink high and the paper 0."""
    labels: NDArray[np.int32]
    """[n]."""


def read_digits(source: str, *, option: str = "--data.source") -> dict[str, Digits]:
    """The parts "train" and "test" of MNIST, or of what is published in the same files.

    Args:
        source: a folder with the four files by their published names, train-images-idx3-ubyte, train-labels-idx1-ubyte,
            t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each with or without .gz (a dot before "idx", as some
            have them, will do); or "tfds:NAME", a data set of pictures with classes of tensorflow-datasets.
        option: what names the source, for messages.

    Raises:
        InputError: a file is not there or cannot be used, pictures and labels are not as many, or pictures are of
            several sizes.
    """
    if not source:
        raise InputError(f"{option} is empty: name the folder that holds the files of MNIST, as data/mnist")
    if source.startswith(TFDS_PREFIX):
        parts = {name: _of_tfds(source.removeprefix(TFDS_PREFIX), name) for name in _FILES}
    else:
        parts = _of_folder(source, option)
    shapes = {name: part.pictures.shape[1:3] for name, part in parts.items()}
    if shapes["train"] != shapes["test"]:
        raise InputError(
            f"pictures in {shown(source)} are of the sizes {shapes['train']} and {shapes['test']}: give one"
        )
    return parts


def _of_tfds(spec: str, split: str) -> Digits:
    pictures, labels = [], []
    for data, label in labelled_pictures(spec, split):
        place = f"{len(pictures)} of tfds:{spec}, {split}"
        pictures.append(decode_picture(data, place=place, size=None, channels=1, resize=False))
        if pictures[-1].shape != pictures[0].shape:
            raise InputError(f"picture {place} is of another size than those before it: give another data set")
        labels.append(label)
    if not pictures:
        raise InputError(f"tfds:{spec}, {split} holds no picture: give another data set")
    return Digits(np.stack(pictures), np.array(labels, np.int32))


def _of_folder(folder: str, option: str) -> dict[str, Digits]:
    parts = {}
    for name, stem in _FILES.items():
        pictures_file, labels_file = (
            _find(folder, f"{stem}-{what}", option) for what in ("images-idx3", "labels-idx1")
        )
        pictures, labels = read_idx(pictures_file), read_idx(labels_file)
        for file, array, axes in ((pictures_file, pictures, 3), (labels_file, labels, 1)):
            if array.ndim != axes:
                raise InputError(f"{shown(file)} has {array.ndim} axes, and its name says {axes}: fetch it again")
        if len(pictures) != len(labels):
            raise InputError(
                f"{shown(pictures_file)} has {len(pictures):,} pictures and {shown(labels_file)} {len(labels):,} "
                "labels: fetch both from one place"
            )
        if not pictures.size:
            raise InputError(f"{shown(pictures_file)} holds no picture: fetch it again")
        parts[name] = Digits(pictures[..., None], labels.astype(np.int32))
    return parts


def split_digits(parts: Mapping[str, Digits], *, validation: int, seed: int, examples: int = 0) -> dict[str, Digits]:
    """The parts "train", "validation" and "test", which share no picture: `validation` of those to train on, drawn by
    the seed, are kept for validation, and there is no such part where it is 0. All keep their order.

    Args:
        examples: so many to train on at the most, drawn likewise; 0 takes all that are left.

    Raises:
        InputError: none would be left to train on.
    """
    train = parts["train"]
    count = len(train.labels)
    if validation >= count:
        raise InputError(
            f"data.validation is {validation:,} and there are {count:,} pictures to train on: keep fewer for validation"
        )
    order = shuffled(np.arange(count), count=count, seed=seed, epoch=_SPLIT_EPOCH)
    kept, rest = order[:validation], order[validation:]
    chosen = {"train": rest[:examples] if examples else rest, "validation": kept}
    split = {name: _taken(train, np.sort(at)) for name, at in chosen.items() if len(at)}
    return {**split, "test": parts["test"]}


def digits_fingerprint(parts: Mapping[str, Digits]) -> str:
    """16 hexadecimal digits that change when a picture, a label, their order or their part does."""
    total = hashlib.sha256()
    for name in sorted(parts):
        pictures, labels = parts[name]
        total.update(f"{name} {pictures.shape}\n".encode())
        total.update(np.ascontiguousarray(pictures).data)
        total.update(labels.astype("<i4").tobytes())
    return total.hexdigest()[:16]


def _taken(digits: Digits, at: np.ndarray) -> Digits:
    return Digits(digits.pictures[at], digits.labels[at])


def _find(folder: str, stem: str, option: str) -> Path:
    path = expanded(folder)
    names = list(_names(stem))
    try:
        found = next((path / name for name in names if (path / name).is_file()), None)
        is_folder = path.is_dir()
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(folder)} cannot be looked up ({error}): check {option}") from error
    if found is not None:
        return found
    if not is_folder:
        raise InputError(f"there is no folder {shown(folder)}: give as {option} the one with the files of MNIST")
    raise InputError(
        f"the folder {shown(folder)} has no {names[0]}, with or without .gz: fetch it, or give another one"
    )


def _names(stem: str) -> Iterable[str]:
    for name in (f"{stem}-ubyte", f"{stem.replace('-idx', '.idx')}-ubyte"):
        yield from (name, f"{name}.gz")
