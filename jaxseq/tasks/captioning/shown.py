"""What a run ends with: how good its captions are, some of them, and where the words of one looked."""

from collections.abc import Mapping, Sequence

from jaxseq.reporting.caption_pictures import MOST_WORDS, caption_picture
from jaxseq.reporting.captions import Example, PartScores, report
from jaxseq.signals import Poll, never
from jaxseq.tasks.capabilities import CaptionOptions
from jaxseq.tasks.captioning.caption_parts import CaptionPart
from jaxseq.tasks.captioning.picture_captioner import PictureCaptioner
from jaxseq.tasks.captioning.written import Written, attention_of, write_captions
from jaxseq.tasks.described import Picture
from jaxseq.tasks.looked import looked_in
from jaxseq.tasks.task import Variables


def report_of(
    captioner: PictureCaptioner, variables: Variables, parts: Mapping[str, CaptionPart], *, by: str, poll: Poll = never
) -> tuple[bytes, Picture | None]:
    """A report on the captions of the parts of a split, and of its examples the first picture whose caption has a word,
    if there is one."""
    scores: dict[str, PartScores] = {}
    examples: list[Example] = []
    first = None
    for name, part in parts.items():
        written = write_captions(captioner, variables, part, captioner.beam(), poll=poll)
        scores[name] = _scored(captioner, variables, part, written, poll)
        if not examples:
            names, pixels = part.captioned.names, part.captioned.pictures
            examples = written.examples(names, _spread(range(len(names)), captioner.section.examples))
            filled = [names.index(example.picture) for example in examples if example.made.strip()]
            first = Picture(names[filled[0]], pixels[filled[0]]) if filled else None
    return report(scores, examples, by=by).encode(), first


def drawing_of(
    captioner: PictureCaptioner, variables: Variables, picture: Picture, *, name: str, poll: Poll = never
) -> bytes | None:
    """Where the words of its captions looked, as a PNG; None where the model looks at nothing, or there is no room.

    name: of the PNG, for messages.
    """
    (made,) = captioner.caption(variables, [picture], options=CaptionOptions(attention=True), poll=poll)
    looked = [one for one in looked_in(made) if len(one.words) <= MOST_WORDS]
    return caption_picture(picture.pixels, looked, name=name) if looked else None


def _scored(
    captioner: PictureCaptioner, variables: Variables, part: CaptionPart, written: Written, poll: Poll
) -> PartScores:
    scores, pictures = written.scores(captioner.section), len(part.captioned.names)
    more = [
        f"{count:,} distinct captions{f' in {language}' if language else ''} of {pictures:,} pictures; "
        f"their references have {there:,}"
        for language, (count, there) in scores.distinct.items()
    ]
    if len(scores.by_language) > 1:
        more.append(f"every caption exact: {scores.right:.2f} % of pictures")
    if attention := attention_of(captioner, variables, part, written, poll=poll):
        more.append(
            f"while a digit is named {attention.mass:.2f} % of the attention lies on it, and the largest weight for "
            f"{attention.hits:.2f} % of numerals"
        )
    return PartScores(scores.by_language, more)


def _spread(numbers: Sequence[int], count: int) -> list[int]:
    """`count` of them, evenly from all over."""
    step = max(1, len(numbers) // count) if count else 1
    return list(numbers[::step][:count])
