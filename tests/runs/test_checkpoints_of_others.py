"""Checkpoints that are whole and yet none of a training run: told in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.config import ExperimentConfig, to_json
from jaxseq.errors import CheckpointError
from jaxseq.runs import load_run
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.training.run_record import RunRecord

_TEXTS = {"config.json": to_json(ExperimentConfig()), "tokenizer.json": '{"kind": "byte"}'}


@pytest.mark.parametrize(
    ("missing", "told"),
    [("config.json", "holds no config.json: it is not of `jaxseq train`"), ("tokenizer.json", "there is no tokenizer")],
)
def test_a_checkpoint_without_the_texts_of_a_run_is_told(tmp_path: Path, missing: str, told: str) -> None:
    texts = {name: text for name, text in _TEXTS.items() if name != missing}
    CheckpointStore(tmp_path / "checkpoints").save(3, {"params": {"a": np.ones(2)}}, {"corpus": "1-a"}, files=texts)
    with pytest.raises(CheckpointError, match=f"the checkpoint of step 3 in .*{told}"):
        load_run(tmp_path)


@pytest.mark.parametrize("meta", [{}, {"corpus": None}, {"corpus": ["1-a"]}])
def test_a_checkpoint_that_names_no_corpus_is_told(tmp_path: Path, meta: dict[str, Any]) -> None:
    CheckpointStore(tmp_path / "checkpoints").save(3, {"params": {"a": np.ones(2)}}, meta, files=_TEXTS)
    with pytest.raises(CheckpointError, match="names no corpus"):
        load_run(tmp_path)


def test_a_run_whose_checkpoints_are_all_damaged_names_a_remedy(tmp_path: Path) -> None:
    path = CheckpointStore(tmp_path / "checkpoints").save(3, {}, {}, files=_TEXTS)
    (path / "meta.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"no usable checkpoint: .*: put a copy of one back, or train anew with"):
        load_run(tmp_path)


_WRONG = {
    "learning_rate": ["0.1", True, [1]],
    "skipped": [-1, 1.5, None, True, 2**70],
    "best_value": ["inf", {}, True],
    "best_loss": ["inf", {}],
    "meter": [[], {"loss": 1}, {"loss": [1]}, {"loss": ["a", 1]}, {"loss": [1, 10**400]}],
    "another": [1],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in _WRONG.items() for value in values])
def test_a_record_that_no_run_writes_is_told(name: str, value: Any) -> None:
    with pytest.raises(CheckpointError, match='the entry "training" of the checkpoint'):
        RunRecord.from_json({**RunRecord().to_json(), name: value})


@settings(deadline=None, max_examples=60)
@given(tree=st.none() | st.integers() | st.text() | st.lists(st.integers()) | st.dictionaries(st.text(), st.text()))
def test_so_is_anything_else(tree: Any) -> None:
    if tree == {}:
        assert RunRecord.from_json(tree).best_value is None
        return
    with pytest.raises(CheckpointError):
        RunRecord.from_json(tree)
