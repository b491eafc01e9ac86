"""From what a model says of a picture to what is drawn of it."""

from jaxseq.reporting.caption_pictures import Looked
from jaxseq.tasks.described import Described


def looked_in(made: Described) -> list[Looked]:
    """The best caption in each language, and where its words looked; without those that have no word or looked at
    nothing."""
    best = [(language, captions[0]) for language, captions in made.captions.items() if captions]
    return [
        Looked(one.text.split(), one.attention, made.side, f"{language}: {one.text}" if language else one.text)
        for language, one in best
        if one.attention is not None and one.text.strip()
    ]
