"""The tables of experiments that come along, on data that are made up or there."""

import dataclasses
import re
from pathlib import Path

import jax
import pytest

from jaxseq.config import load_config
from jaxseq.reporting.summary import count_parameters
from jaxseq.runs.summary import summarize
from jaxseq.tasks.task import Workspace, task_of

CONFIGS = Path(__file__).parents[2] / "configs"
MADE_UP = {"quickstart": {}, "rectangles": {}, "reversal": {"examples": 200, "held_out": 20}}
READ = ("shakespeare_transformer", "shakespeare_gru_stateful", "word2vec_cbow")


def require_whole(name, **data):
    """The rows add up to the total, and that to what there is to train."""
    config, _ = load_config(CONFIGS / f"{name}.py")
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, **data))
    table = summarize(config).partition("\n\n")[2]
    counts = [re.findall(r"[\d,]+", line)[-2:] for line in table.splitlines()[2:] if not line.startswith("-")]
    *rows, total = [[int(count.replace(",", "")) for count in row] for row in counts]
    assert total == [sum(column) for column in zip(*rows, strict=True)]
    variables = jax.eval_shape(task_of(config).create(config, Workspace()).init, jax.random.key(0))
    assert total[0] == count_parameters(variables["params"])
    assert total[1] > 0


@pytest.mark.parametrize("name", MADE_UP)
def test_a_table_of_made_up_data_holds_all_parameters(name):
    require_whole(name, **MADE_UP[name])


@pytest.mark.parametrize("name", READ)
def test_a_table_of_published_data_holds_all_parameters(name, data_folder, tmp_path, monkeypatch):
    (tmp_path / "data").symlink_to(data_folder)
    monkeypatch.chdir(tmp_path)
    require_whole(name)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_the_detector_of_hands_has_the_counts_that_can_be_worked_out_by_hand():
    table = summarize(load_config(CONFIGS / "hand_detector.py")[0]).partition("\n\n")[2]
    convolution, unit, total = (line.split() for line in table.splitlines() if line[0] in "cut")
    # 16 filters of 5 x 5 x 3 without a bias, side by side on 1080 x 1920 pixels; then one unit for all of them.
    assert convolution[-2:] == ["1,200", f"{384 * 216 * 16 * 75:,}"]
    assert (unit[-2:], total[-2]) == (["1,327,104", "1,327,104"], "1,328,304")
    assert "(8, 216, 384, 16)" in table
