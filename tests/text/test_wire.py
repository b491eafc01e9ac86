"""The wire format: Google's library for protocol buffers is the oracle."""

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.internal import encoder
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tokenizers import sentencepiece_model

from jaxseq.text.wire import fields, with_bytes, with_varint


@settings(deadline=None)
@given(number=st.integers(1, 2**29 - 1), value=st.integers(0, 2**64 - 1))
def test_numbers_are_written_as_the_library_writes_them(number, value):
    expected: list[bytes] = []
    encoder.UInt64Encoder(number, False, False)(expected.append, value, False)
    assert with_varint(b"", number, value) == b"".join(expected)
    assert list(fields(b"".join(expected))) == [(number, value)]


@settings(deadline=None)
@given(number=st.integers(1, 1000), value=st.binary(max_size=300))
def test_bytes_are_written_as_the_library_writes_them(number, value):
    expected: list[bytes] = []
    encoder.BytesEncoder(number, False, False)(expected.append, value, False)
    assert with_bytes(b"", number, value) == b"".join(expected)
    assert list(fields(b"".join(expected))) == [(number, value)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=5), st.integers(-(2**31), 2**31 - 1)), max_size=5))
def test_a_message_of_the_library_is_read(values):
    message = descriptor_pb2.EnumDescriptorProto(name="x")
    for name, number in values:
        message.value.add(name=name, number=number)
    found = list(fields(message.SerializeToString()))
    assert found[0] == (1, b"x")
    for (number, data), (name, value) in zip(found[1:], values, strict=True):
        assert number == 2
        assert isinstance(data, bytes)
        assert dict(fields(data)) == {1: name.encode(), 2: value % 2**64}


def test_another_field_takes_the_place_of_one_and_leaves_the_rest_as_it_is():
    model = sentencepiece_model()
    before, after = list(fields(model)), list(fields(with_bytes(model, 3, b"new")))
    assert [field for field in after if field[0] != 3] == [field for field in before if field[0] != 3]
    assert [field for field in after if field[0] == 3] == [(3, b"new")]


@pytest.mark.parametrize(
    "data", [b"\x80", b"\x0a\x05abc", b"\x0d\x00\x00", b"\x0b", b"\x0f", b"\x08" + b"\xff" * 10 + b"\x01"]
)
def test_what_is_no_message_is_refused(data):
    with pytest.raises(ValueError, match="at offset"):
        list(fields(data))
