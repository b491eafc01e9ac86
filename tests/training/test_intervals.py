"""How steps are cut into dispatches."""

from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.config import TrainConfig
from jaxseq.training.intervals import Intervals, total_steps

intervals = st.integers(0, 12)
configs = st.builds(
    TrainConfig,
    steps=st.integers(1, 60),
    log_every=intervals,
    evaluate_every=intervals,
    checkpoint_every=intervals,
    steps_per_dispatch=st.integers(1, 10),
)


def dispatch_ends(intervals, start=0):
    ends, step = [], start
    while step < intervals.total:
        step += intervals.count_after(step)
        ends.append(step)
    return ends


@settings(deadline=None, max_examples=100)
@given(configs, st.integers(1, 9))
def test_no_dispatch_passes_a_step_at_which_something_is_due(config, epoch):
    intervals = Intervals.of(config, epoch)
    ends = dispatch_ends(intervals)
    assert ends[-1] == intervals.total
    due = [
        n
        for n in range(1, intervals.total + 1)
        if intervals.logs_at(n) or intervals.evaluates_at(n) or intervals.saves_at(n)
    ]
    assert set(due) <= set(ends)
    assert all(b - a <= intervals.most for a, b in zip([0, *ends], ends, strict=False))


@settings(deadline=None, max_examples=100)
@given(configs, st.integers(1, 9), st.data())
def test_a_run_that_goes_on_from_the_end_of_a_dispatch_is_cut_the_same_way(config, epoch, data):
    intervals = Intervals.of(config, epoch)
    ends = dispatch_ends(intervals)
    at = data.draw(st.integers(0, len(ends) - 1))
    assert dispatch_ends(intervals, ends[at]) == ends[at + 1 :]


def test_zero_intervals_mean_an_epoch_and_steps_overrule_epochs():
    intervals = Intervals.of(TrainConfig(epochs=3, log_every=0), 7)
    assert intervals == Intervals(total=21, log_every=7, evaluate_every=7, checkpoint_every=7, most=7)
    assert total_steps(TrainConfig(epochs=3, steps=5), 7) == 5
    assert Intervals.of(TrainConfig(steps=100, steps_per_dispatch=10, debug_nonfinite=True), 50).most == 1
