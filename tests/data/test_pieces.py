"""Bytes to pieces of text: nothing lost, nothing torn, and each thing that is no text told by its name."""

import bz2
import codecs
import encodings
import encodings.aliases
import gzip
import io
import lzma
import pkgutil
import random
import tarfile
import tracemalloc
import warnings
import zipfile
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data.encodings import Encoding
from jaxseq.data.pieces import decode
from jaxseq.errors import InputError
from jaxseq.text import ByteTokenizer, CharTokenizer, JamoTokenizer
from jaxseq.text.normalize import NORMALIZERS, normalizer

TEXTS = st.text(
    st.sampled_from("ab \n\r\té가ſ\u0301\u1112\u1161\u11ab한ΣΑ'’\u00ad\u3000¨\u0338=\U0001f600İ\uff9e\u0345漢"),
    max_size=40,
)


def accepted(names):
    try:
        return normalizer(names) is not None
    except InputError:
        return False


NAMES = st.lists(st.sampled_from(sorted(NORMALIZERS)), max_size=3).filter(accepted)


def pieces_of(data, encoding="utf-8", size=2**20):
    return list(decode(io.BytesIO(data), place="poem.txt", encoding=encoding, piece_size=size))


def refusal(data, encoding="utf-8", size=2**20):
    with pytest.raises(InputError) as caught:
        pieces_of(data, encoding, size)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def text_or_line(data, encoding, size):
    try:
        return "".join(pieces_of(data, encoding, size))
    except InputError as error:
        return error


@settings(deadline=None, max_examples=100)
@given(text=TEXTS, size=st.integers(1, 9), encoding=st.sampled_from(["utf-8", "utf-16", "utf-32-le", "utf-7"]))
def test_pieces_add_up_to_the_text_whatever_their_size(text, size, encoding):
    pieces = pieces_of(text.encode(encoding), encoding, size)
    assert "".join(pieces) == text
    assert all(pieces)


@settings(deadline=None, max_examples=400)
@given(text=TEXTS, size=st.integers(1, 30), names=NAMES)
def test_normalising_pieces_gives_what_normalising_the_whole_gives(text, size, names):
    def normalized(part):
        return reduce(lambda value, name: NORMALIZERS[name](value), names, part)

    assert "".join(map(normalized, pieces_of(text.encode(), size=size))) == normalized(text)


@settings(deadline=None, max_examples=100)
@given(text=TEXTS, size=st.integers(1, 30), names=NAMES)
def test_tokenizers_count_and_encode_pieces_as_they_do_the_whole(text, size, names):
    pieces = pieces_of(text.encode() or b"x", size=size)
    whole = "".join(pieces)
    for kind in (CharTokenizer, JamoTokenizer, ByteTokenizer):
        tokenizer = kind.train(whole, normalize=names)
        assert kind.train(iter(pieces), normalize=names) == tokenizer
        assert [i for piece in pieces for i in tokenizer.encode(piece).tolist()] == tokenizer.encode(whole).tolist()


@pytest.mark.parametrize("unit", ["a", "e\u0301", "\u1112\u1161\u11ab", " ", "\r\n", "漢", "Σ", "\u0301"])
def test_long_texts_without_lines_are_cut_where_nothing_is_torn_or_not_at_all(unit):
    text = unit * 5000
    pieces = pieces_of(text.encode(), size=1000)
    assert "".join(pieces) == text
    assert (len(pieces) > 1) == (unit in ("a", "漢"))
    for name, function in NORMALIZERS.items():
        assert "".join(map(function, pieces)) == function(text), name


def test_memory_holds_a_piece_not_the_text():
    stream = io.BytesIO(b"x" * 2**24)
    tracemalloc.start()
    for _ in decode(stream, place="here", encoding="utf-8", piece_size=2**16):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16", "ascii"])
@pytest.mark.parametrize("size", [1, 3, 7, 2**20])
def test_an_invalid_byte_is_named_with_its_offset(encoding, size):
    valid = ("good text 가나다 " if encoding != "ascii" else "good text").encode(encoding)
    bad = b"\x00\xd8\x00\x00" if encoding == "utf-16" else b"\xff"
    message = refusal(valid + bad + b"more", encoding, size)
    assert f"poem.txt is not valid {encoding}: byte 0x{bad[0]:02x} at offset {len(valid)}" in message
    assert "--data.encoding" in message


@pytest.mark.parametrize("size", [1, 3, 2**20])
def test_a_byte_order_mark_at_the_start_is_no_character_and_elsewhere_is_one(size):
    mark = "\ufeff"
    for encoding in ("utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-be", "gb18030"):
        written = encoding.removesuffix("-sig")
        assert "".join(pieces_of(f"{mark}ab{mark}c".encode(written), encoding, size)) == f"ab{mark}c", encoding
        assert "".join(pieces_of(f"{mark}{mark}a".encode(written), encoding, size)) == f"{mark}a", encoding
    for encoding in ("utf-16", "utf-32"):  # these write one mark of their own
        assert "".join(pieces_of(f"{mark}ab".encode(encoding), encoding, size)) == f"{mark}ab", encoding
    assert pieces_of(mark.encode()) == []


def names_that_python_knows():
    modules = {module.name for module in pkgutil.iter_modules(encodings.__path__)}
    return sorted({*encodings.aliases.aliases, *encodings.aliases.aliases.values(), *modules})


def test_every_name_of_an_encoding_ends_in_text_or_in_one_line():
    rng = random.Random(0)
    contents = [b"", b"plain\n", *(rng.randbytes(60) for _ in range(4)), b"+2AA-x", b"xn--a\xff", b"\\ud800\\y"]
    contents += ["한글 é\n".encode(name) for name in ("utf-8", "utf-16", "utf-7", "gb18030")]
    texts = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in names_that_python_knows():
            for data in contents:
                found = [text_or_line(data, name, size) for size in (1, 7, 2**20)]
                if isinstance(found[0], str):
                    assert len(set(found)) == 1, (name, data, "the size of the pieces makes a difference")
                    assert found[0].encode("utf-8").decode("utf-8") == found[0], (name, data)
                    texts += 1
                else:
                    assert all(isinstance(one, InputError) and "\n" not in str(one) for one in found), (name, data)
    assert texts > 1000


@pytest.mark.parametrize(
    "name", ["hex", "rot13", "base64", "zip", "bz2", "uu", "quopri", "idna", "punycode", "unicode_escape"]
)
def test_what_python_calls_an_encoding_and_no_file_has_is_refused_by_name(name):
    assert "is not a text encoding of files" in refusal(b"text", name)
    assert "is not a text encoding of files" in refusal(b"text", "raw_unicode_escape")
    assert "is not a text encoding of files" in refusal(b"text", "undefined")


@pytest.mark.parametrize("name", ["utf-9", "", "a\0b", "é", "\ud800", "mbcs", "x" * 10_000, "../os", "aliases", "a\nb"])
def test_a_name_that_is_no_encoding_is_refused(name):
    message = refusal(b"text", name)
    assert message.startswith("unknown encoding: ")
    assert len(message) < 200


def test_half_a_surrogate_pair_is_refused_with_its_place():
    for size in (1, 2, 2**20):
        message = refusal(b"ab+2AA-c", "utf-7", size)
        assert "poem.txt is not valid utf-7: its character 2 is half a surrogate pair (U+D800)" in message
    assert "byte 0xed at offset 1" in refusal(b"a\xed\xa0\x80")
    for half in (b"\x00\xd8a\x00", b"\x00\xdc"):
        assert "is not valid utf-16-le: byte 0x00 at offset 2" in refusal(b"a\0" + half, "utf-16-le")


def packed(kind):
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("a.txt", "text")
    else:
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.addfile(tarfile.TarInfo("a.txt"))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "name", "remedy"),
    [
        (gzip.compress(b"text"), "a gzip file (.gz)", "let its name end in .gz"),
        (lzma.compress(b"text"), "an xz file (.xz)", "let its name end in .xz"),
        (bz2.compress(b"text"), "a bzip2 file (.bz2)", "let its name end in .bz2"),
        (bz2.compress(b""), "a bzip2 file (.bz2)", "unpack it first"),
        (packed("zip"), "a zip archive", "let its name end in .zip"),
        (packed("tar"), "a tar archive (.tar)", "unpack it and give the folder"),
        (lzma.compress(b"text", lzma.FORMAT_ALONE), "an LZMA file", "unlzma"),
        (b"(\xb5/\xfd\x04\x00", "a zstandard file (.zst)", "unzstd"),
        (b"7z\xbc\xaf'\x1c\x00\x04", "a 7-Zip archive", "unpack it and give the folder"),
        (b"%PDF-1.7\n", "a PDF document", "pdftotext"),
        (b"PAR1\x15\x04", "a Parquet file", "save it as text"),
    ],
    # Not of the data: archives hold the time of their making, and every worker must collect the same tests.
    ids=["gzip", "xz", "bzip2", "empty bzip2", "zip", "tar", "lzma", "zstandard", "7z", "pdf", "parquet"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_files_that_are_no_text_are_told_by_their_first_bytes(data, name, remedy, encoding):
    for size in (1, 2**20):
        message = refusal(data, encoding, size)
        assert f"poem.txt is {name}" in message
        assert remedy in message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_byte_order_mark_of_another_encoding_names_that(encoding):
    mark = f"begins with the byte-order mark of {encoding.upper()}: give --data.encoding {encoding}"
    for order in ("", "-be"):
        data = "\ufeff".encode(encoding + order) * bool(order) + "text".encode(encoding + order)
        for other in ("utf-8", "latin-1", "cp949"):
            assert mark in refusal(data, other)
        assert "".join(pieces_of(data, encoding)) == "text"
    assert "mark of UTF-8: give --data.encoding utf-8" in refusal(b"\xef\xbb\xbftext", "latin-1")


@pytest.mark.parametrize(
    "text", ["BZh9 is no file", "PK", "PDF", "%PD", "ustar", "]", "MZ", "7z", "Rar!", "", "ï»", "þÿ"]
)
def test_text_that_begins_much_as_a_format_does_is_text(text):
    assert "".join(pieces_of(text.encode())) == text


def test_an_encoding_goes_by_python_s_own_name():
    assert Encoding("U8").name == Encoding("utf_8").name == "utf-8"
    assert Encoding("LATIN1").name == codecs.lookup("iso8859-1").name.replace("_", "-")
