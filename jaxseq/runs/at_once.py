"""Models that are fitted at once, by counting: their run is one step, with one checkpoint."""

from typing import Any

import jax
import numpy as np

from jaxseq import console
from jaxseq.config import ExperimentConfig, SGDConfig
from jaxseq.metrics.metric import choose_metric
from jaxseq.reporting.reporter import Reporter
from jaxseq.runs.evaluation import Validation
from jaxseq.storage.metrics_file import METRICS_CSV, MetricsFile
from jaxseq.training.loop import DEVICES, Result, Storage
from jaxseq.training.optim import make_optimizer
from jaxseq.training.run_record import RunRecord
from jaxseq.training.state import init_state
from jaxseq.training.stopping import StopTogether


def fit_at_once(
    config: ExperimentConfig,
    storage: Storage,
    task: Any,
    evaluate: Validation | None,
    reporter: Reporter,
    stop: StopTogether,
) -> Result:
    """Fits the model of `task`, a `FitsAtOnce`, measures it on the validation split and saves it as step 1. A run that
    is there already is left as it is, but for a metrics.csv that was lost.

    Raises:
        InputError: something cannot be written.
        Stopped: a signal came before all was saved.
    """
    metric = choose_metric(task.metrics, config.train.metric)
    key, optimizer = jax.random.key(config.train.seed), make_optimizer(SGDConfig(), steps=1)  # without a state
    file = MetricsFile(storage.run_dir / METRICS_CSV, [each.name for each in task.metrics], say=reporter.say)
    there = storage.store.restore_variables()
    if there is not None:
        file.restore(there.files[METRICS_CSV].decode("utf-8", "replace"), 1)
        record = RunRecord.from_json(there.meta.get("training"))
        state = init_state(there.arrays, optimizer, key=key)._replace(step=np.int32(1))
        return Result(state, 1, "finished", None, None, record.best_value, record.best_step)
    fitted = task.fitted()
    for line in fitted.told:
        console.show(line)
    stop.poll()
    state = init_state(fitted.variables, optimizer, key=key)._replace(step=np.int32(1))
    file.cut(-1)
    reporter.begin(0, 1)
    record, validation = RunRecord(), None
    try:
        if evaluate is not None:
            validation = evaluate(state.variables, True)
            record.judge(validation[metric.name], 1, metric)
            row = {"step": 1, "epoch": 1.0, "split": "validation", **validation}
            file.append(row)
            reporter.row(row)
    finally:
        reporter.close()
    file.sync()
    meta = {**storage.meta, "training": record.to_json(), DEVICES: 1}
    storage.store.save(1, state, meta, files={**storage.files, METRICS_CSV: file.content}, best=True)
    return Result(state, 1, "finished", None, validation, record.best_value, record.best_step)
