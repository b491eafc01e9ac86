"""A run directory opened for use."""

import json
from functools import partial

import jax
import numpy as np
import pytest
from small_language_models import MODELS, SYMBOLS, model_and_params

from jaxseq.config import ExperimentConfig, to_dict, to_json
from jaxseq.errors import CheckpointError
from jaxseq.runs import load_run
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.tasks.language.language_model import build_model
from jaxseq.tasks.language.language_modeling import LanguageModeling
from jaxseq.text import CharTokenizer


@pytest.fixture
def saved(tmp_path):
    """A run directory of untrained checkpoints: steps 1, 2 (the best) and 3."""

    def save(tokenizer, config=None, *, best=2):
        config = config or ExperimentConfig(model=MODELS["lstm"])
        _, params = model_and_params(config.model)
        store = CheckpointStore(tmp_path / "checkpoints")
        files = {"config.json": to_json(config), "tokenizer.json": json.dumps(tokenizer.to_json())}
        for step in (1, 2, 3):
            moved = jax.tree.map(partial(np.add, step), params)
            store.save(step, {"params": moved}, {"corpus": "c"}, files=files, best=step == best)
        return tmp_path

    return save


TOKENIZER = CharTokenizer.train("abcdefg")


@pytest.mark.parametrize(("which", "step"), [("best", 2), ("newest", 3)])
def test_a_run_is_loaded_from_its_best_or_its_newest_checkpoint(saved, which, step):
    loaded = load_run(saved(TOKENIZER), checkpoint=which)
    assert (loaded.step, loaded.fingerprint, loaded.skipped) == (step, "c", [])
    assert loaded.experiment == ExperimentConfig(model=MODELS["lstm"])
    assert isinstance(loaded.task, LanguageModeling)
    assert (loaded.task.tokenizer, loaded.task.texts) == (TOKENIZER, None)
    _, params = model_and_params(MODELS["lstm"])
    jax.tree.map(np.testing.assert_array_equal, loaded.params, jax.tree.map(partial(np.add, step), params))
    assert loaded.task.model == build_model(MODELS["lstm"], vocabulary_size=SYMBOLS)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(loaded.params))


def test_where_none_was_the_best_the_newest_is(saved):
    assert load_run(saved(TOKENIZER, best=0)).step == 3


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere holds no trained model"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="holds no trained model"):
        load_run(tmp_path)


def test_a_vocabulary_that_does_not_match_the_checkpoint_is_refused(saved):
    told = r"step 2 in .* does not fit its own config\.json and tokenizer\.json: one of them was changed by hand"
    with pytest.raises(CheckpointError, match=told):
        load_run(saved(CharTokenizer.train("abc")))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "holds no config.json: it is not of `jaxseq train`"),
        ("[" * 100_000, r"cannot be used, it was changed by hand \(config.json is nested too deeply"),
        ({"cell": "foo"}, r"cannot be used, it was changed by hand \(model.cell is 'foo': choose"),
        ({"features": 5.5}, r"cannot be used, it was changed by hand \(model.features is 5.5: give a whole number"),
        ({"colour": 1}, r"cannot be used, it was changed by hand \(model.colour is unknown to this version"),
    ],
)
def test_a_configuration_changed_by_hand_in_a_checkpoint_is_told_in_one_line(tmp_path, content, told):
    """As in a checkpoint whose checksums were made anew."""
    tree = to_dict(ExperimentConfig(model=MODELS["lstm"]))
    if isinstance(content, dict):
        tree["model"].update(content)
        content = json.dumps(tree)
    files = {"tokenizer.json": json.dumps(TOKENIZER.to_json()), **({} if content is None else {"config.json": content})}
    params = {"params": {"a": np.zeros(1)}}
    CheckpointStore(tmp_path / "checkpoints").save(1, params, {"corpus": "c"}, files=files)
    with pytest.raises(CheckpointError, match=f"the checkpoint of step 1 in {tmp_path} {told}") as caught:
        load_run(tmp_path)
    assert str(caught.value).isprintable()


def test_where_the_best_checkpoint_is_damaged_the_newest_serves_and_that_is_told(saved):
    directory = saved(TOKENIZER)
    meta = directory / "checkpoints" / "00000002" / "arrays"
    victim = max((path for path in meta.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(bytes(content))
    loaded = load_run(directory)
    assert loaded.step == 3
    assert "00000002 is damaged" in loaded.skipped[0]
    assert loaded.skipped[0].endswith("the newest one serves instead of the best")


def test_what_a_checkpoint_of_a_task_lacks_is_told(tmp_path):
    files = {"config.json": to_json(ExperimentConfig(model=MODELS["lstm"])), "another.json": b"\xff\x00"}
    params = {"params": {"a": np.zeros(1)}}
    CheckpointStore(tmp_path / "checkpoints").save(1, params, {"corpus": "c"}, files=files)
    with pytest.raises(CheckpointError, match=r"it was changed by hand \(there is no tokenizer\.json\)"):
        load_run(tmp_path)
