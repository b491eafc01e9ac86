"""The vocab.txt of BERT, a piece on each line, and what its tokenizer_config.json says."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxseq.errors import InputError
from jaxseq.text.wordpieces import UNKNOWN_WORD, BertNormalization, WordPieceTokenizer

_NAMES = ("[PAD]", UNKNOWN_WORD, "[CLS]", "[SEP]", "[MASK]")


def read_bert_vocabulary(
    content: bytes, options: Mapping[str, Any] | None = None, *, normalize: Sequence[str] = ()
) -> WordPieceTokenizer:
    """The tokenizer of a vocab.txt; an id is the number of a line, from 0 on.

    Args:
        options: a tokenizer_config.json, of which do_lower_case, tokenize_chinese_chars and strip_accents are read; by
            default all is in lower case and without accents.
        normalize: names of `NORMALIZERS`, applied first.

    Raises:
        InputError: it is no text in UTF-8, a piece is empty or stands there twice, or there is no [UNK].
    """
    options = options or {}
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"a vocab.txt is UTF-8, this is not at offset {error.start} ({error.reason})") from error
    pieces = tuple(text.replace("\r\n", "\n").removesuffix("\n").split("\n"))
    if UNKNOWN_WORD not in pieces:
        raise InputError(f"a vocab.txt must have {UNKNOWN_WORD}, the piece of what is unknown")
    bert = BertNormalization(
        handle_chinese_chars=options.get("tokenize_chinese_chars", True),
        strip_accents=options.get("strip_accents"),
        lowercase=options.get("do_lower_case", True),
    )
    reserved = tuple(at for at, piece in enumerate(pieces) if piece in _NAMES and piece != UNKNOWN_WORD)
    unknown = pieces.index(UNKNOWN_WORD)
    return WordPieceTokenizer(pieces, unknown, reserved, bert, padding=False, normalizers=tuple(normalize))
