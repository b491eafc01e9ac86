"""From text to ids and back: normalisers, vocabularies, Hangul, tokenizers. NumPy only, no JAX."""

from jaxseq.text.characters import CharTokenizer
from jaxseq.text.jamo import JamoTokenizer
from jaxseq.text.normalize import NORMALIZERS
from jaxseq.text.streaming import HoldBackDecoder, StreamDecoder
from jaxseq.text.tokenizers import TOKENIZERS, Tokenizer, tokenizer_from_json, tokenizer_from_text
from jaxseq.text.utf8 import ByteTokenizer
from jaxseq.text.vocab import UNKNOWN, Vocabulary

__all__ = [
    "ByteTokenizer",
    "CharTokenizer",
    "HoldBackDecoder",
    "JamoTokenizer",
    "NORMALIZERS",
    "StreamDecoder",
    "TOKENIZERS",
    "Tokenizer",
    "UNKNOWN",
    "Vocabulary",
    "tokenizer_from_json",
    "tokenizer_from_text",
]
