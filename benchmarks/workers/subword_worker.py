"""`tokenizers` and `sentencepiece` as they are, on the lines of a text: lists of Python come out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import subwords
from benchmarks.workers.serve import Job, serve
from benchmarks.works import Work
from jaxseq.text.subwords import SubwordTokenizer

SIZE = 8_000
_KINDS = {
    "bpe": subwords.byte_pairs,
    "wordpiece": subwords.wordpieces,
    "unigram": subwords.unigrams,
    "sentencepiece": subwords.sentencepieces,
}


def trained(work: Work, folder: Path) -> tuple[list[str], SubwordTokenizer, Callable[[list[str]], Any]]:
    """The lines of the text, the tokenizer of ours trained on it, and what the library does with the same pieces."""
    assert work.pieces is not None
    text = (folder / "text.txt").read_text(encoding="utf-8")
    return text.splitlines(keepends=True), *_KINDS[work.pieces](text, SIZE)


class Pieces:
    """One call makes ids of the lines."""

    def __init__(self, work: Work, folder: Path) -> None:
        self.lines, _, self.encode = trained(work, folder)
        self.units_per_call = sum(len(line.encode()) for line in self.lines) / 1e6

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.encode(self.lines)


def build(work: Work, folder: Path, device: str) -> Job:
    return Pieces(work, folder)


if __name__ == "__main__":
    serve(build, packages=("tokenizers", "sentencepiece"))
