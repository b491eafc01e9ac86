"""Documents made of sentences: from texts, and as arrays of token ids."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.examples import join_sequences
from jaxseq.errors import InputError
from jaxseq.text.sentences import split_sentences

DocumentForm = Literal["texts", "lines", "blocks", "wikitext"]
"""What a document is in a text: see `split_documents`."""

_HEADING = re.compile(r"((?:= )+)(?!= )(.+?)((?: =)+)")


class Documents(NamedTuple):
    """Documents of sentences of tokens, laid end to end. None is empty, neither a sentence nor a document."""

    tokens: NDArray[np.int32]
    """[n] token ids."""
    sentences: NDArray[np.int64]
    """[s+1]: sentence i is tokens[sentences[i]:sentences[i+1]]."""
    documents: NDArray[np.int64]
    """[k+1]: document i has the sentences from documents[i] to documents[i+1]."""

    @property
    def bounds(self) -> NDArray[np.int64]:
        """[k+1]: document i is tokens[bounds[i]:bounds[i+1]]."""
        return self.sentences[self.documents]


def split_documents(texts: Iterable[str], form: DocumentForm) -> Iterator[list[str]]:
    """The documents of texts, such as the files of a source, each as its paragraphs. Those without any are left out.

    Args:
        form: what a document is. "texts": a text, whose lines are paragraphs. "lines": a line. "blocks": lines without
            an empty one between them, as Google's BERT reads them. "wikitext": a heading " = Title = " between empty
            lines begins one; no heading is a paragraph, nor are those of sections, " = = Section = = ".

    Raises:
        InputError: there is no such form.

    >>> text = " \\n = Lobsters = \\n \\n They are blue . \\n \\n = = Life = = \\n \\n They live long . \\n"
    >>> list(split_documents([text], "wikitext"))
    [['They are blue .', 'They live long .']]
    """
    if form not in get_args(DocumentForm):
        raise InputError(f"the form of documents is {form!r}: choose {', '.join(get_args(DocumentForm))}")
    for text in texts:
        # Nothing but a line's end: other characters that `splitlines` takes for one occur in texts.
        lines = [line.strip() for line in text.split("\n")]
        for document in _documents_of(lines, form):
            if document:
                yield document


def encode_documents(
    documents: Iterable[Sequence[str]], encode_texts: Callable[[list[str]], Iterable[Sequence[int] | np.ndarray]]
) -> Documents:
    """Documents, each given as its paragraphs, in sentences of token ids.

    Sentences without a token are left out, and documents without a sentence.

    Args:
        encode_texts: the ids of each of some texts, without what is to begin or end them; of a tokenizer this is
            `partial(encode_each, tokenizer)`, see `jaxseq.text.tokenizers`.

    Raises:
        InputError: no token is left.
    """
    sentences: list[str] = []
    ends = [0]
    for paragraphs in documents:
        sentences += (sentence for paragraph in paragraphs for sentence in split_sentences(paragraph))
        ends.append(len(sentences))
    encoded = join_sequences(list(encode_texts(sentences)))
    if not len(encoded.ids):
        raise InputError("the documents hold no token: give --data.source a source that holds sentences")
    kept = encoded.lengths > 0
    # As many sentences before each end as are kept; an end that comes twice is that of a document without any.
    bounds = np.concatenate([[0], np.cumsum(kept)])[ends]
    return Documents(encoded.ids, np.unique(encoded.offsets), np.unique(bounds))


def _documents_of(lines: list[str], form: DocumentForm) -> Iterator[list[str]]:
    """Of one text, of whose lines white space at the ends has been taken."""
    if form == "lines":
        yield from ([line] for line in lines if line)
        return
    held: list[str] = []
    for at, line in enumerate(lines):
        depth = _heading_depth(line) if form == "wikitext" else 0
        # Formulas and legends of tables have the form of a title, too, but stand among other lines.
        is_title = depth == 1 and not (lines[at - 1] if at else "") and not "".join(lines[at + 1 : at + 2])
        if is_title or (form == "blocks" and not line):
            yield held
            held = []
        elif line and depth < 2:
            held.append(line)
    yield held


def _heading_depth(line: str) -> int:
    """How many signs a heading has on either side; 0 for a line that is none."""
    found = _HEADING.fullmatch(line)
    return found[1].count("=") if found and found[1].count("=") == found[3].count("=") else 0
