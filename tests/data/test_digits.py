"""MNIST's files as arrays, and their parts: published facts, and the laws of splits."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_idx import idx_of

from jaxseq.data import Digits, digits_fingerprint, read_digits, split_digits
from jaxseq.errors import InputError

RAW = {  # sha256 of the unpacked files, as published with the data
    "train-images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "test-images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "test-labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@pytest.fixture(scope="module")
def mnist(data_folder: Path) -> dict[str, Digits]:
    if not (data_folder / "mnist").is_dir():
        pytest.skip(f"no mnist in {data_folder}")
    return read_digits(str(data_folder / "mnist"))


def made(count, *, first=0):
    """Digits of which each picture holds its number alone."""
    pictures = np.zeros((count, 4, 6, 1), np.uint8)
    pictures[:, 1:3, 2:4, 0] = np.arange(first, first + count)[:, None, None]
    return Digits(pictures, (np.arange(count) % 10).astype(np.int32))


def write(folder, parts, *, name="{}-idx{}-ubyte"):
    for stem, digits in parts.items():
        for what, array, axes in (("images", digits.pictures[..., 0], 3), ("labels", digits.labels, 1)):
            file = folder / name.format(f"{stem}-{what}", axes)
            file.write_bytes(idx_of(array.astype(np.uint8)))
    return str(folder)


def refusal(source):
    with pytest.raises(InputError) as caught:
        read_digits(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_mnist_is_what_was_published(mnist):
    assert {name: part.pictures.shape for name, part in mnist.items()} == {
        "train": (60_000, 28, 28, 1),
        "test": (10_000, 28, 28, 1),
    }
    for name, (pictures, labels) in mnist.items():
        for what, array in (("images", pictures[..., 0]), ("labels", labels.astype(np.uint8))):
            assert hashlib.sha256(idx_of_large(array)).hexdigest() == RAW[f"{name}-{what}"]
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]  # of each digit to train on
    assert np.bincount(mnist["train"].labels).tolist() == counts
    assert mnist["train"].labels.dtype == np.int32


def idx_of_large(array):
    header = np.array([0x0800 + array.ndim, *array.shape], ">u4").tobytes()
    return header + array.tobytes()


@pytest.mark.parametrize("name", ["{}-idx{}-ubyte", "{}.idx{}-ubyte"])
def test_a_folder_of_the_four_files_is_read(tmp_path, name):
    parts = {"train": made(30), "t10k": made(7, first=100)}
    read = read_digits(write(tmp_path, parts, name=name))
    assert list(read) == ["train", "test"]
    for part, wanted in zip(read.values(), parts.values(), strict=True):
        np.testing.assert_array_equal(part.pictures, wanted.pictures)
        np.testing.assert_array_equal(part.labels, wanted.labels)


def test_what_is_missing_or_does_not_fit_is_told(tmp_path):
    assert "there is no folder" in refusal(str(tmp_path / "nowhere"))
    assert "--data.source is empty: name the folder that holds the files of MNIST" in refusal("")
    parts = {"train": made(5), "t10k": made(3)}
    source = write(tmp_path, parts)
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    labels.write_bytes(idx_of(np.zeros(4, np.uint8)))
    assert "t10k-images-idx3-ubyte has 3 pictures and" in refusal(source)
    labels.write_bytes(idx_of(np.zeros((3, 1, 1), np.uint8)))
    assert "t10k-labels-idx1-ubyte has 3 axes, and its name says 1" in refusal(source)
    labels.unlink()
    assert "has no t10k-labels-idx1-ubyte, with or without .gz: fetch it" in refusal(source)
    write(tmp_path, {"train": made(5), "t10k": Digits(np.zeros((3, 9, 9, 1), np.uint8), np.zeros(3, np.int32))})
    assert "are of the sizes (4, 6) and (9, 9)" in refusal(source)
    write(tmp_path, {"train": made(0), "t10k": made(0)})
    assert "train-images-idx3-ubyte holds no picture" in refusal(source)


@given(st.integers(2, 60), st.data())
def test_splits_share_no_picture_and_keep_their_order(count, data):
    validation, examples = data.draw(st.integers(0, count - 1)), data.draw(st.integers(0, count))
    seed = data.draw(st.integers(0, 9))
    parts = {"train": made(count), "test": made(5, first=100)}
    split = split_digits(parts, validation=validation, seed=seed, examples=examples)
    assert list(split) == ["train", *["validation"] * (validation > 0), "test"]
    numbers = {name: part.pictures.max(axis=(1, 2, 3)).tolist() for name, part in split.items()}
    for name, part in split.items():
        assert numbers[name] == sorted(set(numbers[name]))
        if name != "test":
            assert (part.labels == np.array(numbers[name]) % 10).all()
    left = count - validation
    assert len(numbers["train"]) == (min(examples, left) if examples else left)
    assert len(numbers.get("validation", [])) == validation
    assert not set(numbers["train"]) & set(numbers.get("validation", []))
    # What is validated with does not depend on how many are trained on.
    fewer = split_digits(parts, validation=validation, seed=seed)
    if validation:
        np.testing.assert_array_equal(fewer["validation"].pictures, split["validation"].pictures)


def test_more_for_validation_than_there_are_is_refused():
    with pytest.raises(InputError, match=r"data\.validation is 5 and there are 5 pictures to train on: keep fewer"):
        split_digits({"train": made(5), "test": made(2)}, validation=5, seed=0)


def test_the_fingerprint_tells_every_change():
    parts = {"train": made(5), "test": made(2)}
    pictures, labels = (array.copy() for array in parts["train"])
    pictures[3, 1, 2, 0] += 1
    labels[0] += 1
    others = [
        {**parts, "train": Digits(pictures, parts["train"].labels)},
        {**parts, "train": Digits(parts["train"].pictures, labels)},
        {"train": parts["test"], "test": parts["train"]},
        {"train": parts["train"]},
    ]
    prints = {digits_fingerprint(each) for each in [parts, *others]}
    assert len(prints) == 5
    assert digits_fingerprint({"test": made(2), "train": made(5)}) in prints
