"""The same raw texts for every unit: reviews to classify and reviews to predict, as they are and as morphemes."""

import dataclasses
import json
import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Self

from jaxseq.data import read_labelled
from jaxseq.data.records import open_records
from jaxseq.errors import InputError
from jaxseq.storage.atomic import write_atomic
from jaxseq.text.morphemes import Morpheme, tag_texts
from jaxseq.text.tagged import tagged_line

HANGUL_SYLLABLES = range(0xAC00, 0xD7A4)
"""Code points of the block "Hangul Syllables" of Unicode."""
_SHARE = 0.5
"""Of the reviews to predict, the first ones, that are used at all."""
_TEST_SHARE = 0.1
"""Of these, the last ones."""
_COUNTS = "counts.json"


@dataclasses.dataclass(frozen=True)
class Counts:
    """What the text that language models are tested on holds, whatever it is cut into."""

    syllables: int
    """Characters that are Hangul syllables."""
    characters: int
    """Code points in form C, spaces and line ends among them."""
    spacing_bits: float
    """What it takes to say after which morphemes a space stands, by the tags to both sides."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Those in a file."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


@dataclasses.dataclass(frozen=True)
class Texts:
    """A folder of texts: `reviews` for classifiers, tables with the columns document and label; `running` for language
    models, a review a line. Each has the parts train and test, raw and as lines of tagged morphemes."""

    folder: Path

    def reviews(self, part: str, *, tagged: bool) -> Path:
        """A table."""
        return self.folder / ("tagged" if tagged else "raw") / f"ratings_{part}.tsv"

    def running(self, part: str, *, tagged: bool) -> Path:
        """A text."""
        return self.folder / ("tagged" if tagged else "raw") / f"{part}.txt"

    @property
    def counts(self) -> Counts:
        """Of the running text to test on."""
        return Counts.read(self.folder / _COUNTS)


def prepare(folder: Path, *, reviews: str, running: str, tell: Callable[[str], None]) -> Texts:
    """Makes what is missing of the texts in `folder`, which is for these sources alone.

    Args:
        reviews: labelled reviews as in NSMC, what `data.source` takes.
        running: a file of reviews, one a line.
        tell: takes a line before what takes minutes.

    Raises:
        InputError: a source cannot be used, or kiwipiepy is not installed.
    """
    texts = Texts(folder)
    for name in ("raw", "tagged"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if missing := [part for part in ("train", "test") if not texts.reviews(part, tagged=True).exists()]:
        tell("finding the morphemes of the reviews to classify")
        parts = read_labelled(reviews, text_column="document", label_column="label")
        if lacking := [part for part in missing if part not in parts]:
            raise InputError(f"{reviews} has no {lacking[0]} part: give a glob of tables whose names tell it")
        for part in missing:
            _write_reviews(texts, part, list(map(_composed, parts[part].texts)), parts[part].labels)
    if not (folder / _COUNTS).exists():
        tell("finding the morphemes of the reviews to predict")
        lines = [_composed(line) for line in open_records(running)]
        _write_running(texts, lines[: round(_SHARE * len(lines))])
    return texts


def count_syllables(text: str) -> int:
    """How many of the characters of `text`, in form C, are Hangul syllables.

    >>> count_syllables("이 영화 ㅋㅋ 10점!")
    4
    """
    return sum(ord(character) in HANGUL_SYLLABLES for character in text)


def spacing_bits(train: Iterable[Sequence[Morpheme]], test: Iterable[Sequence[Morpheme]]) -> float:
    """Bits in which the spaces of `test` can be written where its morphemes are known: for each two neighbours whether
    one stands between them, by the shares among those of `train` with the same tags, one of each added (Laplace)."""
    seen, asked = _spaces(train), _spaces(test)
    return sum(
        -count * math.log2((seen[place] + 1) / (seen[(*place[:2], True)] + seen[(*place[:2], False)] + 2))
        for place, count in asked.items()
    )


def _spaces(texts: Iterable[Sequence[Morpheme]]) -> Counter[tuple[str, str, bool]]:
    """How often two tags stand beside each other, with a space between them and without."""
    return Counter((a.tag, b.tag, b.start > a.end) for morphemes in texts for a, b in pairwise(morphemes))


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _write_reviews(texts: Texts, part: str, documents: Sequence[str], labels: Sequence[str]) -> None:
    tagged = [tagged_line(m[:2] for m in morphemes) for morphemes in tag_texts(documents)]
    for column, is_tagged in ((documents, False), (tagged, True)):
        rows = [f"{text}\t{label}\n" for text, label in zip(column, labels, strict=True)]
        write_atomic(texts.reviews(part, tagged=is_tagged), "".join(["document\tlabel\n", *rows]))


def _write_running(texts: Texts, lines: Sequence[str]) -> None:
    cut = len(lines) - round(_TEST_SHARE * len(lines))
    parts = {"train": lines[:cut], "test": lines[cut:]}
    found = {part: list(tag_texts(own)) for part, own in parts.items()}
    for part, own in parts.items():
        write_atomic(texts.running(part, tagged=False), "".join(f"{line}\n" for line in own))
        tagged = [tagged_line(m[:2] for m in morphemes) for morphemes in found[part]]
        write_atomic(texts.running(part, tagged=True), "".join(f"{line}\n" for line in tagged))
    text = "".join(f"{line}\n" for line in parts["test"])
    counts = Counts(count_syllables(text), len(text), spacing_bits(found["train"], found["test"]))
    write_atomic(texts.folder / _COUNTS, json.dumps(dataclasses.asdict(counts)))
