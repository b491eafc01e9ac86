"""Pictures with their captions from folders and archives: what lies in them, in the order of the table, or one line."""

import gzip
import io
import json
import tarfile
import tracemalloc
import unicodedata
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from test_pictures import png_of

from jaxseq.data import archives, read_captions
from jaxseq.errors import InputError

TABLE = "image\tenglish\tkorean\nb.png\ta sun\t해\na.png\ta moon\t달\nb.png\tthe sun\t그 해\n"
BOTH = ("english", "korean")


def square(value, *, side=6):
    return np.full((side, side, 3), value, np.uint8)


FILES = {"a.png": png_of(square(1)), "b.png": png_of(square(2)), "captions.tsv": TABLE.encode()}


def in_zip(path, files):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there twice
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items() if isinstance(files, dict) else files:
                archive.writestr(name, data)
    return str(path)


def in_tar(path, files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items() if isinstance(files, dict) else files:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    path.write_bytes(gzip.compress(out.getvalue()) if path.suffix == ".gz" else out.getvalue())
    return str(path)


def in_folder(path, files):
    for name, data in files.items() if isinstance(files, dict) else files:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return str(path)


PACK = {"folder": in_folder, "a.zip": in_zip, "a.tar": in_tar, "a.tar.gz": in_tar}
packed = pytest.mark.parametrize("kind", PACK)


def refusal(source, **options):
    with pytest.raises(InputError) as caught:
        read_captions(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@packed
@pytest.mark.parametrize("above", ["", "pictures/of/things/"])
def test_pictures_come_in_the_order_of_their_table_each_once(tmp_path, kind, above):
    source = PACK[kind](tmp_path / kind, {f"{above}{name}": data for name, data in FILES.items()})
    found = read_captions(source, caption_columns=BOTH)
    assert found.names == ["b.png", "a.png"]
    assert found.captions == [
        [("english", "a sun"), ("korean", "해"), ("english", "the sun"), ("korean", "그 해")],
        [("english", "a moon"), ("korean", "달")],
    ]
    np.testing.assert_array_equal(found.pictures, [square(2), square(1)])
    assert found.pictures.dtype == np.uint8
    assert found.remark == ""
    grey = read_captions(source, caption_columns=BOTH[:1], size=(3, 5), channels=1)
    np.testing.assert_array_equal(grey.pictures, [np.full((3, 5, 1), value) for value in (2, 1)])


@packed
def test_a_table_apart_may_name_a_part_of_the_pictures(tmp_path, kind):
    source = PACK[kind](tmp_path / kind, {**FILES, "c/d.png": png_of(square(3)), "readme.txt": b"x"})
    apart = tmp_path / "some.csv"
    apart.write_text("image,caption\nc/d.png,three\na.png,one\n")
    found = read_captions(source, captions=str(apart))
    assert found.names == ["c/d.png", "a.png"]
    assert found.captions == [[("", "three")], [("", "one")]]
    assert found.pictures[:, 0, 0, 0].tolist() == [3, 1]
    left = f"1 of 3 pictures in {source} have no caption in {apart} and are left out, the first one b.png"
    assert found.remark == left


def test_a_table_may_lie_in_an_archive_of_its_own_or_be_several(tmp_path):
    source = in_zip(tmp_path / "pictures.zip", {name: FILES[name] for name in ("a.png", "b.png")})
    token = "a.png#0\tone\na.png#1\tuno\nb.png#0\ttwo\n9.jpg.1#0\tnothing\n"
    texts = in_zip(tmp_path / "texts.zip", {"x/Flickr8k.token.txt": token, "x/other.txt": "a.png\n"})
    found = read_captions(source, captions=f"{texts}/*/Flickr8k.token.txt")
    assert found.captions == [[("", "one"), ("", "uno")], [("", "two")]]
    assert found.remark.startswith("1 captions are of 9.jpg.1 or others that are no pictures by their names")
    for number, name in enumerate(("a.png", "b.png")):
        (tmp_path / f"part{number}.tsv").write_text(f"image\tcaption\n{name}\tnumber {number}\n")
    found = read_captions(source, captions=str(tmp_path / "part*.tsv"))
    assert found.captions == [[("", "number 0")], [("", "number 1")]]


def test_cocos_pictures_lie_in_a_folder_of_their_archive(tmp_path):
    source = in_zip(tmp_path / "val2017.zip", {"val2017/1.png": png_of(square(9)), "val2017/2.png": png_of(square(8))})
    coco = {
        "images": [{"id": 5, "file_name": "2.png"}, {"id": 4, "file_name": "1.png"}],
        "annotations": [{"image_id": at, "caption": f"of {at}"} for at in (4, 5, 5)],
    }
    (tmp_path / "captions_val2017.json").write_text(json.dumps(coco))
    found = read_captions(source, captions=str(tmp_path / "captions_val2017.json"))
    assert found.names == ["2.png", "1.png"]
    assert found.captions == [[("", "of 5"), ("", "of 5")], [("", "of 4")]]
    assert found.pictures[:, 0, 0, 0].tolist() == [8, 9]


def test_a_pattern_takes_some_of_an_archive(tmp_path):
    files = {"train/a.png": FILES["a.png"], "test/a.png": FILES["b.png"], "t.csv": b"image,caption\na.png,one\n"}
    source = in_zip(tmp_path / "a.zip", files)
    assert read_captions(f"{source}/test/*").pictures[0, 0, 0, 0] == 2
    message = refusal(source)
    assert f"{source}/t.csv, line 2 names the picture a.png, which test/a.png and train/a.png in" in message
    assert message.endswith("are both called: name it with its folder")


def test_of_two_members_by_one_name_the_last_is_read(tmp_path):
    members = [("a.png", FILES["b.png"]), ("t.csv", b"image,caption\na.png,one\n"), ("a.png", FILES["a.png"])]
    for path, pack in ((tmp_path / "a.zip", in_zip), (tmp_path / "a.tar", in_tar)):
        assert read_captions(pack(path, members)).pictures[:, 0, 0, 0].tolist() == [1]


def test_names_that_differ_in_unicode_form_alone_are_the_same(tmp_path):
    name = "해 é.png"
    source = in_zip(tmp_path / "a.zip", {unicodedata.normalize("NFD", name): FILES["a.png"]})
    (tmp_path / "t.csv").write_text(f"image,caption\n./{unicodedata.normalize('NFC', name)},sun\n", encoding="utf-8")
    assert read_captions(source, captions=str(tmp_path / "t.csv")).captions == [[("", "sun")]]


@packed
def test_a_picture_that_is_missing_or_has_no_caption_is_named(tmp_path, kind):
    files = {**FILES, "captions.tsv": b"image\tcaption\na.png\tone\nx.png\ttwo\n"}
    source = PACK[kind](tmp_path / kind, files)
    message = refusal(source)
    assert "captions.tsv, line 3 names the picture x.png, which is not in" in message
    assert message.endswith("add it, or leave the line out")
    other = PACK[kind](tmp_path / f"other{kind}", {**FILES, "captions.tsv": b"image\tcaption\na.png\tone\n"})
    assert f"picture b.png in {other} has no caption in the table there: give it one, or leave" in refusal(other)


@packed
def test_a_damaged_picture_is_named_by_its_place(tmp_path, kind):
    source = PACK[kind](tmp_path / kind, {**FILES, "b.png": FILES["b.png"][:-30]})
    message = refusal(source, caption_columns=BOTH)
    assert message.startswith(f"picture {source}/b.png is damaged (")


@packed
def test_pictures_of_several_sizes_are_refused_unless_they_are_resized(tmp_path, kind):
    source = PACK[kind](tmp_path / kind, {**FILES, "b.png": png_of(np.zeros((40, 32, 3), np.uint8))})
    message = refusal(source, caption_columns=BOTH)
    assert "give --data.size to resize" in message
    assert ("b.png is 40 x 32, others are 6 x 6" in message) or ("a.png is 6 x 6, others are 40 x 32" in message)
    assert read_captions(source, caption_columns=BOTH, size=(6, 6)).pictures.shape == (2, 6, 6, 3)


def test_an_archive_that_leads_out_or_is_a_bomb_is_refused(tmp_path, monkeypatch):
    trap = in_zip(tmp_path / "trap.zip", {**FILES, "../../b.png": FILES["b.png"]})
    assert "trap.zip/../../b.png would lie outside the folder it is unpacked to: do not trust" in refusal(trap)
    trap = in_tar(tmp_path / "trap.tar.gz", {**FILES, "/etc/b.png": FILES["b.png"]})
    assert "/etc/b.png would lie outside the folder" in refusal(trap)
    monkeypatch.setattr(archives, "_BOMB_SIZE", 1_000_000)
    bomb = in_zip(tmp_path / "bomb.zip", {**FILES, "a.png": bytes(20_000_000)})
    tracemalloc.start()
    message = refusal(bomb, caption_columns=BOTH)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "bomb.zip unpacks to more than 200 times its size, beyond 1,000,000 bytes" in message
    assert peak < 20_000_000


def test_a_table_must_be_told_where_there_is_none_or_several(tmp_path):
    alone = in_zip(tmp_path / "alone.zip", {"a.png": FILES["a.png"]})
    assert refusal(alone) == f"{alone} holds no table of captions: name it by --data.captions"
    several = in_folder(tmp_path / "several", {**FILES, "more.csv": b"image,caption\na.png,b\n"})
    assert refusal(several, option="--data.test-") == (
        f"{several} holds 2 tables (captions.tsv, more.csv): name it by --data.test-captions"
    )
    texts = in_folder(tmp_path / "texts", {"a.png": FILES["a.png"], "captions.txt": b"image,caption\na.png,b\n"})
    assert read_captions(texts).captions == [[("", "b")]]


def test_a_source_that_is_none_is_told(tmp_path):
    assert refusal("") == "--data.source is empty: name a folder or an archive of pictures"
    assert "is not there: give as --data.source a folder of pictures" in refusal(str(tmp_path / "nowhere"))
    in_folder(tmp_path / "empty", {"a.txt": b"x"})
    assert "holds no picture (.png, .jpg ...)" in refusal(str(tmp_path / "empty"))
    assert "is no folder and no archive" in refusal(str(tmp_path / "empty" / "a.txt"))
    assert "is damaged, or not what its name says" in refusal(in_folder(tmp_path, {"x.zip": b"text"}) + "/x.zip")
    source = in_zip(tmp_path / "a.zip", FILES)
    (tmp_path / "none.csv").write_text("image,caption\n")
    assert "none.csv has no caption: give a table that has some" in refusal(source, captions=str(tmp_path / "none.csv"))
    assert "--data.captions is a.csv, and tfds:x has its own" in refusal("tfds:x", captions="a.csv")
    assert "there is no file or folder" in refusal(source, captions=str(tmp_path / "nowhere.csv"))


@packed
def test_a_poll_stops_between_two_pictures(tmp_path, kind):
    class Stop(BaseException):
        pass

    calls = 0

    def stop():
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Stop

    with pytest.raises(Stop):
        read_captions(PACK[kind](tmp_path / kind, FILES), caption_columns=BOTH, poll=stop)


@pytest.fixture(scope="module")
def emoji(data_folder: Path):
    folder = data_folder / "emoji_captions"
    if not folder.is_dir():
        pytest.skip(f"no emoji_captions in {data_folder}")
    return read_captions(str(folder / "images.zip"), captions=str(folder / "captions.tsv"), caption_columns=BOTH)


def test_the_emoji_are_what_was_published(emoji):
    assert emoji.pictures.shape == (3_786, 32, 32, 3)
    assert emoji.names[:2] == ["0023-fe0f-20e3.png", "002a-fe0f-20e3.png"]
    assert all([language for language, _ in captions] == list(BOTH) for captions in emoji.captions)
    tones = [dict(captions)["english"] for captions in emoji.captions if "skin tone" in dict(captions)["english"]]
    assert len(tones) == 1_875 + 5  # five of the tones alone
    assert len({dict(captions)["korean"] for captions in emoji.captions}) == 3_786
    assert sum(caption.endswith(": dark skin tone") for caption in tones) == 281
    at = emoji.names.index("1f44b-1f3ff.png")
    assert emoji.captions[at] == [("english", "waving hand: dark skin tone"), ("korean", "흔드는 손: 검은색 피부")]
    assert (emoji.pictures[at, 0, 0] == 255).all()  # on white
    assert emoji.remark == ""
