"""IDX files: what a plain reading of their bytes gives, or one line that says what is wrong with them."""

import gzip
import lzma
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from jaxseq.data import archives, read_idx
from jaxseq.errors import InputError


def idx_of(array):
    """The bytes of a file, as the format is published: magic, sizes, values."""
    sizes = b"".join(struct.pack(">I", size) for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + bytes(array.ravel().tolist())


def refusal(path):
    with pytest.raises(InputError) as caught:
        read_idx(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write(path, data):
    path.write_bytes(data)
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    array=arrays.arrays(
        np.uint8, st.one_of(arrays.array_shapes(min_dims=1, max_dims=1), st.tuples(*[st.integers(0, 5)] * 3))
    ),
    pack=st.sampled_from([bytes, gzip.compress, lzma.compress]),
    name=st.sampled_from(["a-idx3-ubyte", "a.gz", "a.idx"]),
)
def test_what_was_written_is_read_packed_or_not_whatever_the_name(tmp_path, array, pack, name):
    read = read_idx(write(tmp_path / name, pack(idx_of(array))))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty, and an IDX file of bytes with 00 00 08"),
        (b"\0\0", "begins with 00 00, and an IDX file"),
        (b"PNG and more", "begins with 50 4e 47 20, and an IDX file of bytes with 00 00 08"),
        (b"\0\0\x0d\x01\0\0\0\0", "holds values of the type 0x0d: files of bytes, 0x08, are read"),
        (b"\0\0\x08\x02" + bytes(8), "has 2 axes: labels have one, and pictures three"),
        (b"\0\0\x08\x03" + bytes(11), "ends within its header"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path, data, message):
    assert message in refusal(write(tmp_path / "a", data))


def test_a_file_cut_short_or_going_on_is_refused_wherever(tmp_path):
    data = idx_of(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    for end in range(16, len(data)):
        assert f"has {end - 16} bytes of values, its header says 2 x 3 x 4" in refusal(
            write(tmp_path / "a", data[:end])
        )
    assert "goes on behind its 24 bytes of values" in refusal(write(tmp_path / "a", data + b"\0"))
    packed = gzip.compress(data)
    for end in range(12, len(packed)):
        assert "a is damaged" in refusal(write(tmp_path / "a", packed[:end]))


def test_a_damaged_sum_is_told(tmp_path):
    data = bytearray(gzip.compress(idx_of(np.zeros(9, np.uint8))))
    data[-6] ^= 1
    assert "is damaged, or not what its name says" in refusal(write(tmp_path / "a.gz", bytes(data)))


def test_a_header_that_claims_terabytes_takes_no_memory(tmp_path):
    path = write(tmp_path / "a", b"\0\0\x08\x03" + b"\x7f\xff\xff\xff" * 3)
    tracemalloc.start()
    message = refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "has 0 bytes of values, its header says 2,147,483,647 x 2,147,483,647 x 2,147,483,647" in message
    assert peak < 5_000_000


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_BOMB_SIZE", 1_000_000)
    path = write(tmp_path / "a.gz", gzip.compress(bytes([0, 0, 8, 1]) + (10**7).to_bytes(4, "big") + bytes(10**7)))
    assert "unpacks to more than 200 times its size, beyond 1,000,000 bytes" in refusal(path)


def test_a_file_that_is_not_there_or_is_none_is_told(tmp_path):
    assert "nowhere cannot be read (No such file or directory)" in refusal(tmp_path / "nowhere")
    assert "cannot be read (it is a directory, not a regular file)" in refusal(tmp_path)
