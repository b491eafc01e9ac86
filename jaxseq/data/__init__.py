"""From a source of text to batches of token ids. NumPy only."""

from jaxseq.data.batching import Batch, Loader
from jaxseq.data.corpus import SPLITS, Corpus, TokenChunk, join_chunks, require_ids, take_split
from jaxseq.data.loader import RowLoader, WindowLoader
from jaxseq.data.padding import pad_sequences, padding_mask
from jaxseq.data.sources import read_documents, read_pieces, source_fingerprint
from jaxseq.data.text_files import TextPiece
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

__all__ = [
    "Batch",
    "Corpus",
    "DamagedTokenFileError",
    "Loader",
    "RowLoader",
    "SPLITS",
    "StaleTokenFileError",
    "TextPiece",
    "TokenChunk",
    "WindowLoader",
    "contiguous_rows",
    "forecast_windows",
    "forecast_windows_of",
    "gather_windows",
    "join_chunks",
    "next_token_windows",
    "open_token_file",
    "pad_sequences",
    "padding_mask",
    "read_documents",
    "read_pieces",
    "require_ids",
    "row_bounds",
    "sliding_windows",
    "source_fingerprint",
    "split",
    "split_bounds",
    "take_split",
    "window_starts",
    "write_token_file",
]
