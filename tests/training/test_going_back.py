"""What a run does with batches that are not finite: skip them, go back, give up."""

import jax
import numpy as np
import pytest
from toy_runs import TOTAL, Notes, StoppingLoader, run
from toy_training import ToyLoader

from jaxseq.errors import InputError
from jaxseq.storage.metrics_file import read_metrics

pytestmark = pytest.mark.usefixtures("compiled_once")


def test_bad_batches_are_skipped_and_counted_and_nothing_else_happens(tmp_path):
    result = run(tmp_path, loader=ToyLoader(poisoned=(1, 2, 7)))
    rows = [row for row in read_metrics(tmp_path / "metrics.csv") if row["split"] == "train"]
    assert [row["skipped"] for row in rows] == ["2", "3", "3"]
    assert all(np.isfinite(float(row["loss"])) for row in rows)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(jax.device_get(result.state.params)))


def test_a_diverging_run_goes_back_with_half_the_learning_rate(tmp_path):
    notes, loader = Notes(), ToyLoader(poisoned=(5, 6, 7))
    seen = []

    class Healing(ToyLoader):
        def __call__(self, step, /):
            seen.append(step)
            cured = len(notes.begun) == 3  # once begun, twice gone back
            return ToyLoader()(step) if cured else loader(step)

    result = run(tmp_path, loader=Healing(), notes=notes, max_nonfinite=3, evaluate=None, options={"accumulate": 1})
    assert notes.begun == [0, 4, 4]
    assert "back to the checkpoint of step 4, with 0.5 of the learning rate" in notes.said[0]
    assert "with 0.25 of the learning rate" in notes.said[1]
    assert float(result.state.lr_scale) == 0.25
    assert result.step == TOTAL
    rows = read_metrics(tmp_path / "metrics.csv")
    assert [row["step"] for row in rows] == ["5", "10", "13"]
    assert [row["skipped"] for row in rows] == ["0", "0", "0"]


def test_a_diverging_run_never_goes_back_to_where_it_was_told_to_stop(tmp_path):
    """A run that was left alone would have no checkpoint there, and the two must be the same."""
    poisoned = (7, 8, 9)
    stopped = run(tmp_path, loader=StoppingLoader(5, poisoned=poisoned), max_nonfinite=3, evaluate=None)
    assert stopped.step == 6
    notes = Notes()
    with pytest.raises(InputError, match="used up"):
        run(tmp_path, loader=ToyLoader(poisoned=poisoned), max_nonfinite=3, evaluate=None, notes=notes)
    assert notes.begun[:2] == [6, 4]


def test_a_run_that_keeps_diverging_ends_with_the_remedies(tmp_path):
    with pytest.raises(InputError, match=r"3 batches in a row.*max_rollbacks \(1\).*learning_rate.*debug-nonfinite"):
        run(tmp_path, loader=ToyLoader(poisoned=(5, 6, 7)), max_nonfinite=3, max_rollbacks=1)


def test_a_run_goes_back_past_a_checkpoint_that_the_explosion_is_in(tmp_path):
    """Batches after step 8 are bad, as with parameters that have exploded: nothing is gained by going back there."""
    notes = Notes()
    with pytest.raises(InputError, match="used up"):
        run(tmp_path, loader=ToyLoader(poisoned=(8, 9, 10)), max_nonfinite=3, evaluate=None, notes=notes)
    assert notes.begun == [0, 4, 4, 4]


def test_the_checkpoint_to_go_back_to_is_kept_however_few_are(tmp_path):
    notes = Notes()
    poisoned = (5, 6, 7, 8, 9)
    with pytest.raises(InputError, match="used up"):
        run(tmp_path, loader=ToyLoader(poisoned=poisoned), max_nonfinite=5, keep=1, evaluate=None, notes=notes)
    assert notes.begun == [0, 4, 4, 4]


def test_a_run_that_was_stopped_goes_back_to_where_one_left_alone_does(tmp_path):
    poisoned = (7, 8, 9)
    run(tmp_path, loader=StoppingLoader(5, poisoned=poisoned), max_nonfinite=3, keep=1, evaluate=None)
    notes = Notes()
    with pytest.raises(InputError, match="used up"):
        run(tmp_path, loader=ToyLoader(poisoned=poisoned), max_nonfinite=3, keep=1, evaluate=None, notes=notes)
    assert notes.begun[:2] == [6, 4]


def test_a_damaged_checkpoint_to_go_back_to_is_named_and_the_one_before_it_used(tmp_path):
    damaged = tmp_path / "checkpoints" / "00000004" / "meta.json"

    class Damaging(ToyLoader):
        def __call__(self, step, /):
            if step == 7:
                damaged.write_bytes(damaged.read_bytes()[:-20])
            return super().__call__(step)

    notes = Notes()
    with pytest.raises(InputError, match="used up"):
        run(tmp_path, loader=Damaging(poisoned=(5, 6, 7)), max_nonfinite=3, evaluate=None, notes=notes)
    assert notes.begun[:2] == [0, 0]
    assert "00000004" in notes.said[0]
