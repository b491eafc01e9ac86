"""Token ids on disk: what is written comes back, and what is not whole is not taken."""

import json
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data import (
    DamagedTokenFileError,
    RowLoader,
    StaleTokenFileError,
    TokenChunk,
    join_chunks,
    open_token_file,
    write_token_file,
)
from jaxseq.errors import InputError

MARKS = {"tokenizer": "abc", "source": "def"}


def chunk(*ids, starts=False):
    return TokenChunk(np.asarray(ids, np.int32), starts)


@settings(deadline=None, max_examples=40)
@given(
    chunks=st.lists(st.tuples(st.lists(st.integers(0, 299), max_size=9), st.booleans()), min_size=1).filter(
        lambda chunks: any(ids for ids, _ in chunks)
    )
)
def test_a_token_file_gives_back_what_was_written(tmp_path_factory, chunks):
    path = tmp_path_factory.mktemp("tokens") / "ids.npy"
    chunks = [chunk(*ids, starts=starts) for ids, starts in chunks]
    write_token_file(path, iter(chunks), vocab_size=300, **MARKS)
    read, expected = open_token_file(path, **MARKS), join_chunks(chunks)
    assert read.ids.tolist() == expected.ids.tolist()
    assert read.document_starts.tolist() == expected.document_starts.tolist()


@pytest.mark.parametrize(
    ("vocab_size", "dtype"), [(256, np.uint8), (257, np.uint16), (65_536, np.uint16), (65_537, np.int32)]
)
def test_ids_take_the_fewest_bytes_that_hold_the_vocabulary(tmp_path, vocab_size, dtype):
    path = tmp_path / "ids.npy"
    write_token_file(path, [chunk(0, vocab_size - 1, starts=True)], vocab_size=vocab_size, **MARKS)
    ids = open_token_file(path).ids
    assert ids.dtype == dtype
    assert ids.tolist() == [0, vocab_size - 1]
    np.testing.assert_array_equal(np.load(path), ids)


def test_the_ids_are_a_read_only_map_that_loaders_take(tmp_path):
    path = tmp_path / "ids.npy"
    write_token_file(path, [chunk(*range(200), starts=True)], vocab_size=200, **MARKS)
    ids = open_token_file(path).ids
    assert isinstance(ids, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        ids[0] = 1
    batch = RowLoader(ids, length=9, batch_size=4)(1)
    np.testing.assert_array_equal(batch.targets, batch.inputs + 1)


def test_progress_counts_the_tokens_written(tmp_path):
    seen = []
    chunks = [chunk(1, 2, 3, starts=True), chunk(4), chunk(5, 6)]
    write_token_file(tmp_path / "ids.npy", chunks, vocab_size=7, progress=seen.append, **MARKS)
    assert seen == [3, 4, 6]


def test_a_file_of_another_tokenizer_or_source_is_stale(tmp_path):
    path = tmp_path / "ids.npy"
    write_token_file(path, [chunk(1, starts=True)], vocab_size=2, **MARKS)
    assert open_token_file(path, tokenizer="abc", source="def").ids.tolist() == [1]
    with pytest.raises(StaleTokenFileError, match="was written for tokenizer abc, this is xyz: delete it"):
        open_token_file(path, tokenizer="xyz")
    with pytest.raises(StaleTokenFileError, match="was written for source def, this is xyz"):
        open_token_file(path, source="xyz")


def failing_chunks(error):
    yield chunk(1, 2, starts=True)
    raise error


@pytest.mark.parametrize("error", [InputError("invalid UTF-8"), KeyboardInterrupt(), MemoryError()])
def test_nothing_half_written_is_left_when_the_source_fails(tmp_path, error):
    path = tmp_path / "ids.npy"
    with pytest.raises(type(error)):
        write_token_file(path, failing_chunks(error), vocab_size=3, **MARKS)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_writing_leaves_the_file_that_was_there(tmp_path):
    path = tmp_path / "ids.npy"
    write_token_file(path, [chunk(1, 2, starts=True)], vocab_size=3, **MARKS)
    with pytest.raises(ValueError, match="ids run from 1 to 3, the vocabulary has 3"):
        write_token_file(path, [chunk(1, 2, starts=True), chunk(1, 3)], vocab_size=3, **MARKS)
    assert list(tmp_path.iterdir()) == [path]
    assert open_token_file(path).ids.tolist() == [1, 2]


@pytest.mark.parametrize("chunks", [[], [chunk(starts=True)]])
def test_a_corpus_without_tokens_is_refused(tmp_path, chunks):
    with pytest.raises(InputError, match="no tokens"):
        write_token_file(tmp_path / "ids.npy", chunks, vocab_size=3, **MARKS)
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, sys
import numpy as np
from jaxseq.data import TokenChunk, write_token_file
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # a write beyond fails, as on a full disk
chunks = (TokenChunk(np.zeros(30_000, np.int32), i == 0) for i in range(10))
try:
    write_token_file(sys.argv[1], chunks, vocab_size=9, tokenizer="", source="")
except ValueError as error:
    print(error)
"""


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(tmp_path):
    path = tmp_path / "ids.npy"
    done = subprocess.run([sys.executable, "-c", FULL_DISK, path], capture_output=True, text=True, check=True)
    assert f"the token file {path} cannot be written (File too large): free space" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="cannot be written \\(No such file or directory\\)"):
        write_token_file(tmp_path / "none" / "ids.npy", [chunk(1, starts=True)], vocab_size=3, **MARKS)
    with pytest.raises(InputError, match="cannot be read \\(No such file or directory\\)"):
        open_token_file(tmp_path / "ids.npy")


def test_a_file_cut_short_anywhere_is_not_taken(tmp_path):
    whole, cut = tmp_path / "ids.npy", tmp_path / "cut.npy"
    write_token_file(whole, [chunk(*range(50), starts=True)], vocab_size=300, **MARKS)
    data = whole.read_bytes()
    for size in range(len(data)):
        cut.write_bytes(data[:size])
        with pytest.raises(InputError, match="is damaged \\("):
            open_token_file(cut)
    cut.write_bytes(data[:150] + data[152:])
    with pytest.raises(InputError, match="its size is not the one"):
        open_token_file(cut)


def test_other_files_are_not_taken(tmp_path):
    np.save(tmp_path / "plain.npy", np.arange(5))
    (tmp_path / "text.npy").write_text("To be, or not to be" * 10)
    for path in tmp_path.iterdir():
        with pytest.raises(InputError, match="is damaged \\("):
            open_token_file(path)


MEMORY = """
import resource, sys
import numpy as np
from jaxseq.data import TokenChunk, open_token_file, read_pieces, source_fingerprint, write_token_file

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

source, path = sys.argv[1:]
before = peak()
chunks = (TokenChunk(np.frombuffer(p.text.encode(), np.uint8), p.starts_document) for p in read_pieces(source))
write_token_file(path, chunks, vocab_size=128, tokenizer="", source=source_fingerprint(source))
print(len(open_token_file(path).ids), peak() - before)
"""


def test_a_corpus_never_lies_in_memory_whole(tmp_path):
    size = 64_000_000
    line = "Tomorrow, and tomorrow, and tomorrow, creeps in this petty pace from day to day\n"
    with (tmp_path / "large.txt").open("w") as file:
        for _ in range(size // 1_000_000):
            file.write((line * (1_000_000 // len(line) + 1))[:1_000_000])
    arguments = [sys.executable, "-c", MEMORY, str(tmp_path / "large.txt"), str(tmp_path / "ids.npy")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    tokens, megabytes = map(int, done.stdout.split())
    assert tokens == size
    assert megabytes < 32


def small_file(folder, *, vocab_size=300):
    """The path and the bytes of a file of two documents."""
    path = folder / "ids.npy"
    write_token_file(path, [chunk(*range(40), starts=True), chunk(3, 4, starts=True)], vocab_size=vocab_size, **MARKS)
    return path, path.read_bytes()


@pytest.mark.parametrize("mask", [1, 255])
def test_any_changed_byte_is_damage(tmp_path, mask):
    path, data = small_file(tmp_path)
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :])
        with pytest.raises(DamagedTokenFileError, match=r"ids\.npy is damaged .*: delete it, .* --fresh"):
            open_token_file(path, **MARKS)


@pytest.mark.parametrize("more", [b"\0", b"x" * 8, b"\0" * 4096, b"itself"], ids=["zero", "text", "page", "itself"])
def test_anything_added_is_damage(tmp_path, more):
    path, data = small_file(tmp_path)
    for longer in (data + (data if more == b"itself" else more), more + data, data[:200] + more + data[200:]):
        path.write_bytes(longer)
        with pytest.raises(DamagedTokenFileError):
            open_token_file(path)


def sealed(ids: bytes, record, *, header=None, starts=(0,), end=b"jaxseq-2"):
    """A token file as someone who knows the format would forge it: every length and the checksum are right."""
    descr = "|u1"
    text = header or f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({len(ids)},), }}"
    head = b"\x93NUMPY\x01\0" + struct.pack("<H", 118) + text.ljust(117).encode() + b"\n"
    kept = record if isinstance(record, bytes) else json.dumps(record).encode()
    rest = np.asarray(starts, "<i8").tobytes() + kept
    return head + ids + rest + struct.pack("<QI8s", len(kept), zlib.crc32(ids + rest), end)


RECORD = {"count": 4, "documents": 1, "vocab_size": 55, **MARKS}


def test_a_forged_file_is_taken_where_nothing_is_wrong_with_it(tmp_path):
    path = tmp_path / "ids.npy"
    path.write_bytes(sealed(b"\1\2\3\4", RECORD))
    assert open_token_file(path, vocab_size=55, **MARKS).ids.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "changed",
    [
        {"count": 2**62},
        {"count": 10**40},
        {"count": -4},
        {"count": True},
        {"count": 4.0},
        {"documents": 2**61},
        {"documents": -1},
        {"vocab_size": 0},
        {"vocab_size": "55"},
        {"vocab_size": 70_000},
        {"tokenizer": None},
        {"source": []},
        {"more": 1},
    ],
    ids=str,
)
def test_a_record_that_cannot_be_is_damage(tmp_path, changed):
    path = tmp_path / "ids.npy"
    path.write_bytes(sealed(b"\1\2\3\4", {**RECORD, **changed}))
    with pytest.raises(DamagedTokenFileError):
        open_token_file(path)


@pytest.mark.parametrize(
    "record",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 50_000, b'{"count": ' + b"9" * 9_000 + b"}", b" " * 100_000],
    ids=["none", "cut", "list", "null", "not UTF-8", "deep", "digits", "long"],
)
def test_a_record_of_another_form_is_damage(tmp_path, record):
    path = tmp_path / "ids.npy"
    path.write_bytes(sealed(b"\1\2\3\4", record))
    with pytest.raises(DamagedTokenFileError):
        open_token_file(path)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|O', 'fortran_order': False, 'shape': (4,), }",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (4,), }",
        "{'descr': '|u1', 'fortran_order': True, 'shape': (4,), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999,), }",
        "__import__('os').abort()",
    ],
)
def test_a_header_that_is_not_the_record_s_is_damage(tmp_path, header):
    path = tmp_path / "ids.npy"
    path.write_bytes(sealed(b"\1\2\3\4", RECORD, header=header))
    with pytest.raises(DamagedTokenFileError, match="its header"):
        open_token_file(path)


@pytest.mark.parametrize("starts", [(-1,), (4,), (2**62,)])
def test_documents_that_start_outside_the_corpus_are_damage(tmp_path, starts):
    path = tmp_path / "ids.npy"
    path.write_bytes(sealed(b"\1\2\3\4", RECORD, starts=starts))
    with pytest.raises(DamagedTokenFileError, match="document starts"):
        open_token_file(path)


@pytest.mark.parametrize("starts", [(1, 1), (2, 1)])
def test_documents_out_of_order_are_damage(tmp_path, starts):
    path = tmp_path / "ids.npy"
    path.write_bytes(sealed(b"\1\2\3\4", {**RECORD, "documents": 2}, starts=starts))
    with pytest.raises(DamagedTokenFileError, match="document starts"):
        open_token_file(path)


def test_ids_outside_the_vocabulary_are_damage_whatever_the_checksum_says(tmp_path):
    path = tmp_path / "ids.npy"
    path.write_bytes(sealed(b"\1\2\xff\4", RECORD))
    with pytest.raises(DamagedTokenFileError, match=r"its ids run from 0 to 255, its vocabulary has 55"):
        open_token_file(path)
    path.write_bytes(sealed(b"\1\2\xff\4", {**RECORD, "vocab_size": 256}))
    with pytest.raises(DamagedTokenFileError, match="it says a vocabulary of 256, the tokenizer has 55"):
        open_token_file(path, vocab_size=55, **MARKS)
    path, _ = small_file(tmp_path, vocab_size=70_000)
    data = bytearray(path.read_bytes())
    data[128:132] = struct.pack("<i", -7)
    size = struct.unpack("<Q", data[-20:-12])[0]
    data[-12:-8] = struct.pack("<I", zlib.crc32(data[128:-20]))
    assert size < 200
    path.write_bytes(data)
    with pytest.raises(DamagedTokenFileError, match="its ids run from -7 to 39"):
        open_token_file(path)


def test_pickled_objects_are_never_loaded(tmp_path):
    path = tmp_path / "ids.npy"
    np.save(path, np.array([{"an": "object"}], object), allow_pickle=True)
    with pytest.raises(DamagedTokenFileError):
        open_token_file(path)


def test_a_file_without_a_checksum_as_earlier_versions_wrote_it_is_out_of_date(tmp_path):
    path = tmp_path / "ids.npy"
    path.write_bytes(sealed(b"\1\2\3\4", RECORD, end=b"jaxseq\x00\x01"))
    with pytest.raises(StaleTokenFileError, match="of an earlier version, without a checksum"):
        open_token_file(path)


def test_what_is_known_of_the_ids_is_handed_on(tmp_path):
    path, _ = small_file(tmp_path)
    corpus = open_token_file(path)
    assert corpus.vocab_size == 300
    assert corpus.checksum == zlib.crc32(np.array([*range(40), 3, 4], "<u2").tobytes())
