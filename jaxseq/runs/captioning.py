"""What a trained model says of pictures."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from jaxseq.data.archives import TARS
from jaxseq.data.picture_files import find_pictures
from jaxseq.data.pictures import decode_picture, is_picture, read_picture
from jaxseq.errors import InputError
from jaxseq.paths import expanded
from jaxseq.reading import shown
from jaxseq.reporting.caption_pictures import caption_picture, is_caption_picture
from jaxseq.runs.drawing import require_place
from jaxseq.runs.prediction import run_that
from jaxseq.signals import Poll, never
from jaxseq.storage.atomic import write_atomic
from jaxseq.tasks.capabilities import CaptionOptions, Captions
from jaxseq.tasks.described import Described, Picture, PictureSize
from jaxseq.tasks.looked import looked_in

_PATTERN = "*?["


def caption_run(
    run_dir: Path,
    sources: Sequence[str],
    *,
    options: CaptionOptions | None = None,
    checkpoint: Literal["best", "newest"] = "best",
    poll: Poll = never,
) -> Iterator[Described]:
    """What the model of a run says of each picture, in order.

    Args:
        sources: files, patterns for several, or folders and archives with all their pictures.
        options: by default those of the run's configuration.

    Raises:
        InputError: the run or a picture cannot be read, its task captions none, or `options` do not fit it.
    """
    task, variables = run_that(Captions, run_dir, checkpoint=checkpoint)
    pictures = read_pictures(sources, task.picture_size, poll=poll)
    return task.caption(variables, pictures, options=options or CaptionOptions(), poll=poll)


def read_pictures(sources: Iterable[str], size: PictureSize, *, poll: Poll = never) -> Iterator[Picture]:
    """The pictures of files, patterns, folders and archives, one after the other, each as `size` has it.

    Raises:
        InputError: one cannot be read, or is of another size where that is not changed.
    """
    form = (size.height, size.width) if size.resize else None
    options = {"size": form, "channels": size.channels, "resize": size.resize}
    for source in sources:
        for name in _matching(source):
            poll()
            if _is_one_picture(name):
                yield _checked(Picture(name, read_picture(name, **options)), size)
                continue
            files = find_pictures(name, option="PICTURE", poll=poll)
            for parts, place, data in files.contents(files.pictures, poll):
                pixels = decode_picture(data, place=place, **options)
                yield _checked(Picture("/".join((name, *parts)), pixels), size)


def require_attention_place(picture: Path) -> None:
    """Refuses a place where something else is than an earlier picture of words and where they looked.

    Raises:
        InputError: there is.
    """
    require_place(picture, is_caption_picture, command="caption", option="--attention")


def draw_attention(made: Described, picture: Path) -> None:
    """Draws where each word of the best captions looked, as a PNG at `picture`.

    Raises:
        InputError: no caption has a word, the model has no attention, or it cannot be drawn or written.
    """
    require_attention_place(picture)
    looked = looked_in(made)
    if not looked:
        texts = [captions[0].text for captions in made.captions.values() if captions]
        if any(text.strip() for text in texts):
            raise InputError(f"{picture} cannot be drawn, for the model has no attention: leave --attention out")
        raise InputError(f"{picture} would show nothing, for no caption has a word: train the model longer")
    write_atomic(picture, caption_picture(made.picture.pixels, looked, name=picture.name))


def _matching(source: str) -> list[str]:
    """The files that a pattern stands for; a name stands for itself, and so does what lies in an archive."""
    path = expanded(source)
    if not any(char in source for char in _PATTERN) or path.is_file() or _is_in_a_file(path):
        return [source]
    found = sorted(name for name in glob.glob(str(path), recursive=True) if is_picture(name))
    if not found:
        raise InputError(f"{shown(source)} matches no picture (.png, .jpg ...): check the pattern")
    return found


def _is_one_picture(source: str) -> bool:
    """Whether it is one, or would be if it were there."""
    path = expanded(source)
    if path.is_dir() or _is_in_a_file(path):
        return False
    return is_picture(source) or (path.is_file() and not source.lower().endswith((*TARS, ".zip")))


def _is_in_a_file(path: Path) -> bool:
    return any(each.is_file() for each in path.parents)


def _checked(picture: Picture, size: PictureSize) -> Picture:
    height, width, _ = picture.pixels.shape
    if (height, width) != (size.height, size.width):
        raise InputError(
            f"picture {shown(picture.name)} is {height} x {width}, and the run learned from {size.height} x "
            f"{size.width} as they are: give one of that size"
        )
    return picture
