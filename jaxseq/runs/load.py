"""From a run directory to a trained model."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.config import ExperimentConfig, from_json
from jaxseq.errors import CheckpointError, InputError
from jaxseq.storage.checkpoint import CheckpointStore, Restored
from jaxseq.tasks.language_modeling import LanguageModel, build_model, init_params
from jaxseq.text.tokenizers import Tokenizer, tokenizer_from_text


class Loaded(NamedTuple):
    """A trained model and all it takes to use it."""

    config: ExperimentConfig
    tokenizer: Tokenizer
    model: LanguageModel
    variables: dict[str, Any]
    """{"params": ...} and other collections, as Flax's `apply` takes them."""
    step: int
    corpus: str
    """Fingerprint of the corpus it was trained on."""
    skipped: list[str]
    """One line for each newer checkpoint that could not be used: which, and why."""

    @property
    def params(self) -> dict[str, Any]:
        """The parameters alone."""
        return self.variables["params"]


def load_run(run_dir: str | Path, *, checkpoint: Literal["best", "newest"] = "best") -> Loaded:
    """The model of a run directory, which needs nothing else. Without validation the newest checkpoint is the best.

    Raises:
        CheckpointError: there is no run, no checkpoint, or none that is whole.
    """
    run_dir = Path(run_dir)
    store = CheckpointStore(run_dir / "checkpoints")
    try:
        trained = run_dir.is_dir() and bool(store.steps())
    except OSError as error:
        raise CheckpointError(f"{run_dir} cannot be read ({error.strerror}): check the permissions above it") from error
    opened = _opened(store, checkpoint) if trained else None
    if opened is None:
        raise CheckpointError(f"{run_dir} holds no trained model: train one with `jaxseq train`, or check the path")
    config_text, tokenizer_text = (_text_of(opened, run_dir, name) for name in ("config.json", "tokenizer.json"))
    corpus = opened.meta.get("corpus")
    if not isinstance(corpus, str):
        raise CheckpointError(f"{_named(opened, run_dir)} names no corpus: {_NOT_A_RUN}")
    try:
        config, tokenizer = from_json(config_text), tokenizer_from_text(tokenizer_text)
    except InputError as error:
        raise CheckpointError(
            f"{_named(opened, run_dir)} cannot be used, it was changed by hand ({error}): train anew"
        ) from error
    model = build_model(config.model, vocabulary_size=len(tokenizer.vocabulary), dtype=config.train.compute_dtype)
    expected = {"params": jax.eval_shape(lambda: init_params(model, seed=0))}
    found = jax.tree.map(np.shape, opened.arrays)
    if jax.tree.map(lambda leaf: leaf.shape, expected) != found:
        raise CheckpointError(
            f"the checkpoint of step {opened.step} in {run_dir} does not fit its tokenizer and configuration, whose "
            f"vocabulary has {len(tokenizer.vocabulary)} symbols: one of them was changed by hand; train anew"
        )
    variables = jax.tree.map(jnp.asarray, opened.arrays)
    return Loaded(config, tokenizer, model, variables, opened.step, corpus, opened.skipped)


_NOT_A_RUN = "it is not of `jaxseq train`; choose another run directory"


def _named(opened: Restored, run_dir: Path) -> str:
    return f"the checkpoint of step {opened.step} in {run_dir}"


def _text_of(opened: Restored, run_dir: Path, name: str) -> str:
    if name not in opened.files:
        raise CheckpointError(f"{_named(opened, run_dir)} holds no {name}: {_NOT_A_RUN}")
    return opened.files[name]


def _opened(store: CheckpointStore, checkpoint: Literal["best", "newest"]) -> Restored | None:
    """The parameters asked for; where the best ones are damaged the newest, and a line in `skipped` that says so. None
    where there are none, or no longer."""
    lost: list[str] = []
    if checkpoint == "best" and store.has_best():
        try:
            return store.restore_variables(which="best")
        except CheckpointError as error:
            lost = [f"{error}; the newest one serves instead of the best"]
    newest = store.restore_variables()
    return None if newest is None else newest._replace(skipped=[*lost, *newest.skipped])
