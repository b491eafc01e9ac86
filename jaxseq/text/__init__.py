"""From text to ids and back: normalisers, vocabularies, Hangul, tokenizers. NumPy only, no JAX."""

from jaxseq.text.byte_pairs import BytePairTokenizer
from jaxseq.text.caption_tokenizer import CaptionTokenizer
from jaxseq.text.characters import CharTokenizer
from jaxseq.text.jamo import JamoTokenizer
from jaxseq.text.keras_tokenizer import fit_keras_tokenizer, keras_json, read_keras_json
from jaxseq.text.lined import LineTokenizer
from jaxseq.text.masked_tokenizer import MaskedTokenizer
from jaxseq.text.morpheme_tokenizer import MorphemeTokenizer
from jaxseq.text.morphemes import Morpheme, tag, tag_texts
from jaxseq.text.normalize import NORMALIZERS
from jaxseq.text.pair_tokenizers import PairTokenizers
from jaxseq.text.sentencepieces import SentencePieceTokenizer
from jaxseq.text.sentences import split_sentences
from jaxseq.text.splitters import FILTERS, SPLITTERS
from jaxseq.text.streaming import HoldBackDecoder, StreamDecoder
from jaxseq.text.tagged import read_tagged, tagged_line
from jaxseq.text.tokenizers import TOKENIZERS, Tokenizer, tokenizer_from_json, tokenizer_from_text
from jaxseq.text.tokenizers_json import read_tokenizers_json
from jaxseq.text.unigrams import UnigramTokenizer
from jaxseq.text.utf8 import ByteTokenizer
from jaxseq.text.vocab import UNKNOWN, Vocabulary
from jaxseq.text.word_counts import WordCounts, count_words
from jaxseq.text.word_options import WordOptions
from jaxseq.text.wordpieces import BertNormalization, WordPieceTokenizer
from jaxseq.text.words import WordTokenizer

__all__ = [
    "BertNormalization",
    "BytePairTokenizer",
    "ByteTokenizer",
    "CaptionTokenizer",
    "CharTokenizer",
    "FILTERS",
    "HoldBackDecoder",
    "JamoTokenizer",
    "LineTokenizer",
    "MaskedTokenizer",
    "Morpheme",
    "MorphemeTokenizer",
    "NORMALIZERS",
    "PairTokenizers",
    "SPLITTERS",
    "SentencePieceTokenizer",
    "StreamDecoder",
    "TOKENIZERS",
    "Tokenizer",
    "UNKNOWN",
    "UnigramTokenizer",
    "Vocabulary",
    "WordCounts",
    "WordOptions",
    "WordPieceTokenizer",
    "WordTokenizer",
    "count_words",
    "fit_keras_tokenizer",
    "keras_json",
    "read_keras_json",
    "read_tagged",
    "read_tokenizers_json",
    "split_sentences",
    "tag",
    "tag_texts",
    "tagged_line",
    "tokenizer_from_json",
    "tokenizer_from_text",
]
