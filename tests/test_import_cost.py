"""What an import costs is paid by every script and every command line."""

import importlib
import subprocess
import sys

import pytest

LATE = (
    "jax",
    "jaxtyping",
    "flax",
    "optax",
    "orbax",
    "tensorflow_datasets",
    "tensorflow",
    "kiwipiepy",
    "matplotlib",
    "tensorboardX",
    "tqdm",
    "tyro",
    "tokenizers",
    "sentencepiece",
    "rapidfuzz",
    "sacrebleu",
    "sklearn",
    "PIL",
)
PUBLIC = ("text", "data", "ops", "nn", "models", "decoding", "tasks", "runs", "config")


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that are loaded after `statement` in a new process."""
    program = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("statement", ["import jaxseq", "import jaxseq.text, jaxseq.data, jaxseq.config"])
def test_text_and_data_load_no_heavy_library(statement):
    assert not loaded_by(statement) & set(LATE)


def test_models_load_jax_and_flax_alone():
    loaded = loaded_by(
        "from jaxseq.models import Recurrent\nfrom jaxseq.nn import LanguageModel\nfrom jaxseq.decoding import generate"
    )
    assert {"jax", "flax"} <= loaded
    assert not loaded & {"tensorflow_datasets", "tensorflow", "matplotlib", "tensorboardX", "tqdm", "tyro"}


@pytest.mark.parametrize("package", PUBLIC)
def test_a_package_has_the_names_it_lists(package):
    module = importlib.import_module(f"jaxseq.{package}")
    assert module.__all__ == sorted(module.__all__, key=str)
    assert all(hasattr(module, name) for name in module.__all__)
    assert module.__doc__


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("text", "CharTokenizer"),
        ("data", "contiguous_rows"),
        ("models", "Recurrent"),
        ("nn", "LanguageModel"),
        ("decoding", "generate"),
        ("runs", "load_run"),
        ("runs", "train_model"),
        ("tasks", "build_model"),
        ("tasks", "init_params"),
        ("tasks", "make_loss_fn"),
        ("config", "AdamConfig"),
        ("config", "RNNConfig"),
    ],
)
def test_what_scripts_import_is_listed_where_they_look_for_it(package, name):
    assert name in importlib.import_module(f"jaxseq.{package}").__all__
