"""Lines of tagged morphemes: what is written is read back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.errors import InputError
from jaxseq.text import SPLITTERS, read_tagged, tagged_line

ODD = st.text("가/\\u0020 \n\r\t\x1c\u3000\ud800\x1b\u202e😀", min_size=1, max_size=8)
FORMS = st.text(min_size=1, max_size=8) | ODD
TAGS = st.sampled_from(["NNG", "VV-I", "W_EMOJI", "SP", "품사"])
LINES = st.lists(st.tuples(FORMS, TAGS), max_size=8)


@settings(deadline=None)
@given(LINES)
def test_what_is_written_is_read_back(morphemes):
    line = tagged_line(morphemes)
    assert read_tagged(line) == morphemes
    assert read_tagged(f"  {line}\t\n") == morphemes
    assert "\n" not in line


@settings(deadline=None)
@given(LINES)
def test_a_token_has_one_slash_and_no_white_space(morphemes):
    tokens = SPLITTERS["whitespace"].split(tagged_line(morphemes))
    assert [token.split("/")[1] for token in tokens] == [tag for _, tag in morphemes]
    assert all(token.count("/") == 1 for token in tokens)


def test_escapes_are_those_of_json():
    assert tagged_line([("반지의 제왕", "NNP"), ("/", "SP"), ("\\", "SW"), ("\x1b", "SW")]) == (
        r"반지의\u0020제왕/NNP \u002f/SP \u005c/SW \u001b/SW"
    )
    assert tagged_line([("👨\u200d👩", "W_EMOJI"), ("\u11ab다", "EF")]) == "👨\u200d👩/W_EMOJI \u11ab다/EF"


NO_TOKENS = ["영화", "/NNG", "영화/", "a/b/SL", "//SP", "\\/SP", "\\u12/SP", "\\x20/SP", "a/N\\G", "/"]


@pytest.mark.parametrize("token", NO_TOKENS)
def test_what_is_no_token_is_refused_in_one_line(token):
    with pytest.raises(InputError, match="is no tagged morpheme: write form/Tag, and in the form ") as caught:
        read_tagged(f"좋/VA {token} 다/EF")
    assert repr(token) in str(caught.value)
    assert "\n" not in str(caught.value)
