"""From a source of text to batches of token ids. NumPy only."""

from jaxseq.data.batching import Batch, Loader
from jaxseq.data.corpus import SPLITS, Corpus, TokenChunk, join_chunks, require_ids, take_split, with_splits
from jaxseq.data.examples import ExampleLoader, LabelledBatch, Sequences, join_sequences
from jaxseq.data.labelled import Labelled, class_ids, find_classes, labelled_fingerprint, split_off
from jaxseq.data.labelled_sources import read_labelled, read_test_part
from jaxseq.data.lengths import LengthReport, choose_lengths, length_report
from jaxseq.data.line_loader import LineLoader
from jaxseq.data.loader import RowLoader, WindowLoader
from jaxseq.data.made_up import make_up
from jaxseq.data.padding import pad_sequences, padding_mask
from jaxseq.data.pair_batches import PairBatch, PairLoader
from jaxseq.data.pair_shapes import PairShape, choose_shapes, with_room
from jaxseq.data.pair_splits import Referenced, pairs_fingerprint, repeated_sources, split_pairs, with_references
from jaxseq.data.pair_tokens import PairTokens, encode_pairs
from jaxseq.data.pairs import Pairs, PairSource, read_named_pairs, read_pairs
from jaxseq.data.records import open_records, read_records, record_format
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
    "Corpus",
    "DamagedTokenFileError",
    "ExampleLoader",
    "Labelled",
    "LabelledBatch",
    "LengthReport",
    "LineLoader",
    "Loader",
    "PairBatch",
    "PairLoader",
    "PairShape",
    "PairSource",
    "PairTokens",
    "Pairs",
    "Referenced",
    "RowLoader",
    "SPLITS",
    "Sequences",
    "StaleTokenFileError",
    "TextPiece",
    "TokenChunk",
    "WindowLoader",
    "WordBatch",
    "WordWindowLoader",
    "choose_lengths",
    "choose_shapes",
    "class_ids",
    "contiguous_rows",
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
    "make_up",
    "next_token_windows",
    "open_records",
    "open_token_file",
    "pad_sequences",
    "padding_mask",
    "pairs_fingerprint",
    "read_documents",
    "read_labelled",
    "read_named_pairs",
    "read_pairs",
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
    "split_off",
    "split_pairs",
    "take_split",
    "window_starts",
    "with_references",
    "with_room",
    "with_splits",
    "write_token_file",
]
