"""What is kept of the texts that have a trained vector: how each begins, and its label."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from jaxseq.data.labelled import Labelled, class_ids, find_classes
from jaxseq.errors import InputError

TEXTS = "texts.json"
"""The artifact that holds it."""


@dataclass(frozen=True)
class TrainedTexts:
    """The texts of the training split, in its order: text i has row i of their table."""

    begins: tuple[str, ...]
    """How each begins."""
    labels: tuple[str, ...] | None = None
    """None where the data have none."""

    def __post_init__(self) -> None:
        assert self.labels is None or len(self.labels) == len(self.begins)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The distinct labels, in the order of class ids; none where there are no labels.

        Raises:
            InputError: there is only one.
        """
        return () if self.labels is None else find_classes(self.labels)

    def class_ids(self) -> np.ndarray:
        """Of each text [n] int32; of none where there are no labels."""
        return class_ids(Labelled(list(self.begins), list(self.labels or ())), self.classes, part="train")

    def to_json(self) -> bytes:
        """A JSON object in UTF-8."""
        tree = {"begins": self.begins, "labels": self.labels}
        return (json.dumps(tree, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: `content` is not what it writes.
        """
        try:
            tree = json.loads(content.decode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{TEXTS} is no JSON: it was changed by hand") from error
        if not isinstance(tree, dict) or tree.keys() != {"begins", "labels"} or not _are_texts(tree["begins"]):
            raise InputError(f"{TEXTS} is no object of texts and labels: it was changed by hand")
        begins, labels = tree["begins"], tree["labels"]
        if labels is not None and not (_are_texts(labels) and len(labels) == len(begins)):
            raise InputError(f"{TEXTS} has no label for each of {len(begins):,} texts: it was changed by hand")
        return cls(tuple(begins), None if labels is None else tuple(labels))


def _are_texts(tree: object) -> bool:
    return isinstance(tree, list) and len(tree) > 0 and all(isinstance(each, str) for each in tree)
