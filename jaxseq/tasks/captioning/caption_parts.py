"""From the data section of a configuration to captioned pictures, split by split."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from jaxseq.config import CaptionedConfig, CaptionsConfig, DigitScenesConfig
from jaxseq.data.caption_splits import captions_fingerprint, split_captioned, split_combinations
from jaxseq.data.captions import Captioned, read_captions
from jaxseq.data.digit_scenes import Scenes, captioned_scenes, make_scene_splits
from jaxseq.data.digits import read_digits
from jaxseq.data.pictures import Size
from jaxseq.errors import ConfigError, InputError

TEST = "test"


class CaptionPart(NamedTuple):
    """Captioned pictures of a split, or of a part of it that is measured by itself."""

    captioned: Captioned
    scenes: Scenes | None = None
    """The same, where they are made scenes: what is known of them."""


SplitParts = Mapping[str, Mapping[str, CaptionPart]]
"""By split, and there by the name of what is measured by itself."""


def read_parts(
    data: CaptionedConfig, *, seed: int, poll: Callable[[], None], tell: Callable[[str], None] = lambda line: None
) -> SplitParts:
    """The pictures of all splits that there are, all of one size.

    Args:
        tell: takes a line on what was left out of a source.

    Raises:
        InputError: a source cannot be used, or pictures of two are of different sizes.
    """
    if isinstance(data, DigitScenesConfig):
        return _scenes(data, seed)
    assert isinstance(data, CaptionsConfig)
    if not data.source:
        raise ConfigError("data.source is empty: give pictures, a folder or an archive")
    own = _read(data, "", poll, tell)
    if data.combinations:
        named = split_combinations(own, data.split, language=data.combinations)
        parts = {
            split: {name: CaptionPart(captioned) for name, captioned in some.items()} for split, some in named.items()
        }
    else:
        parts = {split: {split: CaptionPart(some)} for split, some in split_captioned(own, data.split).items()}
    for split in ("validation", TEST):
        if getattr(data, f"{split}_source"):
            captioned = _read(data, f"{split}_", poll, tell)
            if captioned.pictures.shape[1:] != own.pictures.shape[1:]:
                sizes = [" x ".join(map(str, each.pictures.shape[1:3])) for each in (captioned, own)]
                raise InputError(
                    f"data.{split}_source has pictures of {sizes[0]} and data.source of {sizes[1]}: give --data.size "
                    "to resize"
                )
            parts[split] = {split: CaptionPart(captioned)}
    return parts


def languages_of(data: CaptionedConfig, parts: SplitParts) -> tuple[str, ...]:
    """The languages of the captions to train on: as the section has them, or as they come."""
    there = dict.fromkeys(
        language for captions in parts["train"]["train"].captioned.captions for language, _ in captions
    )
    return tuple(language for language in data.languages if language in there) or tuple(there)


def fingerprint(parts: SplitParts) -> str:
    """Changes when a picture or a caption does that is trained on or validated with: the test split may come and go."""
    return captions_fingerprint({split: some[split].captioned for split, some in parts.items() if split != TEST})


def _read(data: CaptionsConfig, prefix: str, poll: Callable[[], None], tell: Callable[[str], None]) -> Captioned:
    captioned = read_captions(
        getattr(data, f"{prefix}source"),
        captions=getattr(data, f"{prefix}captions"),
        picture_column=data.picture_column,
        caption_columns=data.languages,
        size=size_of(data),
        channels=data.channels,
        encoding=data.encoding,
        option=f"--data.{prefix.replace('_', '-')}",
        poll=poll,
    )
    if captioned.remark:
        tell(captioned.remark)
    return captioned


def size_of(data: CaptionedConfig) -> Size | None:
    """What pictures are brought to; None where they are taken as they are."""
    return data.size if any(data.size) and not isinstance(data, DigitScenesConfig) else None


def _scenes(data: DigitScenesConfig, seed: int) -> SplitParts:
    made = make_scene_splits(
        read_digits(data.source),
        examples=data.examples,
        held_out=data.held_out,
        seed=seed,
        per_scene=data.digits,
        size=data.size,
        languages=data.languages,
    )
    return {name: {name: CaptionPart(captioned_scenes(scenes, name), scenes)} for name, scenes in made.items()}
