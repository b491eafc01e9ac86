"""Examples that are vectors: batches of them, and their file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data.vector_batches import VectorLoader
from jaxseq.data.vector_file import is_vector_file, read_vector_file, write_vector_file
from jaxseq.errors import InputError


def vectors(count: int) -> np.ndarray:
    return np.arange(count * 3, dtype=np.float32).reshape(count, 3)


@given(st.integers(1, 30), st.integers(1, 8), st.booleans(), st.booleans(), st.integers(0, 3))
def test_an_epoch_has_every_example_once_with_its_label_but_those_short_of_a_batch(count, rows, shuffle, pad, seed):
    options = {"batch_size": rows, "shuffle": shuffle, "seed": seed, "pad": pad}
    if count < rows and not pad:
        with pytest.raises(InputError, match=f"a batch of {rows} examples is more than the {count} there are"):
            VectorLoader(vectors(count), np.arange(count, dtype=np.int32), **options)
        return
    loader = VectorLoader(vectors(count), np.arange(count, dtype=np.int32), **options)
    for epoch in range(2):
        steps = range(epoch * loader.steps_per_epoch, (epoch + 1) * loader.steps_per_epoch)
        seen = []
        for batch in map(loader, steps):
            assert len(batch.vectors) == len(batch.labels) == len(batch.valid) == rows
            np.testing.assert_array_equal(batch.vectors[batch.valid], vectors(count)[batch.labels[batch.valid]])
            assert not batch.vectors[~batch.valid].any()
            seen += batch.labels[batch.valid].tolist()
        short = 0 if pad else count % rows
        assert len(set(seen)) == len(seen) == count - short
        assert loader.left_out.startswith(f"{short} of {count} examples") if short else not loader.left_out
        assert shuffle or seen == list(range(count - short))


def test_vectors_come_back_by_their_fingerprint_alone(tmp_path):
    path = tmp_path / "vectors.npz"
    given = {"train": vectors(4), "validation": vectors(2)}
    assert read_vector_file(path, fingerprint="x") is None
    write_vector_file(path, given, fingerprint="x")
    found = read_vector_file(path, fingerprint="x")
    assert found is not None
    assert found.keys() == given.keys()
    for name, array in given.items():
        np.testing.assert_array_equal(found[name], array)
    assert read_vector_file(path, fingerprint="y") is None
    assert [each.name for each in tmp_path.iterdir()] == ["vectors.npz"]


def test_a_damaged_file_is_known_and_not_used_and_a_strangers_is_not_known(tmp_path):
    path = tmp_path / "vectors.npz"
    write_vector_file(path, {"train": vectors(4)}, fingerprint="x")
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at])
        assert read_vector_file(path, fingerprint="x") is None
        assert is_vector_file(path) == (at >= 40)
    changed = bytearray(whole)
    changed[-200] ^= 1
    path.write_bytes(changed)
    read = read_vector_file(path, fingerprint="x")
    assert read is None or np.array_equal(read["train"], vectors(4))
    np.savez(path, vectors=vectors(4))
    assert not is_vector_file(path)
    assert not is_vector_file(tmp_path / "none")
