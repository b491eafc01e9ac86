"""Setting the process up: in processes of their own, because it can be done once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxseq import runtime

ROOT = Path(__file__).parents[1]


def python(code, **environment):
    """What a fresh interpreter prints."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "training")])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**kept, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_importing_changes_nothing_and_the_allocator_is_tuned_before_jax_is_there():
    told = python(
        "import sys, jaxseq, jaxseq.runtime as r\n"
        "assert 'jax' not in sys.modules\n"
        "r.tune_allocator()\n"
        "assert 'jax' not in sys.modules\n"
        "import jax; print(jax.local_device_count(), jax.config.jax_compilation_cache_dir)"
    )
    assert told == "1 None"


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_memory_that_was_freed_stays_in_the_process_and_serves_again():
    code = (
        "import resource, sys; from jaxseq import runtime; import numpy as np\n"
        "print(runtime.tune_allocator() if sys.argv[1:] else '')\n"
        "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "def use(): np.empty(64 << 20, np.uint8).fill(1)\n"
        "use(); before = faults(); use(); use(); print(faults() - before)"
    )
    plain = int(python(code).split()[-1])
    tuned = python(code.replace("sys.argv[1:]", "True")).split()
    assert tuned[0] == "True"
    assert int(tuned[1]) < plain / 10


@pytest.mark.parametrize(
    ("count", "environment", "expected"),
    [
        (0, {}, str(runtime.core_count())),
        (3, {}, "3"),
        (1, {}, "1"),
        (0, {"JAX_NUM_CPU_DEVICES": "5"}, "5"),
        (0, {"XLA_FLAGS": "--xla_force_host_platform_device_count=6"}, "6"),
    ],
)
def test_the_cpu_has_the_devices_asked_for_unless_the_environment_says_otherwise(count, environment, expected):
    assert (
        python(
            f"import jaxseq.runtime as r; r.use_cpu_devices({count}); import jax; print(len(jax.devices()))",
            **environment,
        )
        == expected
    )


TRAIN = """
from jaxseq import runtime; runtime.configure(devices=2)
import time, jax, numpy as np
from toy_training import *
from jaxseq.training.devices import put_state
from jaxseq.training.dispatch import compile_training, stack_batches
from jaxseq.sharding import STACKED_SHARDED
optimizer = toy_optimizer(); parallel = toy_devices(2)
run = compile_training(loss_fn, optimizer, parallel=parallel, most=4)
state = put_state(parallel, toy_state(optimizer))
for i in range(3):
    state, _ = run(state, parallel.put(stack_batches(ToyLoader(), 4 * i, 4, 4), STACKED_SHARDED), np.int32(4))
import hashlib
print(hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state))).hexdigest())
"""


def test_a_program_from_the_cache_gives_the_bits_of_one_just_compiled(tmp_path):
    fresh = python(TRAIN, XDG_CACHE_HOME=str(tmp_path))
    (folder,) = (tmp_path / "jaxseq").iterdir()
    kept = {path.name for path in folder.iterdir() if path.name.endswith("-cache")}
    assert any("jit_run" in name for name in kept)
    assert python(TRAIN, XDG_CACHE_HOME=str(tmp_path)) == fresh
    assert {path.name for path in folder.iterdir() if path.name.endswith("-cache")} == kept


def test_another_cache_directory_is_respected(tmp_path):
    code = "from jaxseq import runtime; runtime.configure(); import jax.numpy as jnp; jnp.ones(3) + 1"
    python(code, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "mine"), XDG_CACHE_HOME=str(tmp_path / "other"))
    assert list((tmp_path / "mine").iterdir())
    assert not (tmp_path / "other").exists()


def test_without_a_directory_to_write_to_there_is_no_cache(tmp_path):
    (tmp_path / "file").touch()
    code = (
        "import jaxseq.runtime as r; r.use_compilation_cache(); import jax; print(jax.config.jax_compilation_cache_dir)"
    )
    assert python(code, XDG_CACHE_HOME=str(tmp_path / "file")) == "None"


def test_without_a_home_there_is_no_cache():
    """As a user of a container, who has no entry among the users."""
    code = (
        "import os, pwd, jaxseq.runtime as r\n"
        "def nobody(key): raise KeyError(key)\n"
        "os.environ.pop('HOME', None); pwd.getpwuid = nobody\n"
        "r.configure(); import jax; print(jax.config.jax_compilation_cache_dir)"
    )
    assert python(code, XDG_CACHE_HOME="") == "None"


@pytest.mark.parametrize("chosen", ["/dev/null/cache", "/proc/cache", "\udcff"])
def test_a_chosen_cache_that_cannot_be_written_is_none(chosen, tmp_path):
    code = (
        "from jaxseq import runtime; runtime.configure(); import jax, jax.numpy as jnp; jnp.ones(3) + 1\n"
        "print(jax.config.jax_compilation_cache_dir)"
    )
    assert python(f"import os; os.chdir({str(tmp_path)!r})\n{code}", JAX_COMPILATION_CACHE_DIR=chosen) == "None"


def test_a_program_that_does_not_fit_on_the_disk_is_not_kept_and_nothing_is_said(tmp_path):
    code = (
        "from jaxseq import runtime; runtime.configure(); import resource, signal, jax.numpy as jnp\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); print(jnp.ones(3) + 1)"
    )
    assert python(code, JAX_COMPILATION_CACHE_DIR=str(tmp_path)) == "[2. 2. 2.]"


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"JAX_PLATFORMS": "cuda"}, "JAX_PLATFORMS asks for, 'cuda' "),
        ({"JAX_PLATFORMS": "klingon"}, "'klingon' is not in the list of known backends"),
        ({"JAX_PLATFORMS": "", "JAX_PLATFORM_NAME": "klingon"}, "JAX_PLATFORM_NAME asks for, 'klingon' "),
        ({"JAX_ENABLE_X64": "perhaps"}, "invalid truth value 'perhaps' for environment 'JAX_ENABLE_X64'"),
        ({"JAX_NUM_CPU_DEVICES": "many"}, "jax_num_cpu_devices): correct that variable of the environment, or unset"),
    ],
)
def test_an_environment_that_cannot_be_is_one_line(environment, told):
    if "cuda" in environment.values() and Path("/dev/nvidiactl").exists():
        pytest.skip("that platform is here")
    code = (
        "from jaxseq import runtime; from jaxseq.errors import InputError\n"
        "try: runtime.configure()\n"
        "except InputError as error: print(error)"
    )
    line = python(code, **environment)
    assert told in line
    assert "\n" not in line


def test_a_model_can_be_used_after_its_table_was_made_without_assertions():
    """Under python -O Flax never takes the interceptor of methods out again."""
    code = (
        "from jaxseq.config import RNNConfig\n"
        "from jaxseq.tasks.language.language_model import build_model, layer_outputs\n"
        "model = build_model(RNNConfig(features=3), vocabulary_size=5)\n"
        "kinds = layer_outputs(model, batch_size=2, length=4)[2]\n"
        "print(model.initial_carry(2)[0].c.shape, kinds['layer_0'])"
    )
    assert python(code, PYTHONOPTIMIZE="1") == "(2, 3) LSTM"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/box\n", {"box/memory.max": "3000", "memory.max": "max"}, [3000]),
        ("0::/box/inner\n", {"box/inner/memory.max": "max", "box/memory.max": "2000"}, [2000]),
        ("0::/host/path\n", {"memory.max": "1000"}, [1000]),
        ("5:cpu,memory:/box\n0::/\n", {"memory/box/memory.limit_in_bytes": "4000"}, [4000]),
        ("1:cpu:/\n", {"memory.max": "1000"}, []),
        ("odd\n", {}, []),
        (None, {"memory.max": "1000"}, []),
    ],
)
def test_a_container_s_memory_counts_whatever_the_version_of_its_control_groups(
    tmp_path, monkeypatch, groups, files, expected
):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    if groups is not None:
        (tmp_path / "own").write_text(groups)
    monkeypatch.setattr(runtime, "_CONTROL_GROUPS", tmp_path)
    monkeypatch.setattr(runtime, "_OWN_GROUPS", tmp_path / "own")
    assert runtime._group_limits() == expected
    there = runtime.memory_limit()
    assert there is not None
    assert there > 2**20 if not expected else there == expected[0]


def test_a_limit_that_the_user_has_set_counts():
    code = "import resource as r, jaxseq.runtime as t; r.setrlimit(r.RLIMIT_AS, (2**30, -1)); print(t.memory_limit())"
    assert python(code) == str(2**30)


def test_a_container_s_share_of_the_cores_counts(tmp_path, monkeypatch):
    share = tmp_path / "cpu.max"
    monkeypatch.setattr(runtime, "_CONTAINER_SHARE", share)
    there = runtime.core_count()
    for text, expected in [
        ("max 100000", there),
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("150000 100000", min(2, there)),
    ]:
        share.write_text(text + "\n")
        assert runtime.core_count() == expected
