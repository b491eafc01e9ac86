"""Parameters and optimizer state split over devices: the numbers of one device, in less memory of each."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from jaxseq.config import AdamConfig, CorpusConfig, ExperimentConfig, TrainConfig, TransformerConfig
from jaxseq.errors import ConfigError, InputError
from jaxseq.runs import train
from jaxseq.runs.load import load_run
from jaxseq.runs.train import train_run
from jaxseq.sharding import RULES, SHARDED, DataParallel
from jaxseq.storage.arrays import named_leaves
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.storage.metrics_file import read_metrics
from jaxseq.training.devices import choose_devices, put_state

pytestmark = pytest.mark.skipif(len(jax.devices()) < 4, reason="needs 4 devices")


@pytest.fixture(scope="module", autouse=True)
def unfinished():
    """Runs end without samples and a curve, which one device makes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "_finish", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder, the configuration of a small Transformer with dropout that trains there, and its runs of 8 steps: on
    two devices by rows, and on twice as many where two each share the parameters."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "a.txt").write_text("the quick brown fox jumps\nover a lazy dog; " * 60)
    config = ExperimentConfig(
        data=CorpusConfig(source=str(folder / "a.txt"), length=8, batch_size=4),
        model=TransformerConfig(features=16, heads=2, layers=1, context=8, dropout=0.1),
        optimizer=AdamConfig(schedule="constant", accumulate=2, ema_decay=0.9),
        train=TrainConfig(steps=8, log_every=2, checkpoint_every=4, devices=2, steps_per_dispatch=1),
    )
    config = dataclasses.replace(config, task=dataclasses.replace(config.task, prompt="the", sample_length=4))
    results = {}
    for name, devices, model in (("rows", 2, 1), ("both", 4, 2)):
        section = dataclasses.replace(config.train, devices=devices, model_devices=model)
        results[name] = train_run(dataclasses.replace(config, train=section), folder / name)
    return folder, config, results


def split(config):
    """`config` on devices that share the parameters."""
    return dataclasses.replace(config, train=dataclasses.replace(config.train, devices=4, model_devices=2))


def newest(run_dir):
    """The newest checkpoint of a run."""
    opened = CheckpointStore(run_dir / "checkpoints").open()
    assert opened is not None
    return opened[0]


def saved(run_dir):
    """Every array of it, by name."""
    snapshot = newest(run_dir)
    tops = {name.partition("/")[0] for name in snapshot.specs if "/" in name}
    return {
        f"{top}/{name}": leaf
        for top in sorted(tops)
        for name, leaf in named_leaves(snapshot.restore_subtree(top)).items()
    }


def test_the_numbers_are_those_of_whole_parameters(runs):
    folder, _, _ = runs
    one, other = (read_metrics(folder / name / "metrics.csv") for name in ("rows", "both"))
    assert [row["step"] for row in one] == [row["step"] for row in other]
    for a, b in zip(one, other, strict=True):
        assert float(a["loss"]) == pytest.approx(float(b["loss"]), rel=1e-5)
        assert a["gradient_norm"] == "" or float(a["gradient_norm"]) == pytest.approx(
            float(b["gradient_norm"]), rel=1e-4
        )
    one, other = saved(folder / "rows"), saved(folder / "both")
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_allclose(array, other[name], rtol=2e-4, atol=2e-5, err_msg=name)


def test_a_device_holds_its_part_of_what_the_rules_split_and_of_the_optimizer_s_state(runs):
    state = runs[2]["both"].state
    held = {name: (leaf.shape, leaf.addressable_shards) for name, leaf in named_leaves(state._asdict()).items()}
    parts = {name: shards[0].data.size * 2 == np.prod(shape) for name, (shape, shards) in held.items() if len(shape)}
    kernels = [name for name in held if name.endswith(("kernel", "/embedding"))]
    assert {name.split("/")[0] for name in kernels} == {"params", "opt_state", "accumulated", "average"}
    assert all(parts[name] for name in kernels)
    assert all(len({shard.device for shard in shards}) == 4 for _, shards in held.values())
    size = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    share = sum(leaf.addressable_shards[0].data.size for leaf in jax.tree.leaves(state.params))
    assert share < 0.6 * size


def test_it_goes_on_exactly_from_what_it_saved(runs):
    folder, config, _ = runs
    shutil.copytree(folder / "both", folder / "killed")
    shutil.rmtree(folder / "killed" / "checkpoints" / "00000008")
    assert train_run(split(config), folder / "killed").step == 8
    again = saved(folder / "killed")
    assert all(array.tobytes() == again[name].tobytes() for name, array in saved(folder / "both").items())


def test_what_it_saved_opens_on_one_device_and_says_how_it_was_made(runs):
    folder, config, _ = runs
    run = load_run(folder / "both")
    assert run.experiment.train.model_devices == 2
    assert all(len(leaf.devices()) == 1 for leaf in jax.tree.leaves(run.variables))
    assert newest(folder / "both").meta["devices"] == 4
    with pytest.raises(ConfigError, match=r"train\.model_devices: 2 -> 1"):
        train_run(config, folder / "both")


def test_a_state_of_whole_parameters_can_be_split_and_put_together_again(runs):
    whole = jax.device_get(runs[2]["rows"].state)
    both, note = choose_devices(4, 4, model=2)
    assert note is None
    again = jax.device_get(put_state(both, whole))
    for name, leaf in named_leaves(whole._asdict()).items():
        assert np.asarray(leaf).tobytes() == np.asarray(named_leaves(again._asdict())[name]).tobytes(), name


def test_a_name_lies_as_the_first_rule_says_whose_dimensions_divide():
    parallel = DataParallel.across(1, model=4)
    shapes = {
        "params/embedding": (8, 6),
        "params/source_embedding": (7, 8),
        "params/block_3/attention/input/kernel": (8, 24),
        "params/block_3/attention/output/kernel": (8, 9),
        "opt_state/1/0/mu/block_3/feed_forward/output/kernel": (9, 16),
        "params/block_3/feed_forward/input/bias": (16,),
        "params/layer_0/recurrent_kernel": (8, 32),
        "params/norm/scale": (8,),
        "params/head/kernel": (8, 7),
    }
    rows, columns, whole = PartitionSpec("model", None), PartitionSpec(None, "model"), PartitionSpec()
    found = parallel.shardings({name: np.zeros(shape) for name, shape in shapes.items()})
    assert {name: sharding.spec for name, sharding in found.items()} == dict(
        zip(shapes, [rows, columns, columns, rows, columns, whole, whole, whole, whole], strict=True)
    )
    assert all(set(rule.split) <= {None, "model"} for rule in RULES)


def test_a_carry_is_split_by_rows_beside_them():
    parallel = DataParallel.across(2, model=2)
    carry = parallel.put({"h": np.zeros((4, 3))}, SHARDED)["h"]
    assert [shard.data.shape for shard in carry.addressable_shards] == [(2, 3)] * 4


def test_impossible_shares_are_refused(runs, tmp_path):
    config = runs[1]
    with pytest.raises(ConfigError, match=r"train\.model_devices is 3: choose a divisor of train\.devices, 4"):
        TrainConfig(devices=4, model_devices=3)
    with pytest.raises(InputError, match=r"train\.model_devices is 99, and a process has \d+ devices"):
        choose_devices(0, 8, model=99)
    rows = dataclasses.replace(config.optimizer, rows=True, ema_decay=0.0, accumulate=1)
    model = dataclasses.replace(config.model, tie_embedding=False)
    with pytest.raises(ConfigError, match="rows of tables that are split"):
        train_run(dataclasses.replace(split(config), optimizer=rows, model=model), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_configuration_of_before_means_one_process_and_whole_parameters(runs):
    text = json.loads((runs[0] / "rows" / "config.json").read_text())
    new = {name: text["train"].pop(name) for name in ("model_devices", "processes", "process", "coordinator")}
    assert new == {"model_devices": 1, "processes": 1, "process": -1, "coordinator": ""}
