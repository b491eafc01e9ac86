"""How fast subword tokenizers read a text, beside the libraries applied to its lines as they are.

    python benchmarks/subwords.py ../shared/data/wikitext2/wiki.train.tokens.xz
    python benchmarks/subwords.py TEXT --size 4000 --rounds 5

Each is trained on the text first, SentencePiece on its first lines. "text" is `encode` of the whole, "lines" are
`encode_texts`, "library" is `encode_batch` of `tokenizers` or `encode` of `sentencepiece` on a list of the lines, which
leave lists of Python. All in turn, the median of the rounds, in MB of UTF-8 a second.
"""

import argparse
import io
import lzma
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from jaxseq.text import BytePairTokenizer, SentencePieceTokenizer, UnigramTokenizer, WordPieceTokenizer
from jaxseq.text.subword_libraries import sentencepiece_library, tokenizers_library
from jaxseq.text.subwords import SubwordTokenizer

_LINES = 5000


def byte_pairs(text: str, size: int) -> tuple[SubwordTokenizer, Callable[[list[str]], Any]]:
    """The tokenizer of ours that is trained on `text`, and what the library does with its pieces."""
    library, ours = tokenizers_library(), BytePairTokenizer.train(text, size=size)
    vocab = {piece: id for id, piece in enumerate(ours.pieces)}
    theirs = library.Tokenizer(library.models.BPE(vocab, list(ours.merges)))
    theirs.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return ours, theirs.encode_batch


def wordpieces(text: str, size: int) -> tuple[SubwordTokenizer, Callable[[list[str]], Any]]:
    """As `byte_pairs`."""
    library, ours = tokenizers_library(), WordPieceTokenizer.train(text, size=size)
    vocab = {piece: id for id, piece in enumerate(ours.pieces)}
    theirs = library.Tokenizer(library.models.WordPiece(vocab, unk_token=ours.pieces[ours.unknown]))
    theirs.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    return ours, theirs.encode_batch


def unigrams(text: str, size: int) -> tuple[SubwordTokenizer, Callable[[list[str]], Any]]:
    """As `byte_pairs`."""
    library, ours = tokenizers_library(), UnigramTokenizer.train(text, size=size)
    pieces = [(piece.replace(" ", "\u2581"), score) for piece, score in ours.pieces]
    theirs = library.Tokenizer(library.models.Unigram(pieces, 0, True))
    theirs.pre_tokenizer = library.pre_tokenizers.Metaspace(prepend_scheme="never")
    return ours, theirs.encode_batch


def sentencepieces(text: str, size: int) -> tuple[SubwordTokenizer, Callable[[list[str]], Any]]:
    """As `byte_pairs`."""
    library, written = sentencepiece_library(), io.BytesIO()
    library.SentencePieceTrainer.train(
        sentence_iterator=iter(text.splitlines()[:_LINES]),
        model_writer=written,
        vocab_size=size,
        hard_vocab_limit=False,
        byte_fallback=True,
        minloglevel=3,
    )
    ours = SentencePieceTokenizer.read(written.getvalue(), normalization=False)
    return ours, library.SentencePieceProcessor(model_proto=ours.model).encode


def megabytes_per_second(text: str, works: list[Callable[[], Any]], *, rounds: int) -> list[float]:
    """The median of each of `works`, which take turns."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, found in zip(works, seconds, strict=True):
            start = time.perf_counter()
            work()
            found.append(time.perf_counter() - start)
    size = len(text.encode()) / 1e6
    return [size / statistics.median(found) for found in seconds]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="a file in UTF-8, .xz or plain")
    parser.add_argument("--size", type=int, default=8000, help="ids of each tokenizer")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    raw = options.text.read_bytes()
    text = (lzma.decompress(raw) if options.text.suffix == ".xz" else raw).decode("utf-8")
    lines = text.splitlines(keepends=True)
    print(f"{'kind':16}{'text':>10}{'lines':>10}{'library':>10}   MB/s")
    for made in (byte_pairs, wordpieces, unigrams, sentencepieces):
        ours, theirs = made(text, options.size)
        works = [partial(ours.encode, text), partial(ours.encode_texts, lines), partial(theirs, lines)]
        found = megabytes_per_second(text, works, rounds=options.rounds)
        print(f"{ours.kind:16}" + "".join(f"{speed:10.2f}" for speed in found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
