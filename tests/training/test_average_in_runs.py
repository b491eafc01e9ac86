"""A moving average of the parameters: what a run is measured by, keeps and goes on with."""

import jax
import numpy as np
import pytest
from toy_runs import Crash, CrashingLoader, assert_same_run, norm_as_loss, run
from toy_training import assert_same

from jaxseq.storage.checkpoint import CheckpointStore

pytestmark = pytest.mark.usefixtures("compiled_once")


def test_a_run_is_validated_and_used_with_the_average_of_its_parameters_and_goes_on_with_both(tmp_path):
    seen, options = [], {"accumulate": 2, "ema_decay": 0.7}

    def evaluate(variables, whole):
        seen.append(jax.device_get(variables))
        return norm_as_loss(variables, whole)

    result = run(tmp_path / "whole", evaluate=evaluate, options=options)
    assert_same(seen[-1], result.state.trained)
    stored = CheckpointStore(tmp_path / "whole" / "checkpoints").restore_variables()
    assert stored is not None
    assert_same(stored.arrays["params"], jax.device_get(result.state.average))
    assert np.abs(stored.arrays["params"]["kernel"] - result.state.params["kernel"]).max() > 1e-3
    with pytest.raises(Crash):
        run(tmp_path / "cut", options=options, loader=CrashingLoader(10))
    assert_same_run(tmp_path / "cut", run(tmp_path / "cut", options=options), tmp_path / "whole", result)
