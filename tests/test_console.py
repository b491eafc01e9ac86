"""What is printed: safe to show, and of no harm where it cannot be printed."""

import contextlib
import errno
import io
import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq import console
from jaxseq.errors import InputError
from jaxseq.signals import Stopped, StopRequest

ROOT = Path(__file__).parents[1]
SHOWN = {"\n", "\t", "\u00ad", "\u200c", "\u200d"} | {"\u070f", "\u0890", "\u0891", "\u08e2", "\u06dd"}
SHOWN |= {chr(code) for code in (*range(0x600, 0x606), 0x110BD, 0x110CD)}  # signs that enclose numbers
TEXTS = st.text(st.characters() | st.sampled_from("\r\n\t\x1b\x7f\x9b\u202e\ud800\U000e0041\u2028"))


def acts(character):
    """Whether it does something to a line instead of standing in it, by the Unicode database."""
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and character not in SHOWN


def test_every_character_that_acts_on_a_terminal_is_escaped_and_every_other_one_kept():
    for character in map(chr, range(0x110000)):
        if acts(character):
            assert console.escaped(character) == character.encode("unicode_escape").decode("ascii")
        elif unicodedata.category(character) != "Cn":
            assert console.escaped(character) == character


@given(st.lists(TEXTS))
def test_a_text_in_pieces_is_escaped_as_the_whole(pieces):
    escaper = console.Escaper()
    shown = "".join(map(escaper.push, pieces)) + escaper.flush()
    assert shown == console.escaped("".join(pieces))
    assert not any(map(acts, shown.replace("\r\n", "")))


@given(TEXTS)
def test_an_error_is_one_line_whatever_is_in_it(text):
    with contextlib.redirect_stderr(io.StringIO()) as err:
        console.tell(text)
    assert err.getvalue().splitlines() == [err.getvalue()[:-1]]
    assert not any(map(acts, err.getvalue()))


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252"])
@given(text=st.text())
def test_json_is_to_the_letter_in_every_encoding_and_acts_on_no_terminal(encoding, text):
    raw = io.BytesIO()
    with contextlib.redirect_stdout(io.TextIOWrapper(raw, encoding=encoding, newline="\n")):
        print(console.json_line({"text": text + "\x1b\x9b\u202e\U000e0041이"}), end="", flush=True)
        printed = raw.getvalue().decode(encoding)
    assert json.loads(printed)["text"] == text + "\x1b\x9b\u202e\U000e0041이"
    assert printed.count("\n") == 1
    assert not any(map(acts, printed))
    assert ("이" in printed) == (encoding == "utf-8")


class Failing(io.StringIO):
    """Fails from the second piece on."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        if self.getvalue():
            raise self.error
        return super().write(text)


FAILURES = [BrokenPipeError(errno.EPIPE, "gone"), *(OSError(n, "") for n in (errno.ENOSPC, errno.EIO, errno.EBADF))]


@pytest.mark.parametrize("error", FAILURES, ids=["gone", "full", "hung up", "closed"])
def test_a_courtesy_is_dropped_from_the_first_failure_on(error):
    stream = Failing(error)
    output = console.Output(stream, courtesy=True)
    for text in ("one", "two", "three"):
        print(text, end="", file=output, flush=True)
    assert stream.getvalue() == "one"


@pytest.mark.parametrize("error", FAILURES, ids=["gone", "full", "hung up", "closed"])
def test_work_that_cannot_be_printed_is_told_once(error):
    output = console.Output(Failing(error), courtesy=False)
    output.write("one")
    expected = console.ReaderGoneError if isinstance(error, BrokenPipeError) else InputError
    with pytest.raises(expected):
        output.write("two")
    output.write("three")
    output.flush()


def test_a_stream_that_somebody_has_closed_is_no_harm_and_a_bug_in_one_is_not_hidden():
    stream = io.StringIO()
    stream.close()
    console.Output(stream, courtesy=True).write("x")
    with pytest.raises(ValueError, match="a bug"):
        print("x", "y", file=console.Output(Failing(ValueError("a bug")), courtesy=True))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="pipes as on Unix")
@pytest.mark.parametrize("courtesy", [True, False])
def test_a_reader_in_no_hurry_does_not_keep_a_signal_waiting(courtesy):
    """The pipe is full and nobody reads; the signal comes while the write waits."""
    reader, writer = os.pipe()
    code = "import os, signal, sys, time; time.sleep(0.5); os.kill(int(sys.argv[1]), signal.SIGTERM)"
    with StopRequest() as stop, os.fdopen(writer, "w") as stream:
        output = console.Output(stream, courtesy=courtesy, raising=stop.raising)
        kill = subprocess.Popen([sys.executable, "-c", code, str(os.getpid())])
        with kill, contextlib.nullcontext() if courtesy else pytest.raises(Stopped):
            output.write("x" * 2**20)
            output.flush()
        output.write("more")
        assert stop.signal is not None
        os.close(reader)
        with contextlib.suppress(BrokenPipeError):
            stream.close()


def test_a_process_without_standard_descriptors_gets_some_before_a_file_can_take_them(tmp_path):
    code = (
        "import os, sys; from jaxseq.console import open_descriptors; open_descriptors()\n"
        "with open('checkpoint', 'wb') as file:\n"
        "    assert file.fileno() > 2\n"
        "    os.write(2, b'what a library says')\n"
        "print('gone'); print('gone', file=sys.stderr); assert sys.stdin is None\n"
    )
    command = f'exec "{sys.executable}" -c "$0" <&- >&- 2>&-'
    done = subprocess.run(["bash", "-c", command, code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0
    assert (tmp_path / "checkpoint").read_bytes() == b""
