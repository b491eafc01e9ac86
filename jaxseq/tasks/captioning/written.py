"""What a model writes about all pictures of a part of a split, and where it looks at made scenes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.config import CaptioningConfig
from jaxseq.decoding.beam import Beam
from jaxseq.reporting.captions import Example
from jaxseq.signals import Poll, never
from jaxseq.tasks.captioning.caption_parts import CaptionPart
from jaxseq.tasks.captioning.caption_scores import Asked, CaptionScores, asked_of, caption_scores
from jaxseq.tasks.captioning.picture_captioner import PictureCaptioner
from jaxseq.tasks.captioning.scene_attention import SceneAttention, measure_attention
from jaxseq.tasks.task import Variables


class Written(NamedTuple):
    """The captions of a part."""

    asked: list[Asked]
    ids: list[NDArray[np.int32]]
    """Of each caption, its end included."""
    texts: list[str]

    def scores(self, section: CaptioningConfig) -> CaptionScores:
        """How good they are."""
        return caption_scores(self.asked, self.texts, tokenize=section.tokenize, lowercase=section.lowercase)

    def examples(self, names: Sequence[str], pictures: Sequence[int]) -> list[Example]:
        """The captions of some pictures, by their numbers."""
        return [
            Example(names[one.picture], one.language, text, one.references)
            for one, text in zip(self.asked, self.texts, strict=True)
            if one.picture in pictures
        ]


def write_captions(
    captioner: PictureCaptioner, variables: Variables, part: CaptionPart, beam: Beam, *, poll: Poll = never
) -> Written:
    """A caption of each picture in each language that it has one in, from the picture and the language alone."""
    asked = asked_of(part.captioned)
    ids = captioner.best(variables, *_sources(part, asked), beam, poll=poll)
    return Written(asked, ids, [captioner.tokenizer.decode(each) for each in ids])


def attention_of(
    captioner: PictureCaptioner, variables: Variables, part: CaptionPart, written: Written, *, poll: Poll = never
) -> SceneAttention | None:
    """Where words looked while they were written; None where pictures are no scenes, or the model looks at nothing."""
    if part.scenes is None:
        return None
    maps = captioner.attention(variables, *_sources(part, written.asked), written.ids, poll=poll)
    if maps is None:
        return None
    looked = [captioner.by_word(*each) for each in zip(written.ids, maps, strict=True)]
    grid = captioner.model.encoder.grid(*part.captioned.pictures.shape[1:3])
    return measure_attention(part.scenes, written.asked, written.texts, looked, grid)


def _sources(part: CaptionPart, asked: Sequence[Asked]) -> tuple[NDArray[np.uint8], list[str]]:
    """A picture and a language for each caption."""
    return part.captioned.pictures[[one.picture for one in asked]], [one.language for one in asked]
