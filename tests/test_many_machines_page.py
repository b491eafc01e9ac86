"""What docs/many-machines.md says can be typed."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from pages import blocks, read_page

from jaxseq.commands.experiments import parse_experiment
from jaxseq.commands.train import TrainArguments
from jaxseq.config.fields import FIXED, FREE, rules_of
from jaxseq.config.training import TrainConfig

ROOT = Path(__file__).parents[1]
PAGE = read_page("many-machines.md")
SNIPPETS = blocks(PAGE, "bash")
COMMANDS = re.findall(r"train\.py ([^&\n\"]*(?:\"[$\w/]+\"[^&\n\"]*)*)", "".join(SNIPPETS).replace("\\\n", " "))


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_the_shell_reads_every_snippet(snippet):
    assert subprocess.run(["bash", "-n"], input=snippet, text=True, check=False).returncode == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one_that_train_takes(command, monkeypatch):
    monkeypatch.chdir(ROOT)
    words = shlex.split(command.replace("$SLURM_NTASKS", "8").replace("$HOME", "/home/me"))
    config, _ = parse_experiment(TrainArguments, words, program="train.py", usage="", description="")
    assert config.train.processes in (1, 2, 4, 8)
    assert config.data.batch_size % config.train.processes == 0
    assert config.train.processes == 1 or bool(config.train.coordinator) == (config.train.process >= 0)


def test_there_are_such_commands_for_every_step():
    assert len(COMMANDS) == 7
    assert [snippet.count("train.py") for snippet in SNIPPETS] == [3, 2, 1, 1]


def test_what_a_run_remembers_is_as_the_table_says():
    rows = re.findall(r"^\| (`--train[^|]*) \|[^|]*\| (yes|no) \|$", PAGE, re.MULTILINE)
    told = {name: kept for names, kept in rows for name in re.findall(r"`--train\.([\w-]+)`", names)}
    assert len(told) == 6
    rules = rules_of(TrainConfig)
    assert told == {name: "yes" if rules[name.replace("-", "_")].resuming is FIXED else "no" for name in told}
    assert all(rules[name.replace("-", "_")].resuming in (FIXED, FREE) for name in told)
