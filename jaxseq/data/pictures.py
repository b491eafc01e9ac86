"""One picture from the bytes of its file, through pillow: pip install 'jaxseq[images]'.

Whatever a file holds becomes 8 bits for each of one or three channels, on white where it is transparent, upright as its
EXIF data say; of several frames the first.
"""

import io
import warnings
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.opening import read_bytes
from jaxseq.paths import expanded
from jaxseq.reading import reading, shown

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".avif")
"""What names of pictures end in."""
Size = tuple[int, int]
"""Height and width in pixels."""

# No format whose pictures are programs, as those of PostScript are.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "PPM", "AVIF")
LARGEST = 2**28
"""Bytes in the largest file that is read."""
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_ORIENTATION = 0x0112
# What brings a picture of each orientation back; 1 is upright.
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_TRANSPARENT = ("RGBA", "RGBa", "LA", "La", "PA")


def is_picture(name: str) -> bool:
    """Whether a file of this name is a picture.

    >>> is_picture("a/b.JPG"), is_picture("a.jpg.1")
    (True, False)
    """
    return name.lower().endswith(SUFFIXES)


def read_picture(path: str | Path, *, size: Size | None, channels: int, resize: bool) -> NDArray[np.uint8]:
    """The picture in a file, as `decode_picture`.

    Raises:
        InputError: as there; or the file cannot be read.
    """
    path = expanded(path)
    with reading(path):
        data = read_bytes(path, most=LARGEST)
    return decode_picture(data, place=shown(path), size=size, channels=channels, resize=resize)


def decode_picture(data: bytes, *, place: str, size: Size | None, channels: int, resize: bool) -> NDArray[np.uint8]:
    """The picture in a file's bytes: [h, w, channels].

    Args:
        place: its name in messages.
        size: what it must have, or is brought to; None takes it as it is.
        channels: 3 for colour, or 1 for grey (ITU-R 601 luma).
        resize: bring it to `size`, by bilinear interpolation that averages where it makes smaller (antialiased).

    Raises:
        InputError: it is damaged or cut short, no picture of a known format, of another size where that is not
            changed, or of so many pixels that it must be meant to harm; that is told before they are unpacked. Or
            pillow is missing.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels is {channels}: give 1 or 3")
    image_module = load_pillow()
    try:
        # A warning of a size that may be a bomb counts as one; others tell of what nobody here asks for.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", image_module.DecompressionBombWarning)
            image = _opened(data, image_module)
            image.load()
            image = _upright(image, image_module)
            if size is not None and not resize and image.size != size[::-1]:
                raise InputError(
                    f"picture {place} is {image.height} x {image.width}, others are {size[0]} x {size[1]}: give "
                    "--data.size to resize"
                )
            image = _plain(image, image_module, place)
            if size is not None and image.size != size[::-1]:
                image = image.resize(size[::-1], image_module.Resampling.BILINEAR)
            pixels = np.asarray(_in_mode(image, "RGB" if channels == 3 else "L"))
    except InputError:
        raise
    except (image_module.DecompressionBombWarning, image_module.DecompressionBombError) as error:
        most = image_module.MAX_IMAGE_PIXELS or 0
        raise InputError(
            f"picture {place} has more than {most:,} pixels, and may be meant to harm: make it smaller first"
        ) from error
    except image_module.UnidentifiedImageError as error:
        what = "is empty" if not data else "is no picture of a format that is read, or damaged"
        raise InputError(f"picture {place} {what}: save it as PNG or JPEG, or leave it out") from error
    except Exception as error:  # each of pillow's readers raises its own on damage, plain ones among them
        raise InputError(
            f"picture {place} is damaged ({shown(error) or type(error).__name__}): fetch it again, or leave it out"
        ) from error
    return pixels if channels == 3 else pixels[:, :, None]


def load_pillow() -> ModuleType:
    """`PIL.Image`.

    Raises:
        InputError: pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError("pictures need the package pillow: pip install 'jaxseq[images]'") from error
    return Image


def _opened(data: bytes, image_module: Any) -> Any:
    """What the header says; pixels are not unpacked yet."""
    image_module.init()
    formats = [name for name in _FORMATS if name in image_module.OPEN]
    image = image_module.open(io.BytesIO(data), formats=formats)
    if image.format == "PNG":
        _require_png_sums(data)
    return image


def _require_png_sums(data: bytes) -> None:
    """The sums of a PNG file's parts, to its end: pillow passes over those of the pixels."""
    at, kind = 8, b""
    while kind != b"IEND":
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        sum_at = at + 8 + size
        if data[sum_at : sum_at + 4] != zlib.crc32(data[at + 4 : sum_at]).to_bytes(4):
            raise ValueError("a sum differs" if sum_at + 4 <= len(data) else "it ends too early")
        at = sum_at + 4


def _upright(image: Any, image_module: Any) -> Any:
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION))
    except Exception:  # data that cannot be read say nothing, the pixels are whole
        return image
    return image if turn is None else image.transpose(image_module.Transpose[turn])


def _plain(image: Any, image_module: Any, place: str) -> Any:
    """Of 8 bits a channel, grey or in colour, what is transparent on white."""
    if image.mode in _SIXTEEN_BITS:
        values = np.asarray(image)
        if values.min(initial=0) < 0 or values.max(initial=0) >= 2**16:
            raise InputError(f"picture {place} has more than 16 bits a channel: save it with 8")
        return image_module.fromarray((values >> 8).astype(np.uint8))  # what pillow does to colours of 16 bits
    if image.mode == "F":
        raise InputError(f"picture {place} has fractions for pixels: save it with 8 bits a channel")
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        image = image.convert("RGBA")
        image = image_module.alpha_composite(image_module.new("RGBA", image.size, "white"), image)
    return _in_mode(image, "L" if image.mode in ("1", "L") else "RGB")


def _in_mode(image: Any, mode: str) -> Any:
    return image if image.mode == mode else image.convert(mode)
