"""From a source of text to batches of token ids. NumPy only."""

from jaxseq.data.batching import Batch, Loader
from jaxseq.data.caption_splits import captions_fingerprint, split_captioned, split_combinations, take_captioned
from jaxseq.data.caption_tokens import CaptionTokens, encode_captions
from jaxseq.data.captions import Captioned, read_captions
from jaxseq.data.corpus import SPLITS, Corpus, TokenChunk, join_chunks, require_ids, take_split, with_splits
from jaxseq.data.digit_scenes import Scenes, captioned_scenes, make_scene_splits, make_scenes
from jaxseq.data.digits import Digits, digits_fingerprint, read_digits, split_digits
from jaxseq.data.documents import Documents, encode_documents, split_documents
from jaxseq.data.example_batches import ClassBatch, NumberedLoader
from jaxseq.data.examples import ExampleLoader, LabelledBatch, Sequences, join_sequences
from jaxseq.data.hands import make_hands
from jaxseq.data.idx import read_idx
from jaxseq.data.labelled import Labelled, class_ids, find_classes, labelled_fingerprint, split_off
from jaxseq.data.labelled_sources import read_labelled, read_test_part
from jaxseq.data.lengths import LengthReport, choose_lengths, length_report
from jaxseq.data.line_loader import LineLoader
from jaxseq.data.loader import RowLoader, WindowLoader
from jaxseq.data.made_up import make_up
from jaxseq.data.masked_batches import MaskedBatch, MaskedLoader
from jaxseq.data.masking import Masked, Masking, mask_tokens
from jaxseq.data.next_sentences import SentencePairs, SingleTexts, Texts
from jaxseq.data.padding import pad_sequences, padding_mask
from jaxseq.data.pair_batches import PairBatch, PairLoader
from jaxseq.data.pair_shapes import PairShape, choose_shapes, with_room
from jaxseq.data.pair_splits import Referenced, pairs_fingerprint, repeated_sources, split_pairs, with_references
from jaxseq.data.pair_tokens import PairTokens, encode_pairs
from jaxseq.data.pairs import Pairs, PairSource, read_named_pairs, read_pairs
from jaxseq.data.picture_batches import CaptionBatch, CaptionLoader, PictureBatch, PictureLoader
from jaxseq.data.pictures import decode_picture, read_picture
from jaxseq.data.records import open_records, read_records, record_format
from jaxseq.data.rectangles import Rectangles, make_rectangles
from jaxseq.data.sources import read_documents, read_pieces, source_fingerprint
from jaxseq.data.subsampling import keep_chances
from jaxseq.data.text_files import TextPiece
from jaxseq.data.text_lines import lines_of
from jaxseq.data.token_file import DamagedTokenFileError, StaleTokenFileError, open_token_file, write_token_file
from jaxseq.data.windows import (
    contiguous_rows,
    forecast_windows,
    forecast_windows_of,
    gather_windows,
    next_token_windows,
    row_bounds,
    sliding_windows,
    split,
    split_bounds,
    window_starts,
)
from jaxseq.data.word_windows import WordBatch, WordWindowLoader

__all__ = [
    "Batch",
    "CaptionBatch",
    "CaptionLoader",
    "CaptionTokens",
    "Captioned",
    "ClassBatch",
    "Corpus",
    "DamagedTokenFileError",
    "Digits",
    "Documents",
    "ExampleLoader",
    "Labelled",
    "LabelledBatch",
    "LengthReport",
    "LineLoader",
    "Loader",
    "Masked",
    "MaskedBatch",
    "MaskedLoader",
    "Masking",
    "NumberedLoader",
    "PairBatch",
    "PairLoader",
    "PairShape",
    "PairSource",
    "PairTokens",
    "Pairs",
    "PictureBatch",
    "PictureLoader",
    "Rectangles",
    "Referenced",
    "RowLoader",
    "SPLITS",
    "Scenes",
    "SentencePairs",
    "Sequences",
    "SingleTexts",
    "StaleTokenFileError",
    "TextPiece",
    "Texts",
    "TokenChunk",
    "WindowLoader",
    "WordBatch",
    "WordWindowLoader",
    "captioned_scenes",
    "captions_fingerprint",
    "choose_lengths",
    "choose_shapes",
    "class_ids",
    "contiguous_rows",
    "decode_picture",
    "digits_fingerprint",
    "encode_captions",
    "encode_documents",
    "encode_pairs",
    "find_classes",
    "forecast_windows",
    "forecast_windows_of",
    "gather_windows",
    "join_chunks",
    "join_sequences",
    "keep_chances",
    "labelled_fingerprint",
    "length_report",
    "lines_of",
    "make_hands",
    "make_rectangles",
    "make_scene_splits",
    "make_scenes",
    "make_up",
    "mask_tokens",
    "next_token_windows",
    "open_records",
    "open_token_file",
    "pad_sequences",
    "padding_mask",
    "pairs_fingerprint",
    "read_captions",
    "read_digits",
    "read_documents",
    "read_idx",
    "read_labelled",
    "read_named_pairs",
    "read_pairs",
    "read_picture",
    "read_pieces",
    "read_records",
    "read_test_part",
    "record_format",
    "repeated_sources",
    "require_ids",
    "row_bounds",
    "sliding_windows",
    "source_fingerprint",
    "split",
    "split_bounds",
    "split_captioned",
    "split_combinations",
    "split_digits",
    "split_documents",
    "split_off",
    "split_pairs",
    "take_captioned",
    "take_split",
    "window_starts",
    "with_references",
    "with_room",
    "with_splits",
    "write_token_file",
]
