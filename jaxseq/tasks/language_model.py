"""Language models of any family, and their loss for batches of any loader of tokens."""

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxseq.config import CorpusConfig, ModelConfig, RNNConfig, TransformerConfig
from jaxseq.data.corpus import Corpus, require_ids, take_split
from jaxseq.errors import ConfigError, InputError
from jaxseq.metrics.perplexity import TOKEN_METRICS
from jaxseq.models.recurrent import Recurrent
from jaxseq.models.transformer import Transformer
from jaxseq.nn.heads import BareHead, TiedHead, VocabularyHead
from jaxseq.nn.language_model import LanguageModel
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.tasks.corpora import TextLoader, row_loader, window_loader
from jaxseq.tasks.layer_table import traced_layers
from jaxseq.tasks.task import Evaluation, LayerOutputs, Variables

_KINDS = {"VocabularyHead": "Linear"}
"""What the table of layers calls a module, where that is not the name of its class."""
_OWN = {"embedding": "Embedding", "position_table": "Embedding", "head_kernel": "Linear"}
"""Kinds of the parameters that models hold themselves; the last axis of each is that of what it makes."""


def build_model(
    config: ModelConfig, *, vocabulary_size: int, predict: Literal["every", "last"] = "every", dtype: str = "float32"
) -> LanguageModel:
    """The model that `config` describes; `dtype` is the type of activations.

    Raises:
        ConfigError: a model of this kind is no language model, or reads both ways.
    """
    if not isinstance(config, RNNConfig | TransformerConfig):
        raise ConfigError(f"model.kind is {config.kind!r}: a language model is an rnn or a transformer")
    fields = {"vocabulary_size": vocabulary_size, "dtype": jnp.dtype(dtype), **dataclasses.asdict(config)}
    if isinstance(config, RNNConfig):
        if config.bidirectional:
            raise ConfigError("model.bidirectional is True: a language model sees no later tokens, leave it out")
        return LanguageModel(Recurrent(**fields), VocabularyHead(vocabulary_size), predict)
    head = TiedHead if fields.pop("tie_embedding") else BareHead
    return LanguageModel(Transformer(**fields), head(vocabulary_size), predict)


def init_variables(model: LanguageModel, key: jax.Array) -> Variables:
    """Fresh parameters, nested dicts of float32 arrays under "params"."""
    return jax.jit(model.init)(key, jnp.zeros((1, 1), jnp.int32))


def init_params(model: LanguageModel, *, seed: int) -> dict[str, Any]:
    """Fresh parameters from a seed."""
    return init_variables(model, jax.random.key(seed))["params"]


def make_loss_fn(model: LanguageModel, loader: TextLoader) -> LossFn:
    """The loss for batches of `loader`.

    What the loader promises never to happen is left out of the compiled program: a mask that is all True, a reset
    anywhere but at the start of a window. `carry` is None for independent windows.

    Raises:
        InputError: the loader has ids outside the model's vocabulary. They are looked through here, once, unless the
            loader knows of a vocabulary that they are from.
    """
    if loader.vocab_size is None or loader.vocab_size > model.vocabulary_size:
        require_ids(loader.ids, vocab_size=model.vocabulary_size)

    def loss_fn(variables: Any, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        reset = batch.reset if loader.interior_resets else None
        if loader.carried and reset is None:
            carry = _from_start(model, carry, batch.reset[:, 0])
        tallies, after = model.apply(
            variables,
            batch.inputs,
            batch.targets,
            carry,
            mask=batch.mask if loader.masked else None,
            reset=reset,
            train=context.train,
            rngs=context.rngs("dropout", "samples"),
            method="loss",
        )
        return LossOutput(tallies, after if loader.carried else None)

    return loss_fn


def _from_start(model: LanguageModel, carry: Any, rows: jax.Array) -> Any:
    """`carry` with the initial one in the rows [b] where `rows` is True."""

    def choose(initial: jax.Array, current: jax.Array) -> jax.Array:
        return jnp.where(rows.reshape(-1, *[1] * (current.ndim - 1)), initial, current)

    return jax.tree.map(choose, model.initial_carry(len(rows)), carry)


def evaluation(
    model: LanguageModel, config: CorpusConfig, part: Corpus, *, how: Literal["carried", "windows"], rows: int = 1
) -> Evaluation:
    """A pass over the whole of a split.

    "carried": the split as `rows` contiguous rows, the carry handed on to the end. "windows": every window from the
    initial carry. A model that predicts the last token only is asked for that of each window, or, carried, for every
    token.

    Carried, every token is predicted but the first, which nothing precedes. In windows those after the last whole
    window are not either; the loader's `left_out` says so in words.
    """
    last_only = model.predict == "last"
    if how == "carried":
        model = model.clone(predict="every") if last_only else model
        loader: TextLoader = row_loader(config, part, rows=rows)
        return Evaluation(make_loss_fn(model, loader), loader, TOKEN_METRICS, lambda: model.initial_carry(rows))
    loader = window_loader(config, part, shift=config.shift if last_only else config.length)
    return Evaluation(make_loss_fn(model, loader), loader, TOKEN_METRICS)


def validation(config: CorpusConfig, model: LanguageModel, corpus: Corpus) -> Evaluation | None:
    """That of the validation split while a model trains, read as the training split is; None without a split.

    Raises:
        InputError: the split is too short for it.
    """
    if not config.has_validation:
        return None
    part = take_split(corpus, config.split, "validation")
    how: Literal["carried", "windows"] = "carried" if config.layout == "rows" else "windows"
    # As many rows as in training where the split is long enough to fill them.
    rows = max(1, min(config.batch_size, (len(part.ids) - 1) // config.length))
    try:
        return evaluation(model, config, part, how=how, rows=rows)
    except InputError as error:
        raise InputError(f"the validation split cannot be used: {error}, or give data.split other shares") from error


def layer_outputs(model: LanguageModel, *, batch_size: int, length: int) -> LayerOutputs:
    """The layers of a model, and what each gives for a batch of tokens [batch_size, length]."""
    layers = traced_layers(model, jax.ShapeDtypeStruct((batch_size, length), jnp.int32), kinds=_KINDS)
    params: Any = layers.shapes
    outputs, kinds = dict(layers.outputs), dict(layers.kinds)
    for name, kind in _OWN.items():
        if name in params:  # used wherever that is cheapest, by no module of its own
            kinds[name] = kind
            outputs[name] = jax.ShapeDtypeStruct((batch_size, length, params[name].shape[-1]), jnp.float32)
    if "head_kernel" in params:  # declared with the others, used last
        params["head_kernel"] = params.pop("head_kernel")
    return LayerOutputs(params, outputs, kinds)
