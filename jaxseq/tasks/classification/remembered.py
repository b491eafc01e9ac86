"""What a classifier remembers beside its variables: the small files of every checkpoint."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from jaxseq.config import ClassificationConfig, LabelledConfig
from jaxseq.errors import InputError
from jaxseq.text.delimiting import AnyTokenizer, any_tokenizer_from_text, delimiters_of

TOKENIZER, CLASSES, ENCODER = "tokenizer.json", "classes.json", "encoder.json"


class Remembered(NamedTuple):
    """All of it."""

    tokenizer: AnyTokenizer
    classes: tuple[str, ...]
    """The label of each class id."""
    checksum: str = ""
    """Of a frozen encoder."""

    def artifacts(self) -> dict[str, bytes]:
        """The files by name."""
        trees: dict[str, Any] = {TOKENIZER: self.tokenizer.to_json(), CLASSES: list(self.classes)}
        if self.checksum:
            trees[ENCODER] = {"checksum": self.checksum}
        return {name: (json.dumps(tree, ensure_ascii=False) + "\n").encode() for name, tree in trees.items()}

    @classmethod
    def of(cls, artifacts: Mapping[str, bytes], task: ClassificationConfig, data: LabelledConfig) -> Self:
        """Inverse of `artifacts`, for an experiment with these sections.

        Raises:
            InputError: a file is missing or cannot be read.
        """
        for name in (TOKENIZER, CLASSES, *[ENCODER] * task.freeze_weights):
            if name not in artifacts:
                raise InputError(f"there is no {name}")
        tokenizer = any_tokenizer_from_text(artifacts[TOKENIZER])
        if data.delimit and delimiters_of(tokenizer) is None:
            raise InputError(f"{TOKENIZER} has no [CLS] and [SEP]")
        checksum = _checksum(artifacts[ENCODER]) if task.freeze_weights else ""
        return cls(tokenizer, _classes(artifacts[CLASSES]), checksum)


def _classes(content: bytes) -> tuple[str, ...]:
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{CLASSES} is no JSON ({error})") from error
    if not isinstance(tree, list) or not all(isinstance(name, str) for name in tree) or len(set(tree)) < 2:
        raise InputError(f"{CLASSES} must hold a list of two labels or more")
    if len(set(tree)) < len(tree):
        raise InputError(f"{CLASSES} has a label twice")
    return tuple(tree)


def _checksum(content: bytes) -> str:
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{ENCODER} is no JSON ({error})") from error
    if not isinstance(tree, dict) or not isinstance(tree.get("checksum"), str):
        raise InputError(f"{ENCODER} must hold the checksum of an encoder")
    return tree["checksum"]
