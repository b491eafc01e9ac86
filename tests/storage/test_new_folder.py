"""A folder that is there whole or not at all."""

import pytest

from jaxseq.errors import InputError
from jaxseq.storage.atomic import write_synced
from jaxseq.storage.new_folder import new_folder


def write(out, meanwhile=lambda: None):
    with new_folder(out) as building:
        write_synced(building / "a.txt", "a")
        assert not out.exists()
        meanwhile()


def test_it_appears_with_all_that_was_written_and_nothing_beside_it(tmp_path):
    write(tmp_path / "out")
    assert (tmp_path / "out" / "a.txt").read_text() == "a"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_stop_half_way_leaves_nothing(tmp_path):
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out", stop)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["out", "out/mine.txt"])
def test_what_somebody_made_meanwhile_stays(tmp_path, name):
    mine = tmp_path / name

    def make():
        mine.parent.mkdir(exist_ok=True)
        mine.write_text("mine")

    with pytest.raises(InputError, match=r"out is there already: give another name, or remove it$"):
        write(tmp_path / "out", make)
    assert mine.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_killed_process_left_does_not_stand_in_the_way(tmp_path):
    (tmp_path / ".out.0123abcd.tmp").mkdir()
    write(tmp_path / "out")
    assert (tmp_path / "out" / "a.txt").exists()
