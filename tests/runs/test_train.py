"""What a training is put together of."""

import dataclasses
import json

import pytest

from jaxseq.config import CorpusConfig, ExperimentConfig, RNNConfig, TrainConfig, to_json
from jaxseq.errors import CheckpointError
from jaxseq.runs.train import train_run
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.tasks.language.corpora import prepare
from jaxseq.text import CharTokenizer

TEXT = "the quick brown fox\n" * 40


@pytest.fixture
def begun(tmp_path):
    """Begins a run on a.txt whose checkpoint has such a tokenizer.json; gives its configuration and directory."""
    (tmp_path / "a.txt").write_text(TEXT)
    config = ExperimentConfig(
        data=CorpusConfig(source=str(tmp_path / "a.txt"), length=8, batch_size=4),
        model=RNNConfig(features=4),
        train=TrainConfig(steps=2, devices=1),
    )

    def begin(content):
        run = tmp_path / "run"
        run.mkdir()
        (run / "config.json").write_text(to_json(config), encoding="utf-8")
        files = {"config.json": to_json(config), **({} if content is None else {"tokenizer.json": content})}
        CheckpointStore(run / "checkpoints").save(
            1, {"params": {}}, {"corpus": prepare(config.data).fingerprint()}, files=files
        )
        return config, run

    return begin


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, r"there is no tokenizer\.json"),
        (b"", "this is no JSON"),
        (b"[]", "a tokenizer in JSON must have a 'kind'"),
        (b'{"kind": "morse"}', "'morse'"),
        (b"\xff\xfe", "a tokenizer in JSON is UTF-8"),
    ],
)
def test_a_tokenizer_that_cannot_be_read_in_a_checkpoint_is_told_in_one_line(begun, content, told):
    """As in a checkpoint whose checksums were made anew."""
    config, run = begun(content)
    with pytest.raises(CheckpointError, match=rf"00000001 cannot be used, it was changed .*{told}.*--fresh") as caught:
        train_run(config, run)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in run.iterdir()) == ["checkpoints", "config.json", "lock"]


@pytest.mark.parametrize("other", ["of another text", "in another order"])
def test_a_tokenizer_that_is_another_than_the_data_were_read_by_is_told(begun, other):
    tree = CharTokenizer.train(TEXT.upper() if other == "of another text" else TEXT).to_json()
    tree["vocabulary"]["symbols"].reverse()
    config, run = begun(json.dumps(tree))
    with pytest.raises(CheckpointError, match=r"a\.txt has changed since .*run was begun with it"):
        train_run(config, run)


def test_one_that_is_as_it_was_is_taken_and_the_arrays_are_looked_at_next(begun):
    config, run = begun(json.dumps(CharTokenizer.train(TEXT).to_json()))
    with pytest.raises(CheckpointError, match=r"00000001 does not fit: step is absent there"):
        train_run(config, run)


def test_another_text_is_not_gone_on_with(begun, tmp_path):
    config, run = begun(json.dumps(CharTokenizer.train(TEXT).to_json()))
    (tmp_path / "b.txt").write_text(TEXT.replace("fox", "ox."))
    other = dataclasses.replace(config, data=dataclasses.replace(config.data, source=str(tmp_path / "b.txt")))
    with pytest.raises(CheckpointError, match=r"b\.txt has changed since .*, or is another text"):
        train_run(other, run)
