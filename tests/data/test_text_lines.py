"""Lines of text that comes in pieces."""

from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data import TextPiece, lines_of

DOCUMENTS = st.lists(st.text("a: \n\r", max_size=12), min_size=1, max_size=3)


@settings(deadline=None)
@given(DOCUMENTS, st.integers(1, 5), st.booleans())
def test_lines_are_those_of_each_document_whole_however_it_is_cut(documents, size, headings):
    pieces = [
        TextPiece(document[at : at + size], at == 0)
        for document in documents
        for at in range(0, max(1, len(document)), size)
    ]
    lines = [line for document in documents for line in document.split("\n")]
    kept = [line[:-1] if line.endswith("\r") else line for line in lines]
    expected = [line for line in kept if line.strip() and (headings or not line.rstrip().endswith(":"))]
    assert list(lines_of(pieces, headings=headings)) == expected


def test_the_verse_of_shakespeare_without_speakers_and_empty_lines(data_folder):
    text = (data_folder / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
    lines = list(lines_of([TextPiece(text, True)], headings=False))
    # `grep -vc ':$' input.txt` less the empty lines, `grep -c '^$' input.txt`
    assert len(lines) == sum(1 for line in text.split("\n") if line and line[-1] != ":")
    assert lines[0] == "Before we proceed any further, hear me speak."
