"""Pipes are read once; what is neither a file nor a pipe is not read."""

import os
import threading

import pytest

from jaxseq.data import pipes, read_documents, source_fingerprint
from jaxseq.errors import InputError

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name here")


def refusal(source):
    with pytest.raises(InputError) as caught:
        list(read_documents(str(source)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_pipe_is_read_to_its_end(tmp_path):
    path, text = tmp_path / "pipe", "to be\n" * 100_000
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(text,))
    writer.start()
    assert list(read_documents(str(path))) == [text]
    writer.join()


def test_what_a_shell_substitutes_for_a_command_is_read(tmp_path):
    reading, writing = os.pipe()
    os.write(writing, b"to be\n")
    os.close(writing)
    assert list(read_documents(f"/dev/fd/{reading}")) == ["to be\n"]
    os.close(reading)


def test_a_pipe_that_nobody_writes_to_is_given_up(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    with (
        pytest.raises(InputError, match=r"nobody writes to the pipe .*pipe.txt: start"),
        pipes.open_once(tmp_path / "pipe.txt", tries=2),
    ):
        pass


def test_a_pipe_that_is_open_and_silent_is_waited_for(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    keep = os.open(path, os.O_RDWR)
    with pipes.open_once(path, tries=1) as stream:
        os.write(keep, b"late")
        assert stream.read(10) == b"late"
    os.close(keep)


def test_a_pipe_has_no_fingerprint_as_it_cannot_be_read_twice(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"can be read only once: save it to a file, or leave out --data.memory-map"):
        source_fingerprint(str(tmp_path / "pipe"))


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_devices_are_not_read(device):
    assert f"{device} is a device or a socket, no file" in refusal(device)


def test_a_folder_and_a_glob_leave_pipes_out(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "a.txt").write_text("text")
    assert list(read_documents(str(tmp_path))) == ["text"]
    assert list(read_documents(f"{tmp_path}/*.txt")) == ["text"]
