"""Language models: ties a corpus, a model of any family, the loss and the metrics together."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxseq.config import DataConfig, ExperimentConfig, ModelConfig, RNNConfig, from_json
from jaxseq.data.corpus import Corpus, require_ids, take_split
from jaxseq.errors import CheckpointError, InputError
from jaxseq.models.rnn import RNNLanguageModel
from jaxseq.models.transformer import TransformerLanguageModel
from jaxseq.opening import read_bytes
from jaxseq.ops.losses import Tally
from jaxseq.signals import Poll, never
from jaxseq.storage.checkpoint import CheckpointStore, Restored
from jaxseq.tasks.corpora import TextLoader, row_loader, window_loader
from jaxseq.text.tokenizers import Tokenizer, tokenizer_from_text
from jaxseq.training.devices import choose_devices
from jaxseq.training.evaluate import Evaluator

LanguageModel = RNNLanguageModel | TransformerLanguageModel
LossFn = Callable[..., tuple[dict[str, Tally], Any]]

_KINDS = {"Head": "Linear"}
"""What the table of layers calls a module, where that is not the name of its class."""
_OWN = {"embedding": "Embedding", "position_table": "Embedding", "head_kernel": "Linear"}
"""Kinds of the parameters that models hold themselves; the last axis of each is that of what it makes."""


def build_model(config: ModelConfig, *, vocabulary_size: int, dtype: str = "float32") -> LanguageModel:
    """The model that `config` describes; `dtype` is the type of activations."""
    family = RNNLanguageModel if isinstance(config, RNNConfig) else TransformerLanguageModel
    return family(vocabulary_size=vocabulary_size, dtype=jnp.dtype(dtype), **dataclasses.asdict(config))


def init_params(model: LanguageModel, *, seed: int) -> dict[str, Any]:
    """Fresh parameters, nested dicts of float32 arrays."""
    return jax.jit(model.init)(jax.random.key(seed), jnp.zeros((1, 1), jnp.int32))["params"]


def make_loss_fn(model: LanguageModel, loader: TextLoader) -> LossFn:
    """`loss_fn(params, carry, batch, key, train) -> (tallies, carry)` for batches of `loader`.

    What the loader promises never to happen is left out of the compiled program: a mask that is all True, a reset
    anywhere but at the start of a window. `carry` is None for independent windows.

    Raises:
        InputError: the loader has ids outside the model's vocabulary. They are looked through here, once, unless the
            loader knows of a vocabulary that they are from.
    """
    if loader.vocab_size is None or loader.vocab_size > model.vocabulary_size:
        require_ids(loader.ids, vocab_size=model.vocabulary_size)

    def loss_fn(params: Any, carry: Any, batch: Any, key: jax.Array, train: bool) -> tuple[dict[str, Tally], Any]:
        reset = batch.reset if loader.interior_resets else None
        if loader.carried and reset is None:
            carry = _from_start(model, carry, batch.reset[:, 0])
        tallies, after = model.apply(
            {"params": params},
            batch.inputs,
            batch.targets,
            carry,
            mask=batch.mask if loader.masked else None,
            reset=reset,
            train=train,
            rngs={"dropout": key} if train else None,
            method="loss",
        )
        return tallies, after if loader.carried else None

    return loss_fn


def _from_start(model: LanguageModel, carry: Any, rows: jax.Array) -> Any:
    """`carry` with the initial one in the rows [b] where `rows` is True."""

    def choose(initial: jax.Array, current: jax.Array) -> jax.Array:
        return jnp.where(rows.reshape(-1, *[1] * (current.ndim - 1)), initial, current)

    return jax.tree.map(choose, model.initial_carry(len(rows)), carry)


class SplitEvaluator:
    """Metrics of a model on one split; compiled once.

    "carried": the split as contiguous rows, the carry handed on to the end. "windows": every window from the initial
    carry. A model that predicts the last token only is asked for that of each window, or, carried, for every token.

    Carried, every token is predicted but the first, which nothing precedes. In windows those after the last whole
    window are not either; `left_out` says so in words, and "tokens" of the metrics how many predictions they are of.
    """

    def __init__(
        self,
        model: LanguageModel,
        config: DataConfig,
        part: Corpus,
        *,
        how: Literal["carried", "windows"],
        rows: int = 1,
        devices: int = 0,
    ) -> None:
        last_only = getattr(model, "predict", "every") == "last"
        if how == "carried":
            model = model.clone(predict="every") if last_only else model
            self.loader: TextLoader = row_loader(config, part, rows=rows)
        else:
            self.loader = window_loader(config, part, shift=config.shift if last_only else config.length)
        self._model = model
        parallel, _ = choose_devices(devices, self.loader.batch_size)
        self._evaluator = Evaluator(make_loss_fn(model, self.loader), parallel=parallel)

    @property
    def left_out(self) -> str:
        """What of the split is not measured, in words; empty where all is."""
        return self.loader.left_out

    def __call__(self, params: Any, *, batches: int = 0, poll: Poll = never) -> dict[str, float]:
        """Metrics over the first `batches` batches, 0 for the whole split; `poll` is called every few of them."""
        carry = self._model.initial_carry(self.loader.batch_size) if self.loader.carried else None
        steps = min(batches, self.loader.steps_per_epoch) if batches else self.loader.steps_per_epoch
        return self._evaluator(params, self.loader, steps=steps, carry=carry, poll=poll)


class Validation(NamedTuple):
    """Metrics on the validation split while a run trains."""

    evaluator: SplitEvaluator
    batches: int
    """Batches in an evaluation that need not be of the whole split; 0 for all."""
    poll: Poll = never
    """Called every few batches."""

    def __call__(self, params: Any, whole: bool) -> dict[str, float]:
        return self.evaluator(params, batches=0 if whole else self.batches, poll=self.poll)


def validation_evaluator(
    config: ExperimentConfig, model: LanguageModel, corpus: Corpus, *, poll: Poll = never
) -> Validation | None:
    """`evaluate(params, whole) -> metrics` on the validation split, in the layout of training; None without a split."""
    if config.data.split[1] == 0:
        return None
    part = take_split(corpus, config.data.split, "validation")
    how: Literal["carried", "windows"] = "carried" if config.data.layout == "rows" else "windows"
    # As many rows as in training where the split is long enough to fill them.
    rows = max(1, min(config.data.batch_size, (len(part.ids) - 1) // config.data.length))
    try:
        evaluator = SplitEvaluator(model, config.data, part, how=how, rows=rows, devices=config.train.devices)
    except InputError as error:
        raise InputError(f"the validation split cannot be used: {error}, or give data.split other shares") from error
    return Validation(evaluator, config.train.evaluate_batches, poll)


class Loaded(NamedTuple):
    """A trained model and all it takes to use it."""

    config: ExperimentConfig
    tokenizer: Tokenizer
    model: LanguageModel
    params: dict[str, Any]
    step: int
    corpus: str
    """Fingerprint of the corpus it was trained on."""
    skipped: list[str]
    """One line for each newer checkpoint that could not be used: which, and why."""


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
    expected = jax.eval_shape(lambda: init_params(model, seed=0))
    found = jax.tree.map(np.shape, opened.arrays)
    if jax.tree.map(lambda leaf: leaf.shape, expected) != found:
        raise CheckpointError(
            f"the checkpoint of step {opened.step} in {run_dir} does not fit its tokenizer and configuration, whose "
            f"vocabulary has {len(tokenizer.vocabulary)} symbols: one of them was changed by hand; train anew"
        )
    params = jax.tree.map(jnp.asarray, opened.arrays)
    return Loaded(config, tokenizer, model, params, opened.step, corpus, opened.skipped)


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
            return store.restore_params(which="best")
        except CheckpointError as error:
            lost = [f"{error}; the newest one serves instead of the best"]
    newest = store.restore_params()
    return None if newest is None else newest._replace(skipped=[*lost, *newest.skipped])


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer in the tokenizer.json at `path`.

    Raises:
        CheckpointError: it cannot be read, or holds no tokenizer.
    """
    try:
        return tokenizer_from_text(read_bytes(path))
    except (OSError, InputError) as error:
        raise CheckpointError(
            f"{path} cannot be used ({error}): take the one of a checkpoint, or start anew with --fresh"
        ) from error


def layer_outputs(model: LanguageModel, *, batch_size: int, length: int) -> tuple[Any, Any, dict[str, str]]:
    """Shapes of the parameters, in the order they are used in, and of every layer's output for a batch, and the kinds
    of the layers, as `training.table.layers_of` takes them."""
    shapes: dict[tuple[str, ...], jax.ShapeDtypeStruct] = {}
    kinds: dict[str, str] = {}

    def note_kind(method: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        if context.module.scope is not None:  # under python -O Flax leaves this function in place for ever
            kind = type(context.module).__name__
            kinds["/".join(context.module.path)] = _KINDS.get(kind, kind)
        return method(*args, **kwargs)

    def trace(tokens: jax.Array) -> Any:
        params: Any = model.init(jax.random.key(0), tokens)["params"]
        # Noted here, since a dict of what a traced function returns has its keys sorted.
        leaves: Any = flatten_dict(params)
        shapes.update({path: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for path, leaf in leaves.items()})
        with nn.intercept_methods(note_kind):
            return model.apply({"params": params}, tokens, capture_intermediates=True, mutable=["intermediates"])[1]

    outputs = jax.eval_shape(trace, jax.ShapeDtypeStruct((batch_size, length), jnp.int32))["intermediates"]
    params: Any = unflatten_dict(shapes)
    for name, kind in _OWN.items():
        if name in params:  # used wherever that is cheapest, by no module of its own
            kinds[name] = kind
            outputs[name] = jax.ShapeDtypeStruct((batch_size, length, params[name].shape[-1]), jnp.float32)
    if "head_kernel" in params:  # declared with the others, used last
        params["head_kernel"] = params.pop("head_kernel")
    return params, outputs, kinds
