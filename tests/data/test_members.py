"""Archives of files, read without unpacking: what unpacking would leave, and nothing of what is meant to harm."""

import bz2
import gzip
import io
import lzma
import os
import random
import stat
import tarfile
import tracemalloc
import warnings
import zipfile
from functools import partial
from pathlib import Path

import pytest

from jaxseq.data import archives
from jaxseq.data.members import archive_files, folder_files
from jaxseq.errors import InputError
from jaxseq.reading import shown
from jaxseq.signals import never

PACK = {"tar": bytes, "tar.gz": gzip.compress, "tgz": gzip.compress, "tar.xz": lzma.compress, "tar.bz2": bz2.compress}
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
FILES = {
    "imdb/train/pos/0_9.txt": b"good",
    "imdb/train/neg/1_1.txt": b"x" * 512,
    "imdb/test/neg/0_2.txt": b"",
    "imdb/test/pos/3_10.txt": b"y" * 2_000_000,
}


def tar_of(members, format=tarfile.PAX_FORMAT):
    """The bytes of a tar archive: names with their content, or headers with it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, data in members:
            header = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(name, str):
                header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return out.getvalue()


def header(name, kind, **fields):
    made = tarfile.TarInfo(name)
    made.type = kind
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def write(path, data):
    path.write_bytes(data)
    return path


def write_zip(path, members, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there twice
        with zipfile.ZipFile(path, "w", **options) as archive:
            for name, data in members:
                archive.writestr(name, data)
    return path


def everything(parts):
    return True


def contents(files):
    """Names and content, each with the place that messages name."""
    read = {}
    for parts, streams in files.items():
        for place, stream in streams():
            assert "/".join(parts) not in read
            read["/".join(parts)] = b"".join(iter(partial(stream.read, 700_000), b""))
            assert place.endswith(shown(parts[-1]))
    return read


def read_archive(path, wanted=everything):
    return contents(archive_files(path, wanted, never))


def refusal(path, wanted=everything):
    with pytest.raises(InputError) as caught:
        archive_files(path, wanted, never)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def line_or_nothing(path):
    """What is told of an archive that may be damaged."""
    try:
        read_archive(path)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("form", FORMATS)
def test_a_tar_is_read_as_it_would_be_unpacked(tmp_path, suffix, form):
    long = "/".join(["imdb/train/neg", *["a" * 60] * 3, "b.txt"])
    members = [("imdb/train/pos/한글 é.txt", "한".encode()), (long, b"deep"), *FILES.items()]
    members.insert(2, (header("imdb/train", tarfile.DIRTYPE), b""))
    path = write(tmp_path / f"a.{suffix}", PACK[suffix](tar_of(members, FORMATS[form])))
    read = read_archive(path)
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    assert read == contents(folder_files(tmp_path / "unpacked", everything, never))
    assert list(read) == sorted(read, key=lambda name: name.split("/"))
    assert len(read) == len(FILES) + 2


def test_a_zip_and_a_tar_and_a_folder_of_the_same_files_are_the_same(tmp_path):
    zipped = write_zip(tmp_path / "a.zip", [("imdb/", b""), *FILES.items()], compression=zipfile.ZIP_DEFLATED)
    tarred = write(tmp_path / "a.tar", tar_of([(f"./{name}", data) for name, data in FILES.items()]))
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(tmp_path / "unpacked")
    folder = contents(folder_files(tmp_path / "unpacked", everything, never))
    assert read_archive(zipped) == read_archive(tarred) == folder == FILES


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_of_two_members_by_one_name_the_last_is_read(tmp_path, kind):
    members = [("a/x.txt", b"old"), ("b/x.txt", b"b"), ("./a/x.txt", b"newer"), ("a/x.txt", b"new")]
    path = tmp_path / f"a.{kind}"
    read = read_archive(write_zip(path, members) if kind == "zip" else write(path, tar_of(members)))
    assert read == {"a/x.txt": b"new", "b/x.txt": b"b"}


def test_what_is_hidden_or_not_wanted_is_passed_over(tmp_path):
    members = [*FILES.items(), ("imdb/.x/a.txt", b""), ("__MACOSX/imdb/._a.txt", b"\0"), ("imdb/README", b"no")]

    def texts(parts):
        return parts[-1].endswith(".txt")

    assert read_archive(write(tmp_path / "a.tar", tar_of(members)), texts) == FILES
    assert read_archive(write_zip(tmp_path / "a.zip", members), texts) == FILES


@pytest.mark.parametrize("name", ["../x.txt", "a/../../x.txt", "/etc/x", "a/..", "C:\\x.txt", "..\\x.txt", "\\x.txt"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_name_that_leads_out_is_refused_whether_wanted_or_not(tmp_path, name, kind):
    members = [("a/b.txt", b"fine"), (name, b"trap")]
    path = tmp_path / f"a.{kind}"
    write_zip(path, members) if kind == "zip" else write(path, tar_of(members))
    for wanted in (everything, lambda parts: False):
        message = refusal(path, wanted)
        assert "would lie outside the folder it is unpacked to: do not trust this archive" in message


def test_two_dots_within_a_name_are_a_name(tmp_path):
    files = {"a..b/..c.txt": b"1", "a/b...txt": b"2"}
    read = read_archive(write(tmp_path / "a.tar", tar_of(files.items())))
    assert read == {"a/b...txt": b"2"}  # the other one is hidden


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "a device or a pipe"),
        (tarfile.BLKTYPE, "a device or a pipe"),
        (tarfile.FIFOTYPE, "a device or a pipe"),
        (b"V", "of an unknown kind"),
    ],
)
def test_a_tar_member_that_is_no_plain_file_is_refused(tmp_path, kind, what):
    secret = write(tmp_path / "secret.txt", b"secret")
    members = [("a/b.txt", b"fine"), (header("a/c.txt", kind, linkname=str(secret)), b"")]
    message = refusal(write(tmp_path / "a.tar", tar_of(members)))
    assert f"a.tar/a/c.txt is {what}, no plain file, and is not read: unpack the archive" in message


@pytest.mark.parametrize(("mode", "what"), [(stat.S_IFLNK, "a link"), (stat.S_IFCHR, "a device"), (stat.S_IFIFO, "a")])
def test_a_zip_member_that_is_no_plain_file_is_refused(tmp_path, mode, what):
    info = zipfile.ZipInfo("a/c.txt")
    info.external_attr = (mode | 0o644) << 16
    message = refusal(write_zip(tmp_path / "a.zip", [("a/b.txt", b"fine"), (info, b"../../secret.txt")]))
    assert f"a.zip/a/c.txt is {what}" in message
    plain = zipfile.ZipInfo("a/c.txt")
    plain.external_attr = (stat.S_IFREG | 0o644) << 16
    assert read_archive(write_zip(tmp_path / "b.zip", [(plain, b"text")])) == {"a/c.txt": b"text"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"GNU.sparse.map": "0,1", "GNU.sparse.size": "9999999999999"}, "a.tar/a/b.txt is a sparse file"),
        ({"GNU.sparse.size": "x"}, "a.tar is damaged"),
    ],
)
def test_a_sparse_file_that_claims_terabytes_is_refused(tmp_path, fields, message):
    sparse = tarfile.TarInfo("a/b.txt")
    sparse.size, sparse.pax_headers = 1, fields
    assert message in refusal(write(tmp_path / "a.tar", tar_of([(sparse, b"x")])))


@pytest.mark.parametrize("suffix", ["tar.gz", "tar.xz", "tar.bz2", "zip"])
def test_a_bomb_is_refused_and_takes_little_memory(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(archives, "_BOMB_SIZE", 3_000_000)
    path, nothing = tmp_path / f"a.{suffix}", bytes(2_000_000)
    members = [(f"a/{number}.txt", nothing) for number in range(20)]
    if suffix == "zip":
        write_zip(path, members, compression=zipfile.ZIP_DEFLATED)
        monkeypatch.setattr(archives, "_BOMB_RATIO", 20)
    else:
        write(path, PACK[suffix](tar_of(members)))
    for wanted in (everything, lambda parts: False):
        if suffix == "zip" and wanted is not everything:
            continue  # what is not wanted is not unpacked
        tracemalloc.start()
        message = refusal(path, wanted)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert f"a.{suffix} unpacks to more than" in message
        assert peak < 20_000_000


def test_a_member_that_claims_more_than_there_is_takes_no_memory_for_it(tmp_path):
    data = bytearray(tar_of([("a/b.txt", b"text")], tarfile.GNU_FORMAT))
    data[124:136] = b"\x80" + (2**60).to_bytes(11, "big")
    data[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(data[:512]))[0]
    tracemalloc.start()
    message = refusal(write(tmp_path / "a.tar", bytes(data)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "a.tar is damaged, or not what its name says (unexpected end of data)" in message
    assert peak < 10_000_000


@pytest.mark.parametrize("suffix", PACK)
def test_an_archive_cut_short_is_refused_wherever_it_ends(tmp_path, suffix):
    rng = random.Random(0)
    small = {f"a/{number}.txt": rng.randbytes(rng.choice((0, 5, 512, 700))) for number in range(6)}
    plain = tar_of(small.items(), tarfile.USTAR_FORMAT)
    end = plain.rindex(b"ustar") + 512 - 257
    whole = PACK[suffix](plain)
    # Whole at a border of members, too, where tarfile itself takes the rest for the end.
    ends = range(0, end, 256) if suffix == "tar" else range(0, len(whole) - 1, 97)
    for at in ends:
        message = refusal(write(tmp_path / f"a.{suffix}", whole[:at]))
        assert f"a.{suffix} is damaged, or not what its name says" in message
    assert read_archive(write(tmp_path / f"b.{suffix}", whole)) == small


def test_a_damaged_header_does_not_end_the_archive_in_silence(tmp_path):
    data = bytearray(tar_of(FILES.items(), tarfile.USTAR_FORMAT))
    second = data.index(b"imdb/train/neg")
    for change in (b"jmdb", bytes(512)):
        changed = bytearray(data)
        changed[second : second + len(change)] = change
        assert "is damaged" in refusal(write(tmp_path / "a.tar", bytes(changed)))


@pytest.mark.parametrize("form", FORMATS)
def test_damage_at_any_byte_is_content_or_one_line(tmp_path, form):
    rng = random.Random(1)
    long = "한" * 20 + "/" + "b" * (90 if form == "ustar" else 120)
    data = tar_of([(long, b"text"), ("a/x.txt", b"more")], FORMATS[form])
    path = tmp_path / "a.tar"
    told = 0
    for at in range(0, 512 * (data.rindex(b"ustar") // 512 + 2), 3):
        for new in (data[at] ^ (1 << rng.randrange(8)), rng.choice(b"\0\xff90 xLKgS")):
            write(path, data[:at] + bytes([new]) + data[at + 1 :])
            line = line_or_nothing(path)
            assert "\n" not in line
            told += line != ""
    assert told > 200


def test_the_sum_at_the_end_is_checked(tmp_path):
    data = bytearray(gzip.compress(tar_of(FILES.items())))
    data[-8] ^= 1
    assert "is damaged" in refusal(write(tmp_path / "a.tar.gz", bytes(data)))
    assert "there is more after its end" in refusal(write(tmp_path / "a.tar", tar_of(FILES.items()) + b"x"))


def test_names_say_what_they_do_not_hold(tmp_path):
    data = tar_of(FILES.items())
    assert "it is an xz file (.xz)): rename it" in refusal(write(tmp_path / "a.tar.gz", lzma.compress(data)))
    assert "it begins as text" in refusal(write(tmp_path / "b.zip", b"text"))
    assert "is damaged, or not what its name says" in refusal(write(tmp_path / "c.tar", b"text" * 999))
    assert "compressed in a way that is not read: unpack it" in refusal(write(tmp_path / "d.tar.zst", b"(\xb5/\xfd"))
    assert "cannot be read (No such file or directory)" in refusal(tmp_path / "e.tar")


def test_names_that_are_no_utf8_are_refused(tmp_path):
    name = b"a/caf\xe9.txt".decode("utf-8", "surrogateescape")
    data = bytearray(tar_of([("a/caf_.txt", b"x")], tarfile.USTAR_FORMAT))
    data[5:6] = b"\xe9"
    data[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(data[:512]))[0]
    message = refusal(write(tmp_path / "a.tar", bytes(data)))
    assert "a/caf\\udce9.txt is not valid utf-8: rename the file or its folder" in message
    try:
        Path(tmp_path / "a").mkdir()
        write(tmp_path / name, b"x")
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(InputError, match="is not valid utf-8: rename"):
        folder_files(tmp_path, everything, never)


def test_links_to_folders_are_not_followed_and_pipes_not_opened(tmp_path):
    (tmp_path / "a").mkdir()
    write(tmp_path / "a" / "x.txt", b"x")
    try:
        (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "dangling.txt").symlink_to(tmp_path / "nowhere")
    except OSError:
        pytest.skip("no links here")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "a" / "pipe.txt")
    assert contents(folder_files(tmp_path, everything, never)) == {"a/x.txt": b"x"}


@pytest.mark.parametrize("kind", ["tar", "zip", "folder"])
def test_a_poll_stops_between_two_files(tmp_path, kind):
    class Stop(BaseException):
        pass

    calls = 0

    def stop():
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Stop

    if kind == "folder":
        for name, data in FILES.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            write(tmp_path / name, data)
    path = tmp_path if kind == "folder" else tmp_path / f"a.{kind}"
    if kind == "zip":
        write_zip(path, FILES.items())
    elif kind == "tar":
        write(path, tar_of(FILES.items()))
    with pytest.raises(Stop):
        (folder_files if kind == "folder" else archive_files)(path, everything, stop)
