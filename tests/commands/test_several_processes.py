"""`jaxseq train` as two real processes: what one process trains, also when one of them is killed."""

import sys

import pytest
from command_line import TINY, arrays_of, assert_same_run, refused
from several_processes import ends, free_port, start, start_several

from jaxseq.commands.watched import reason_of_abort
from jaxseq.processes import Group

WORDS = [*TINY, "--train.devices", "1", "--name", "two"]
KILLED_AT_12 = """
import os, signal
from jaxseq.config import ExperimentConfig
from jaxseq.data import RowLoader

part = RowLoader.part


def killed(self, step, rows):
    if step == 12:
        os.kill(os.getpid(), signal.SIGKILL)
    return part(self, step, rows)


RowLoader.part = killed
config = ExperimentConfig()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="runs take a lock, which Windows lacks")
def test_two_processes_train_what_two_devices_of_one_do_though_one_is_killed_in_between(folder, trained):
    (folder / "killed.py").write_text(KILLED_AT_12)
    alone = start([*_of(2), "--train.process-timeout", "10"], folder=folder)
    first, second = ends(start_several(WORDS, 2, folder=folder, more={1: ["killed.py"]}))
    assert second.code == 137
    assert second.err == "error: this process was ended by SIGKILL: the same command on all of them goes on\n"
    assert first.code == 2
    last = first.err.splitlines()[-1]
    assert last.startswith("error: another of the 2 processes "), first.err
    assert arrays_of(folder / "runs" / "two")[0] == 8

    first, second = ends(start_several(WORDS, 2, folder=folder))
    assert (first.code, second.code) == (0, 0), (first.err, second.err)
    assert "going on from step 8\n" in first.err
    assert "everything is in runs/two" in first.out
    assert "Gloo" not in first.out + first.err
    assert (second.out, second.err) == ("", "")

    assert_same_run(folder / "runs" / "two", trained[0] / "runs" / "tiny")

    (waited,) = ends([alone])
    assert waited.code == 2
    assert waited.err.startswith("error: not all of 2 processes (train.processes) have found each other at the ")
    assert waited.err.count("\n") == 1
    assert not (folder / "runs" / "alone").exists()


def _of(count: int) -> list[str]:
    """The first of so many processes, of which no other comes."""
    where = ["--train.processes", str(count), "--train.coordinator", f"localhost:{free_port()}"]
    return ["train", *TINY, "--name", "alone", *where, "--train.process", "0"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--train.process", "1"], "train.process is 1: give one from 0 to 0 (train.processes)"),
        (["--train.coordinator", "here:1"], "train.coordinator is 'here:1': give train.processes too"),
        (
            ["--train.processes", "2", "--train.coordinator", "here:1"],
            "train.coordinator is 'here:1': give train.process too, or neither in a cluster",
        ),
        (
            ["--train.processes", "2", "--train.coordinator", "here", "--train.process", "0"],
            "train.coordinator is 'here': give a host and a port, as 10.0.0.1:12345",
        ),
        (
            ["--train.processes", "2", "--train.process", "1", "--train.coordinator", "a:1", "--seeds", "3"],
            "--seeds is 3: several processes train with one seed; start them for each",
        ),
    ],
)
def test_processes_that_cannot_be_are_refused(folder, words, told):
    assert told in refused("train", *TINY, *words, folder=folder)


ABORTED = """F1130 23:29:22 client.h:80] Terminating process because the JAX distributed service detected fatal errors.
DEADLINE_EXCEEDED: Barrier timed out. # of tasks that reached the barrier: 3/4. RPC: RegisterTask
*** Check failure stack trace: ***"""


def test_what_jax_prints_when_it_aborts_comes_to_one_line():
    group = Group(4, 1, "node1:1234", 30)
    line = reason_of_abort(ABORTED, group)
    assert line is not None
    assert line.startswith("not all of 4 processes (train.processes) have found each other at the coordinator, node1:")
    assert "in 30 s (train.process_timeout), 3 came: start them all" in line
    lost = reason_of_abort("Terminating process because the JAX distributed service detected fatal errors", group)
    assert lost is not None
    assert lost.startswith("another of the 4 processes has ended, or was not heard of for 30 s (train.process_timeout)")
    assert reason_of_abort("free(): invalid pointer", group) is None
