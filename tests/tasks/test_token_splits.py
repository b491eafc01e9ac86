"""How much text there is in token ids."""

from hypothesis import given
from hypothesis import strategies as st

from jaxseq.signals import never
from jaxseq.tasks.language import token_splits
from jaxseq.tasks.language.token_splits import extent_of
from jaxseq.text import ByteTokenizer


@given(st.text("ab \n\t가", max_size=30), st.integers(1, 9))
def test_characters_words_and_line_ends_are_counted_however_the_ids_are_cut(text, at_once):
    tokenizer = ByteTokenizer()
    ids = tokenizer.encode(text)
    before, token_splits.AT_ONCE = token_splits.AT_ONCE, at_once
    try:
        found = extent_of(tokenizer, ids, poll=never)
    finally:
        token_splits.AT_ONCE = before
    assert found == (len(ids), len(text), len(text.split()) + text.count("\n"))
