"""What a training is put together of."""

import pytest

from jaxseq.errors import CheckpointError
from jaxseq.runs.train import _read_tokenizer


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"kind": "word"}', b"\xff\xfe"])
def test_a_tokenizer_that_cannot_be_read_is_named_in_one_line(tmp_path, content):
    file = tmp_path / "tokenizer.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json cannot be used \(.*\)") as caught:
        _read_tokenizer(file)
    assert "\n" not in str(caught.value)
