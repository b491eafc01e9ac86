"""What a checkpoint keeps of a run beside its arrays."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.metrics.perplexity import TOKEN_METRICS
from jaxseq.ops.losses import Tally
from jaxseq.training.run_record import DivergedError, RunRecord


def tallies(skipped):
    n = len(skipped)
    good = 1 - np.array(skipped, np.float32)
    return {
        "loss": Tally(np.arange(n, dtype=np.float32) * good, good),
        "gradient_norm": Tally(good, good),
        "learning_rate": Tally(np.arange(1, n + 1) * 0.1 * good, good),
        "skipped": Tally(1 - good, np.ones(n, np.float32)),
    }


def test_an_interval_has_the_last_learning_rate_and_the_skips_of_the_whole_run():
    record = RunRecord(skipped=4)
    record.add(tallies([0, 0, 1]), max_nonfinite=5)
    closed = record.close_interval(TOKEN_METRICS)
    assert closed["learning_rate"] == pytest.approx(0.2)
    assert closed["skipped"] == 5
    assert closed["loss"] == 0.5
    assert closed["gradient_norm"] == 1.0
    assert record.close_interval(TOKEN_METRICS) == {"skipped": 5}


def test_skips_in_a_row_are_counted_across_dispatches():
    record = RunRecord()
    record.add(tallies([1, 0, 1]), max_nonfinite=3)
    assert record.skipped_in_a_row == 1
    record.add(tallies([1]), max_nonfinite=3)
    with pytest.raises(DivergedError):
        record.add(tallies([1, 0]), max_nonfinite=3)


@settings(deadline=None, max_examples=30)
@given(losses=st.lists(st.floats(allow_nan=True, width=32), max_size=8), skips=st.lists(st.booleans(), max_size=9))
def test_a_record_survives_json_exactly(losses, skips):
    record = RunRecord()
    for i, loss in enumerate(losses):
        record.judge(loss, i, TOKEN_METRICS[0])
    if skips:
        record.add(tallies([int(skip) for skip in skips]), max_nonfinite=10)
    again = RunRecord.from_json(json.loads(json.dumps(record.to_json())))
    assert again.to_json() == record.to_json()
    assert again.close_interval(TOKEN_METRICS) == record.close_interval(TOKEN_METRICS)


@pytest.mark.parametrize(("old", "new"), [(2.5, 2.5), (float("inf"), None)])
def test_the_best_loss_of_the_first_version_is_the_best_value(old, new):
    tree = RunRecord(best_step=4).to_json()
    del tree["best_value"]
    assert RunRecord.from_json({**tree, "best_loss": old}).best_value == new
