"""The page docs/adding-a-tokenizer.md: its example is run, and so are the tests it shows."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import is_hypothesis_test, settings
from pages import blocks, read_page

from jaxseq.text import TOKENIZERS

PAGE = read_page("adding-a-tokenizer.md")


@pytest.fixture(scope="module")
def page() -> Iterator[dict[str, Any]]:
    """What the Python blocks of the page define."""
    names: dict[str, Any] = {"__name__": "adding_a_tokenizer"}
    known = dict(TOKENIZERS)
    for block in blocks(PAGE):
        exec(block, names)
    yield names
    TOKENIZERS.clear()
    TOKENIZERS.update(known)


def test_the_tests_on_the_page_pass(page: dict[str, Any]) -> None:
    tests = [value for name, value in page.items() if name.startswith("test_")]
    assert len(tests) == 4
    for test in tests:
        if is_hypothesis_test(test):
            settings(deadline=None, max_examples=50)(test)()
        else:
            test()


def test_the_example_reads_words(page: dict[str, Any]) -> None:
    tokenizer = page["PieceTokenizer"].train("To be, or not to be.", normalize=("lowercase",))
    assert tokenizer.vocabulary.symbols == (" ", "be", "to", ",", ".", "not", "or")
    assert tokenizer.encode("not to be.").tolist() == [5, 0, 2, 0, 1, 4]
    assert TOKENIZERS["piece"] is page["PieceTokenizer"]
