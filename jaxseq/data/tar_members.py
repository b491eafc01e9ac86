"""The members of a tar archive, read in one pass and never unpacked to a disk."""

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tarfile import EOFHeaderError, HeaderError, ReadError, TarFile, TarInfo  # pyright: ignore[reportAttributeAccessIssue]

from jaxseq.data.archives import COMPRESSED, Bounded, must_begin_as, no_plain_file
from jaxseq.data.pieces import ByteStream
from jaxseq.errors import InputError
from jaxseq.reading import shown

_SHORT = {".tgz": ".gz", ".txz": ".xz", ".tbz": ".bz2", ".tbz2": ".bz2"}
_PORTION = 2**20


def tar_members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """The plain files of a tar archive in their order, each as its name and its bytes.

    Args:
        wanted: asked about every name, those of folders included; what is not wanted is passed over.

    Raises:
        InputError: the archive is packed in a way that is not read, or holds something else than files and folders, or
            unpacks to so much more than its size that it must be meant to harm.
        OSError: it cannot be opened, or one of `jaxseq.reading.DAMAGE`: it is damaged.
    """
    with ExitStack() as stack:
        forward = _Forward(Bounded(_opened(path, stack), path))
        # Names that are not UTF-8 come out with halves of surrogate pairs, as they do from folders.
        archive = TarFile(
            fileobj=forward,  # pyright: ignore[reportArgumentType] (it uses read, seek and tell alone)
            tarinfo=_Member,
            encoding="utf-8",
            errors="surrogateescape",
        )
        while (member := archive.next()) is not None:
            archive.members.clear()  # pyright: ignore[reportAttributeAccessIssue] (for looking up by name)
            if not member.isdir() and (not member.isfile() or member.issparse()):
                raise no_plain_file(f"{shown(path)}/{shown(member.name)}", _kind(member))
            if not wanted(member.name) or member.isdir():
                continue
            forward.seek(member.offset_data)
            data = forward.read(member.size)
            if len(data) < member.size:
                raise ReadError("unexpected end of data")
            yield member.name, data
        while rest := forward.read(_PORTION):  # to the end, where gzip and xz keep their sums
            if rest.strip(b"\0"):
                raise ReadError("there is more after its end")


class _Member(TarInfo):
    """A header. tarfile takes a damaged one for the end of the archive, and says nothing of what follows."""

    @classmethod
    def fromtarfile(cls, tarfile: TarFile) -> "_Member":
        try:
            return super().fromtarfile(tarfile)
        except EOFHeaderError:  # the end as it should be
            raise
        except (HeaderError, ValueError) as error:
            raise ReadError(str(error)) from error


class _Forward:
    """A stream of bytes as a file that one can go forward in."""

    def __init__(self, stream: ByteStream) -> None:
        self._file = io.BufferedReader(_Raw(stream), 2**18)
        self._at = 0

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, however many a header asks for; fewer only at the end."""
        data = self._file.read(min(size, _PORTION))
        if len(data) == _PORTION:
            parts, missing = [data], size - _PORTION
            while missing > 0 and (more := self._file.read(min(missing, _PORTION))):
                parts.append(more)
                missing -= len(more)
            data = b"".join(parts)
        self._at += len(data)
        return data

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int) -> int:
        if offset < self._at:
            raise ReadError("its headers lead back")
        while self._at < offset and self.read(min(offset - self._at, _PORTION)):
            pass
        return self._at


class _Raw(io.RawIOBase):
    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _opened(path: Path, stack: ExitStack) -> ByteStream:
    last = path.suffix.lower()
    suffix = _SHORT.get(last, last)
    if suffix == ".tar":
        return stack.enter_context(path.open("rb"))
    if suffix not in COMPRESSED:
        raise InputError(f"{shown(path)} is compressed in a way that is not read: unpack it and give the folder")
    must_begin_as(path, suffix)
    return stack.enter_context(COMPRESSED[suffix](path))


def _kind(member: TarInfo) -> str:
    if member.issym() or member.islnk():
        return "a link"
    return "a sparse file" if member.isfile() else "a device or a pipe" if member.isdev() else "of an unknown kind"
