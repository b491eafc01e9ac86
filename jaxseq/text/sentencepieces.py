"""The tokenizer of a SentencePiece model that was trained elsewhere, and is read from its `.model` file."""

import base64
import binascii
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.text.chunks import PART
from jaxseq.text.codepoints import grouped
from jaxseq.text.common import utf8_of
from jaxseq.text.sentencepiece_model import SPACE, Piece, SentencePieceModel, read_model, without_normalization
from jaxseq.text.subword_libraries import sentencepiece_library
from jaxseq.text.subwords import REPLACEMENT, SubwordTokenizer, subword_fields

_RULES = {
    "identity": (),
    "nfkc": ("Unicode form", "compatibility forms"),
    "nmt_nfkc": ("Unicode form", "compatibility forms", "control characters", "white space"),
}
_FOLDING = "_cf"


class Changes(NamedTuple):
    """What a normalisation changes in a text."""

    characters: int
    """How many characters of the text do not come back as they were."""
    examples: tuple[tuple[str, str, int], ...]
    """What becomes what, and how often: the most frequent first."""


@dataclass(frozen=True)
class SentencePieceTokenizer(SubwordTokenizer):
    """A model of SentencePiece (Kudo and Richardson 2018), unigram or byte pairs, with the library `sentencepiece`.

    Its control symbols and the unknown are never in a text, whatever is written there; user-defined symbols are.
    Bytes, where the model has them, stand for what it does not know. Pieces are decoded one by one, so that a text is
    that of its parts.

    Args:
        model: the bytes of the `.model` file.

    Raises:
        InputError: the bytes are no model; a normaliser is unknown; the library is not installed.
    """

    model: bytes

    kind: ClassVar[str] = "sentencepiece"

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.vocabulary  # refuses pieces that are none
        _ = self._processor  # refuses what else the library does

    @classmethod
    def read(
        cls,
        model: bytes | str | PathLike[str],
        *,
        normalize: Sequence[str] = (),
        normalization: bool = True,
        padding: bool = True,
    ) -> Self:
        """The tokenizer of a `.model` file.

        Args:
            model: the bytes of the file, or its path.
            normalize: names of `NORMALIZERS`, applied in this order to all the tokenizer reads.
            normalization: what the model does to a text first, which `normalization_changes` measures. Without it a
                text is read as it is, though with a space before it where the model has a dummy prefix.
            padding: keep id 0 for who pads, and number the pieces of the model from 1 on.

        Raises:
            InputError: the file cannot be read, or is no model; a normaliser is unknown.
        """
        if not isinstance(model, bytes):
            try:
                model = Path(model).read_bytes()
            except OSError as error:
                raise InputError(f"the SentencePiece model {model} cannot be read ({error.strerror})") from error
        data = model if normalization else without_normalization(model)
        return cls(data, padding=padding, normalizers=tuple(normalize))

    @classmethod
    def train(cls, text: str | Iterable[str], *, normalize: Sequence[str] = ()) -> Self:
        """Refuses: such a tokenizer is read, by `read`.

        Raises:
            InputError: always; the message names what can be trained.
        """
        del text, normalize
        raise InputError("a sentencepiece tokenizer is read from its .model file: to train one, choose kind unigram")

    def normalize(self, text: str) -> str:
        """What comes back of `text` where all its pieces are known."""
        text = self._normalizer(text)
        utf8_of(text)
        normalized = self._processor.normalize(text).replace(SPACE, " ")
        return normalized.removeprefix(" ") if self._begins_with_space else normalized

    def normalization_changes(self, text: str, *, most: int = 10) -> Changes:
        """What the model's normalisation, dummy prefix aside, changes in `text`, with `most` examples."""
        text = self._normalizer(text)
        utf8_of(text)
        normalized, starts = self._normalized(text)
        bounds = sorted({0, *starts, len(text)})
        made = dict.fromkeys(bounds, "")
        for character, start in zip(normalized, starts, strict=False):
            made[start] += character
        pairs = [(text[start:end], made[start]) for start, end in pairwise(bounds)]
        changes = Counter((before, after) for before, after in pairs if before != after)
        frequent = tuple((before, after, count) for (before, after), count in changes.most_common(most))
        return Changes(sum(len(before) * count for (before, _), count in changes.items()), frequent)

    @property
    def unknown_id(self) -> int:
        """The id of what is unknown, which a model with bytes never gives a text."""
        return self.padding + self._roles.index("unknown")

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict from which `from_json` makes an equal tokenizer; the model in base64."""
        return {**self._head(), "model": base64.b64encode(self.model).decode("ascii")}

    @classmethod
    def from_json(cls, tree: object) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: `tree` is not what `to_json` writes.
        """
        fields, common = subword_fields(tree, cls.kind, "model")
        try:
            model = base64.b64decode(fields["model"], validate=True)
        except (TypeError, ValueError, binascii.Error) as error:
            raise InputError(f"the model of a sentencepiece tokenizer in JSON is no base64 ({error})") from error
        return cls(model, **common)

    @property
    def _model_loses(self) -> tuple[str, ...]:
        says = self._says
        base = says.normalization.removesuffix(_FOLDING)
        rules = _RULES.get(base, ("what the model's rules change",)) if says.has_rules else ()
        folding = ("case",) * (says.has_rules and says.normalization.endswith(_FOLDING))
        spaces = ("white space",) * says.removes_spaces
        newlines = ("line ends",) * ("\n" not in self.decode(self._encode("a\nb")))
        unknown = ("unknown symbols",) * ("byte" not in self._roles)
        return (*folding, *rules, *spaces, *newlines, f"the sign {SPACE}", *unknown)

    @property
    def _begins_with_space(self) -> bool:
        return self._says.dummy_prefix

    @cached_property
    def _says(self) -> SentencePieceModel:
        return read_model(self.model)

    @cached_property
    def _roles(self) -> list[str]:
        return [piece.role for piece in self._says.pieces]

    @cached_property
    def _specials(self) -> Container[int]:
        return frozenset(at for at, role in enumerate(self._roles) if role in ("control", "unknown"))

    @cached_property
    def _unlike_names(self) -> Container[int]:
        return frozenset(at for at, role in enumerate(self._roles) if role in ("control", "unknown", "byte"))

    @cached_property
    def _piece_bytes(self) -> Sequence[bytes]:
        return list(map(_decoded, self._says.pieces))

    @cached_property
    def _piece_names(self) -> Sequence[str]:
        return [piece.text for piece in self._says.pieces]

    @cached_property
    def _processor(self) -> Any:
        library = sentencepiece_library()
        library.SetMinLogLevel(3)
        try:
            return library.SentencePieceProcessor(model_proto=self.model)
        except RuntimeError as error:
            raise InputError(f"this is no SentencePiece model ({' '.join(str(error).split())[:200]})") from error

    def _normalized(self, text: str) -> tuple[str, list[int]]:
        """`text` after the model's normalisation, without a dummy prefix, and where each character comes from."""
        normalized, starts = self._processor.normalize(text, with_offsets=True)
        first = int(self._begins_with_space and normalized.startswith(SPACE))
        return normalized[first:].replace(SPACE, " "), starts[first:]

    def encode_texts(self, texts: Iterable[str]) -> list[NDArray[np.int32]]:
        """`encode` of each of `texts`, on all cores.

        Raises:
            UnknownSymbolError: as `encode`.
        """
        found: list[NDArray[np.int32]] = []
        for group in grouped(map(self._normalizer, texts), PART):
            utf8_of("".join(group))
            found += self._processor.encode(group, return_type="numpy")
        return [ids + np.int32(self.padding) for ids in found] if self.padding else found

    def _encode(self, text: str) -> NDArray[np.int32]:
        return self._processor.encode(text, return_type="numpy") + np.int32(self.padding)

    def _encode_with_spans(self, text: str) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        found = self._processor.encode(text, return_type="offset_mapping")
        spans = np.array(found["offsets"], np.int64).reshape(-1, 2)
        # Of several pieces that one character becomes, the library gives the character to the last one alone.
        for at in range(len(spans) - 2, -1, -1):
            if spans[at, 0] == spans[at, 1] == spans[at + 1, 0] and not self._is_prefix(found["pieces"][at], at):
                spans[at, 1] = spans[at + 1, 1]
        return np.array(found["ids"], np.int32) + np.int32(self.padding), spans

    def _is_prefix(self, piece: str, at: int) -> bool:
        return at == 0 and piece == SPACE and self._begins_with_space


def _decoded(piece: Piece) -> bytes:
    """What a piece adds to the text before it."""
    match piece.role:
        case "control":
            return b""
        case "unknown":
            return REPLACEMENT
        case "byte":
            return bytes([int(piece.text[1:-1], 16)])
        case _:
            return piece.text.replace(SPACE, " ").encode()
