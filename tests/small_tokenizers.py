"""Small tokenizers of subwords, each trained once a process."""

import io
from functools import cache

import sentencepiece

from jaxseq.text import BytePairTokenizer, SentencePieceTokenizer, UnigramTokenizer, WordPieceTokenizer

TEXT = """First Citizen: Before we proceed any further, hear me speak.
All: Speak, speak. Who's there? It's 1609; 300 lines.
나는 이 영화를 보고 정말 재미있었다 ㅋㅋㅋ 값이 없다. 이 영화는 정말 최고의 영화!
    def f(x):  return x\t# café, naïve, 😀
"""


@cache
def bpe(size: int = 400) -> BytePairTokenizer:
    return BytePairTokenizer.train(TEXT, size=size)


@cache
def wordpiece() -> WordPieceTokenizer:
    return WordPieceTokenizer.train(TEXT, size=260)


@cache
def unigram(prefix: bool = False) -> UnigramTokenizer:
    return UnigramTokenizer.train(TEXT, size=400, prefix=prefix)


@cache
def sentencepiece_model(kind: str = "unigram", *, bytes_too: bool = True, rule: str = "nmt_nfkc", **options) -> bytes:
    """The bytes of a model with the user-defined symbol <sep>, the control symbol <ctl> and 256 bytes."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.splitlines() * 3),
        model_writer=written,
        model_type=kind,
        vocab_size=420 if bytes_too else 160,
        hard_vocab_limit=False,
        byte_fallback=bytes_too,
        normalization_rule_name=rule,
        control_symbols=["<ctl>"],
        user_defined_symbols=["<sep>"],
        minloglevel=2,
        **options,
    )
    return written.getvalue()


@cache
def sentencepieces(kind: str = "unigram", *, normalization: bool = True, **options) -> SentencePieceTokenizer:
    return SentencePieceTokenizer.read(sentencepiece_model(kind, **options), normalization=normalization)
