"""Whose a run directory is, and what in it is: told by content, so that nothing of others is overwritten or deleted."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from command_line import TINY, jaxseq, refused, snapshot
from matplotlib.figure import Figure

from jaxseq.config import ExperimentConfig, read_config, to_json
from jaxseq.data import TokenChunk, write_token_file
from jaxseq.errors import InputError
from jaxseq.metrics.metric import Metric
from jaxseq.reporting.curves import draw_curves
from jaxseq.reporting.event_file import EventFile
from jaxseq.runs import directory as run_directory
from jaxseq.runs import load_run, ownership
from jaxseq.storage.checkpoint import CheckpointStore

OLD_RUNS = Path(__file__).parents[1] / "old_runs"
FOREIGN = {
    "metrics.csv": b"epoch,loss\n1,0.5\n",
    "tokenizer.json": b'{"version": "1.0", "model": {"type": "BPE"}}',
    "samples.txt": b"the best ones so far",
    "curves.png": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "events.out.tfevents.1700000000.host.123.0": b"",
    "events.out.tfevents.1795575845564371528": b"another program's",
    "checkpoints/epoch1.ckpt": b"years",
    "checkpoints/20240101/model.bin": b"weights",
    "lock": b"[[package]]\n",
    ".notes.tmp": b"mine",
    "tokens.npy.partial": b"mine",
    ".config.json.tmp": b"mine",
}


def put(folder: Path, contents: dict[str, bytes]) -> Path:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def there(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in snapshot_with_lock(folder).items() if content is not None}


def snapshot_with_lock(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


@pytest.fixture
def run(tmp_path: Path, trained) -> Path:
    """A finished run of one's own."""
    return Path(shutil.copytree(trained[0] / "runs" / "tiny", tmp_path / "run"))


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("name", FOREIGN)
def test_a_directory_with_something_of_others_and_no_run_is_refused(folder, name, fresh):
    put(folder / "work", {name: FOREIGN[name]})
    words = ("train", *TINY, "--run-dir", "work", *(["--fresh"] if fresh else []))
    told = refused(*words, folder=folder)
    assert f"work holds no run, but {name.split('/')[0]}: give another --run-dir or --name" in told
    assert there(folder / "work") == {name: FOREIGN[name]}


def test_an_array_of_another_program_is_no_token_file(folder):
    (folder / "work").mkdir()
    np.save(folder / "work" / "tokens.npy", np.arange(100, dtype=np.uint8))
    assert "work holds no run, but tokens.npy" in refused("train", *TINY, "--run-dir", "work", folder=folder)


def test_what_a_killed_first_second_leaves_is_no_obstacle(tmp_path):
    write_token_file(tmp_path / "tokens.npy", [TokenChunk(np.arange(9), True)], vocab_size=9, tokenizer="a", source="b")
    put(tmp_path, {"lock": b"12\n", ".config.json.tmp": b'{\n  "na', "tokens.npy.partial": b"\x93NUM"})
    run_directory.check(tmp_path, ExperimentConfig(), fresh=False)
    put(tmp_path, {"lock": b"", ".config.json.tmp": b"", "tokens.npy.partial": b""})
    run_directory.check(tmp_path, ExperimentConfig(), fresh=True)


def test_clearing_a_run_removes_all_of_it_and_nothing_of_others(run):
    others = {name: content for name, content in FOREIGN.items() if name not in ("lock", ".config.json.tmp")}
    mine = {name: content for name, content in others.items() if not (run / name).exists()}
    mine |= {"checkpoints/00000016/notes.txt": b"mine", "checkpoints/notes.txt": b"mine", "notes.md": b"mine"}
    put(run, {**mine, ".metrics.csv.tmp": b"1,2"})
    run_directory.clear(run)
    kept = {name: (run / name).read_bytes() for name in ("config.json", "lock")}
    assert there(run) == {**mine, **kept}
    assert not run_directory.has_begun(run)


@pytest.mark.parametrize("name", ["metrics.csv", "samples.txt", "curves.png"])
def test_a_file_of_others_under_a_name_that_a_run_writes_is_moved_aside_and_told(run, name):
    put(run, {name: FOREIGN[name]})
    run_directory.clear(run)
    assert (run / name).read_bytes() == FOREIGN[name]
    (told,) = run_directory.make_way(run)
    assert told == f"{run / name} is none that jaxseq wrote, or damaged: it is {name}.aside now"
    assert (run / f"{name}.aside").read_bytes() == FOREIGN[name]
    assert run_directory.make_way(run) == []


def test_in_a_run_s_own_directory_there_is_nothing_to_move(run):
    assert run_directory.make_way(run) == []


@pytest.mark.parametrize("old", sorted(OLD_RUNS.glob("*/*/config.json")), ids=str)
def test_what_earlier_versions_wrote_is_known_as_theirs(old, tmp_path):
    run = Path(shutil.copytree(old.parent, tmp_path / "run"))
    run_directory.check(run, read_config(old), fresh=False)
    assert run_directory.make_way(run) == []
    run_directory.clear(run)
    assert set(there(run)) <= {"config.json", "lock", "tokens.npy"}


def test_pictures_and_events_are_known_by_what_is_in_them(tmp_path):
    put(tmp_path, {"metrics.csv": b"step,epoch,split,loss\n1,0.1,train,2.0\n"})
    draw_curves(tmp_path / "metrics.csv", tmp_path / "curves.png", metric=Metric("loss"))
    EventFile(tmp_path, purge_after=0).add(1, {"loss": 1.0})
    assert {path.name.split(".")[0] for path in ownership.written(tmp_path)} == {"metrics", "curves", "events"}
    Figure().savefig(tmp_path / "curves.png")
    (event,) = tmp_path.glob("events*")
    for size in (0, 5, 30):
        event.write_bytes(event.read_bytes()[:size])
        assert event in list(ownership.written(tmp_path))
    event.write_bytes(b"\x18" + event.read_bytes()[1:])
    assert [path.name for path in ownership.written(tmp_path)] == ["metrics.csv"]


def test_a_clearing_killed_at_any_operation_leaves_what_the_same_command_goes_on_with(run, tmp_path):
    put(run, {"notes.md": b"mine", "checkpoints/00000016/notes.txt": b"mine"})
    config, number, code = read_config(run / "config.json"), 0, 9
    while code:
        work = Path(shutil.copytree(run, tmp_path / f"{number:03d}"))
        code = _killed_at(number, work)
        run_directory.check(work, config, fresh=True)
        run_directory.check(work, config, fresh=False)
        run_directory.clear(work)
        left = there(work)
        note = next(name for name in left if name.endswith("notes.txt"))  # in mid-removal its folder has no name
        assert note in ("checkpoints/00000016/notes.txt", "checkpoints/discard.aside/notes.txt")
        assert set(left) == {"config.json", "lock", "notes.md", note}, number
        number += 7  # many of them are alike
    assert number > 20


def _killed_at(number: int, work: Path) -> int:
    """Clears `work` until its `number`-th change; 9 if there was one, 0 if it came to an end."""
    real = {name: getattr(os, name) for name in ("unlink", "rmdir", "rename")}
    left = number

    def counted(name):
        def function(*arguments, **options):
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            return real[name](*arguments, **options)

        return function

    with pytest.MonkeyPatch.context() as patch:
        for name in real:
            patch.setattr(os, name, counted(name))
        try:
            run_directory.clear(work)
        except KeyboardInterrupt:
            return 9
    return 0


@pytest.mark.parametrize("name", ["config.json", "metrics.csv", "lock", "samples.txt", "curves.png"])
def test_a_named_pipe_makes_no_command_wait(folder, trained, name):
    run = Path(shutil.copytree(trained[0] / "runs" / "tiny", folder / "runs" / "tiny"))
    (run / name).unlink()
    os.mkfifo(run / name)
    code, _, err = jaxseq("train", "--name", "tiny", *TINY, folder=folder)
    if name == "lock":
        assert code == 2
        assert "it is a named pipe, not a regular file" in err
        assert err.count("\n") == 1
    else:
        assert code == 0, err
        assert f"runs/tiny/{name} is none that jaxseq wrote" in err
    assert jaxseq("sample", "runs/tiny", "--length", "3", folder=folder).code == 0


def test_links_in_a_run_directory_harm_nothing_outside_of_it(folder, trained):
    run, outside = folder / "runs" / "tiny", folder / "outside"
    shutil.copytree(trained[0] / "runs" / "tiny", run)
    for path in list(run.iterdir()):
        if path.name not in ("checkpoints", "lock"):
            put(outside, {path.name: path.read_bytes()})
            path.unlink()
            path.symlink_to(outside / path.name)
    for name in ("config.json", "tokenizer.json", "metrics.csv", "curves.png", "samples.txt"):
        put(outside, {f"{name}.tmp": b"precious"})
        (run / f".{name}.tmp").symlink_to(outside / f"{name}.tmp")
    for name in ("tokens.npy.partial", ".building", ".discard"):
        put(outside, {f"{name}/precious": b"precious"})
    (run / "tokens.npy.partial").symlink_to(outside / "tokens.npy.partial" / "precious")
    (run / "checkpoints" / ".building").symlink_to(outside / ".building")
    (run / "checkpoints" / ".discard").symlink_to(outside / ".discard")
    before = snapshot(outside)
    for words in ([], ["--data.memory-map", "--fresh"]):
        code, _, err = jaxseq("train", "--name", "tiny", *TINY, *words, folder=folder)
        assert code == 0, err
        assert snapshot(outside) == before
    assert not [path for path in run.rglob("*") if path.is_symlink()]


def test_a_linked_folder_of_one_s_own_goes_on_working(folder):
    for name in ("runs", "checkpoints"):
        (folder / "disk" / name).mkdir(parents=True)
    (folder / "runs").symlink_to("disk/runs")
    (folder / "runs" / "it").mkdir()
    (folder / "runs" / "it" / "config.json").write_text(to_json(ExperimentConfig()))
    (folder / "runs" / "it" / "checkpoints").symlink_to(folder / "disk" / "checkpoints")
    for _ in range(2):
        code, _, err = jaxseq("train", "--name", "it", *TINY, "--train.steps", "2", folder=folder)
        assert code == 0, err
    assert CheckpointStore(folder / "disk" / "checkpoints").steps() == [0, 2]


def test_a_disk_that_may_not_be_looked_at_is_told(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError):
        run_directory.check(tmp_path, ExperimentConfig(), fresh=False)


@contextlib.contextmanager
def behind(mode: int):
    """A directory of that mode, and no right of root's to do more in it."""
    folder, user = Path(tempfile.mkdtemp()), os.geteuid()
    (folder / "run").mkdir()
    folder.chmod(mode)
    if user == 0:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        os.seteuid(user)
        folder.chmod(0o700)
        shutil.rmtree(folder)


def test_a_directory_that_may_not_be_listed_is_told():
    told = pytest.raises(InputError, match=r"cannot write .*: permission is missing")
    with behind(0o333) as folder, told, run_directory.held(folder):
        pytest.fail("held what it knows nothing of")


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_run_behind_a_closed_directory_is_told(mode):
    with behind(mode) as folder:
        with pytest.raises(InputError, match=r"run cannot be read \(Permission denied\): check the permissions"):
            load_run(folder / "run")
        with pytest.raises(InputError, match="permission is missing"), run_directory.held(folder / "run"):
            pytest.fail("held what it cannot enter")
