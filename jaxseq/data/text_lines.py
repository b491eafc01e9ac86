"""The lines of running text that comes in pieces."""

from collections.abc import Iterable, Iterator

from jaxseq.data.text_files import TextPiece


def lines_of(pieces: Iterable[TextPiece], *, headings: bool = True) -> Iterator[str]:
    """The lines of all documents that hold more than white space, without what ends them.

    A line ends with "\\n" or "\\r\\n", and where a document does.

    Args:
        headings: without it lines that end in a colon are left out, white space behind it or not.

    >>> pieces = [TextPiece("First Citizen:\\nBefore we pro", True), TextPiece("ceed\\n\\n", False)]
    >>> list(lines_of(pieces, headings=False))
    ['Before we proceed']
    """
    for line in _all_lines(pieces):
        kept = line.removesuffix("\r")
        bare = kept.rstrip()
        if bare and (headings or not bare.endswith(":")):
            yield kept


def _all_lines(pieces: Iterable[TextPiece]) -> Iterator[str]:
    held: list[str] = []  # parts of a line that goes on in the next piece
    for piece in pieces:
        if piece.starts_document and held:
            yield "".join(held)
            held = []
        *whole, rest = piece.text.split("\n")
        for line in whole:
            yield "".join([*held, line])
            held = []
        held.append(rest)
    if held:
        yield "".join(held)
