"""Lines of a stream of bytes: the text comes back, and damage is told by its line."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data.lines import read_lines
from jaxseq.errors import InputError

TEXTS = st.text(st.sampled_from("ab한é\n\r\u2028\x0b\x85\0\ufeff😀"), max_size=60)


def lines_of(data, **options):
    return list(read_lines(io.BytesIO(data), place="poem.txt", **options))


@given(text=TEXTS, encoding=st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-32"]), size=st.integers(1, 9))
def test_joined_lines_are_the_text_however_it_is_read(text, encoding, size):
    # What the text itself begins with cannot be told from the mark of the file, or makes another one of it.
    text = text.lstrip("\ufeff\0")
    lines = lines_of(text.encode(encoding), encoding=encoding, size=size)
    assert "".join(lines) == text
    assert all(line.endswith("\n") for line in lines[:-1])
    assert all("\n" not in line[:-1] for line in lines)
    assert "" not in lines


def test_only_a_line_feed_ends_a_line():
    assert lines_of("a\u2028b\x0bc\x85d\re\r\nf".encode()) == ["a\u2028b\x0bc\x85d\re\r\n", "f"]


def test_the_mark_at_the_start_is_left_out_once():
    assert lines_of("\ufeff\ufeffa\ufeff\n".encode()) == ["\ufeffa\ufeff\n"]
    assert lines_of("\ufeff".encode()) == []


@given(before=st.integers(0, 50), size=st.integers(1, 40))
def test_bytes_that_are_not_valid_are_told_by_their_line(before, size):
    data = "é\n".encode() * before + b"ab\xffc\n" + b"more\n" * 20
    with pytest.raises(InputError) as caught:
        lines_of(data, size=size)
    assert str(caught.value) == (
        f"poem.txt, line {before + 1} is not valid utf-8 (byte 0xff: invalid start byte): "
        "repair the file or give its encoding as --data.encoding"
    )


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        ("a\nb\n".encode("utf-16-le") + b"x", "utf-16-le", "line 3 is not valid utf-16-le (byte 0x78: truncated data)"),
        (b"a\nb\xc3", "utf-8", "line 2 is not valid utf-8 (byte 0xc3: unexpected end of data)"),
        (b"a\n+2AA-\n", "utf-7", "line 2 is not valid utf-7"),
        (b"\x1f\x8b\x08", "utf-8", "poem.txt is a gzip file (.gz), no text"),
        ("a\n".encode("utf-16"), "utf-8", "begins with the byte-order mark of UTF-16: give --data.encoding utf-16"),
    ],
)
def test_every_other_damage_is_one_line_too(data, encoding, message):
    with pytest.raises(InputError) as caught:
        lines_of(data, encoding=encoding)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_line_waits_for_no_byte_after_it(encoding):
    parts = [part.encode(encoding) for part in ("a", "b\n", "c\nd")]

    class Slow:
        def read(self, size, /):
            return parts.pop(0)

    lines = read_lines(Slow(), place="in", encoding=encoding)
    assert next(lines) == "ab\n"
    assert len(parts) == 1
    assert next(lines) == "c\n"
    parts.append(b"")
    assert list(lines) == ["d"]
