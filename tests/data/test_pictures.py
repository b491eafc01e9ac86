"""Pictures from the bytes of their files: what a PNG written here holds, PyTorch's resizing, one line on damage."""

import builtins
import io
import random
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from jaxseq.data import decode_picture, pictures, read_picture
from jaxseq.errors import InputError

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (20, 31, 3), np.uint8)


def png_of(array, *, palette=None, transparency=None):
    """The bytes of a PNG file, put together here: [h, w] grey or indices, [h, w, c]; uint8 or uint16."""
    array = array if array.ndim == 3 else array[..., None]
    height, width, channels = array.shape
    kind = 3 if palette is not None else {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in array)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * array.dtype.itemsize, kind, 0, 0, 0))]
    chunks += [(b"PLTE", palette.astype(np.uint8).tobytes())] if palette is not None else []
    chunks += [(b"tRNS", transparency)] if transparency is not None else []
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def saved(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def decode(data, *, size=None, channels=3, resize=False):
    picture = decode_picture(data, place="a.zip/x.png", size=size, channels=channels, resize=resize)
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == channels
    return picture


def refusal(data, **options):
    with pytest.raises(InputError) as caught:
        decode(data, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("picture a.zip/x.png ")
    return str(caught.value).removeprefix("picture a.zip/x.png ")


def line_or_picture(data):
    """The picture that is read of bytes which may be damaged, or what is told of them."""
    try:
        return decode(data)
    except InputError as error:
        return str(error)


def on_white(colours, alpha):
    part = alpha[..., None] / 255
    return colours * part + 255 * (1 - part)


def luma(colours):
    return colours.astype(float) @ [0.299, 0.587, 0.114]  # ITU-R 601


def test_colours_and_grey_come_as_they_are():
    np.testing.assert_array_equal(decode(png_of(COLOURS)), COLOURS)
    grey = COLOURS[..., 0]
    np.testing.assert_array_equal(decode(png_of(grey), channels=1)[..., 0], grey)
    np.testing.assert_array_equal(decode(png_of(grey)), np.repeat(grey[..., None], 3, axis=2))
    np.testing.assert_allclose(decode(png_of(COLOURS), channels=1)[..., 0], luma(COLOURS), atol=1)


def test_what_is_transparent_lies_on_white():
    alpha = RNG.integers(0, 256, COLOURS.shape[:2], np.uint8)
    alpha[:5], alpha[5:9] = 0, 255
    data = png_of(np.dstack([COLOURS, alpha]))
    np.testing.assert_allclose(decode(data), on_white(COLOURS, alpha), atol=1)
    np.testing.assert_allclose(decode(data, channels=1)[..., 0], luma(on_white(COLOURS, alpha)), atol=1.5)
    assert (decode(data)[:5] == 255).all()
    grey = COLOURS[..., :1]
    np.testing.assert_allclose(
        decode(png_of(np.dstack([grey, alpha]))), on_white(np.repeat(grey, 3, axis=2), alpha), atol=1
    )
    one = png_of(COLOURS, transparency=struct.pack(">HHH", *map(int, COLOURS[3, 4])))
    assert decode(one)[3, 4].tolist() == [255, 255, 255]
    np.testing.assert_array_equal(decode(one)[3, 5:], COLOURS[3, 5:])


def test_a_palette_is_looked_up_with_its_transparency():
    palette, places = RNG.integers(0, 256, (9, 3), np.uint8), RNG.integers(0, 9, (7, 5), np.uint8)
    np.testing.assert_array_equal(decode(png_of(places, palette=palette)), palette[places])
    alpha = np.array([0, 100, 255, 0, 50, 255, 255, 255, 255], np.uint8)
    data = png_of(places, palette=palette, transparency=alpha[:5].tobytes())
    np.testing.assert_allclose(decode(data), on_white(palette[places], alpha[places]), atol=1)


def test_of_16_bits_the_high_8_are_read():
    deep = RNG.integers(0, 2**16, (6, 4), np.uint16)
    np.testing.assert_array_equal(decode(png_of(deep), channels=1)[..., 0], deep >> 8)
    colours = RNG.integers(0, 2**16, (6, 4, 3), np.uint16)
    np.testing.assert_array_equal(decode(png_of(colours)), colours >> 8)
    tiff = saved(Image.fromarray(deep), "TIFF")
    np.testing.assert_array_equal(decode(tiff, channels=1)[..., 0], deep >> 8)
    assert "has more than 16 bits a channel" in refusal(saved(Image.fromarray(deep.astype(np.int32) * 9), "TIFF"))
    assert "has fractions for pixels" in refusal(saved(Image.fromarray(deep.astype(np.float32)), "TIFF"))


def test_printing_colours_become_those_of_screens():
    cyan = np.zeros((8, 8, 4), np.uint8)
    cyan[..., 0] = 255
    bands = [Image.fromarray(cyan[..., at]) for at in range(4)]
    data = saved(Image.merge("CMYK", bands), "TIFF")
    np.testing.assert_array_equal(decode(data), np.broadcast_to([0, 255, 255], (8, 8, 3)))


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda x: x),
        (2, np.fliplr),
        (3, lambda x: np.rot90(x, 2)),
        (4, np.flipud),
        (5, lambda x: np.swapaxes(x, 0, 1)),
        (6, lambda x: np.rot90(x, -1)),
        (7, lambda x: np.rot90(np.swapaxes(x, 0, 1), 2)),
        (8, lambda x: np.rot90(x, 1)),
    ],
)
def test_a_picture_stands_upright_as_its_exif_data_say(orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("PNG", "WEBP"):
        data = saved(Image.fromarray(COLOURS), kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
        np.testing.assert_array_equal(decode(data), turn(COLOURS))
    upright = turn(COLOURS).shape[:2]
    assert decode(data, size=upright).shape[:2] == upright  # the size is that of the picture as it is seen


@pytest.mark.parametrize("exif", [b"Exif\0\0no TIFF", b"Exif\0\0MM\0*", b"Exif\0\0MM\0*\0\0\0\x08\0\x09"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_data_that_cannot_be_read_say_nothing(kind, exif):
    plain = decode(saved(Image.fromarray(COLOURS), kind))
    np.testing.assert_array_equal(decode(saved(Image.fromarray(COLOURS), kind, exif=exif)), plain)


def test_exif_data_of_which_another_part_is_damaged_still_turn_the_picture():
    # An orientation of 6 behind a width that is a text.
    fields = [(0x0100, 2, 6, 38), (0x0112, 3, 1, 6 << 16)]
    entries = b"".join(struct.pack(">HHII", *field) for field in fields)
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 2) + entries + b"\0\0\0\0maker\0"
    data = saved(Image.fromarray(COLOURS), "PNG", exif=exif)
    np.testing.assert_array_equal(decode(data), np.rot90(COLOURS, -1))


def test_of_several_frames_the_first_is_read():
    frames = [Image.fromarray(np.full((6, 5, 3), value, np.uint8)) for value in (10, 200)]
    for kind in ("GIF", "WEBP", "PNG"):
        data = saved(
            frames[0], kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {})
        )
        np.testing.assert_allclose(decode(data), 10, atol=1)


@pytest.mark.parametrize("size", [(7, 9), (40, 62), (20, 10), (5, 64), (1, 1)])
def test_resizing_is_the_bilinear_one_of_pytorch_antialiased(size):
    found = decode(png_of(COLOURS), size=size, resize=True)
    x = torch.tensor(COLOURS).permute(2, 0, 1)[None].double()
    wanted = torch.nn.functional.interpolate(x, size, mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(found, wanted, atol=1.01)


def test_another_size_is_refused_unless_it_is_to_be_changed():
    data = png_of(np.zeros((40, 32, 3), np.uint8))
    assert refusal(data, size=(32, 32)) == "is 40 x 32, others are 32 x 32: give --data.size to resize"
    assert decode(data, size=(40, 32)).shape == (40, 32, 3)
    assert decode(data, size=(32, 32), resize=True).shape == (32, 32, 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_a_picture_cut_short_is_refused_wherever_it_ends(kind):
    data = saved(Image.fromarray(COLOURS), kind)
    whole = decode(data)
    for end in [*range(1, len(data) - 3, 7), len(data) - 2]:
        found = line_or_picture(data[:end])
        if isinstance(found, str):
            assert "\n" not in found
            assert found.startswith("picture a.zip/x.png is ")
        else:  # what fills the last row up (BMP) or says that no frame follows (GIF)
            assert kind in ("BMP", "GIF")
            assert end > len(data) - 4
            np.testing.assert_array_equal(found, whole)
    assert refusal(b"") == "is empty: save it as PNG or JPEG, or leave it out"


def test_a_bit_that_has_changed_in_a_png_is_seen_wherever_it_is():
    data = bytearray(png_of(COLOURS))
    rng = random.Random(0)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << rng.randrange(8)
        refusal(bytes(changed))


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_damage_at_any_byte_is_a_picture_or_one_line(kind):
    data = bytearray(saved(Image.fromarray(COLOURS), kind))
    rng = random.Random(1)
    for at in range(0, len(data), 3):
        changed = bytearray(data)
        changed[at] = rng.randrange(256)
        found = line_or_picture(bytes(changed))
        assert not isinstance(found, str) or "\n" not in found


def test_so_many_pixels_that_they_must_be_meant_to_harm_are_not_unpacked():
    for side in (12_000, 40_000, 2**30):  # in pillow a warning, an error, and more than there is memory for
        data = bytearray(png_of(np.zeros((1, 1), np.uint8)))
        data[16:24] = struct.pack(">II", side, side)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
        tracemalloc.start()
        message = refusal(bytes(data))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert "has more than 89,478,485 pixels, and may be meant to harm: make it smaller first" in message
        assert peak < 5_000_000


def test_a_text_that_unpacks_to_megabytes_is_refused():
    data = png_of(COLOURS)
    text = b"Comment\0\0" + zlib.compress(bytes(20_000_000), 1)
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    assert "is damaged" in refusal(data[:33] + chunk + data[33:])


@pytest.mark.parametrize(
    "data", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"plain text", b"<svg/>", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_picture_or_a_program_that_draws_one_is_refused(data):
    assert "is no picture of a format that is read, or damaged: save it as PNG or JPEG" in refusal(data)


def test_a_file_is_read_and_named(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png_of(COLOURS))
    options = {"size": None, "channels": 3, "resize": False}
    np.testing.assert_array_equal(read_picture(path, **options), COLOURS)
    path.write_bytes(b"no")
    with pytest.raises(InputError, match=r"picture .*a\.png is no picture of a format that is read"):
        read_picture(path, **options)
    with pytest.raises(InputError, match=r"nowhere\.png cannot be read \(No such file or directory\)"):
        read_picture(tmp_path / "nowhere.png", **options)


def test_without_pillow_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("PIL"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pictures need the package pillow: pip install 'jaxseq\[images\]'"):
        pictures.load_pillow()
