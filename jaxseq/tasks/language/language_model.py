"""Language models of any family, and their loss for batches of any loader of tokens."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxseq.config import ModelConfig, NGramConfig, RNNConfig, TransformerConfig, WindowBagConfig
from jaxseq.data.corpus import require_ids
from jaxseq.errors import ConfigError
from jaxseq.metrics.perplexity import TOKEN_METRICS
from jaxseq.models.ngram import NGram
from jaxseq.models.recurrent import Recurrent
from jaxseq.models.transformer import Transformer
from jaxseq.models.window_bag import WindowBag
from jaxseq.nn.adaptive_head import AdaptiveHead
from jaxseq.nn.heads import BareHead, TiedHead, VocabularyHead
from jaxseq.nn.language_model import LanguageModel
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.tasks.language.token_splits import TextLoader
from jaxseq.tasks.layer_table import traced_layers, with_tables
from jaxseq.tasks.task import Evaluation, LayerOutputs, Variables

_KINDS = {"VocabularyHead": "Linear"}
"""What the table of layers calls a module, where that is not the name of its class."""


def build_model(
    config: ModelConfig,
    *,
    vocabulary_size: int,
    predict: Literal["every", "last"] = "every",
    cutoffs: Sequence[int] = (),
    dtype: str = "float32",
) -> LanguageModel | NGram:
    """The model that `config` describes; `dtype` is the type of activations.

    Args:
        cutoffs: where clusters of rarer words begin, for an adaptive softmax in place of a full one.

    Raises:
        ConfigError: a model of this kind is no language model, or reads both ways; its output layer is the embedding
            and it is to have clusters.
    """
    if isinstance(config, NGramConfig):
        return NGram(vocabulary_size, config.order, predict=predict)
    if not isinstance(config, RNNConfig | TransformerConfig | WindowBagConfig):
        raise ConfigError(f"model.kind is {config.kind!r}: a language model is rnn, transformer, window_bag or ngram")
    fields = {"vocabulary_size": vocabulary_size, "dtype": jnp.dtype(dtype), **dataclasses.asdict(config)}
    if isinstance(config, RNNConfig) and config.bidirectional:
        raise ConfigError("model.bidirectional is True: a language model sees no later tokens, leave it out")
    tied = fields.pop("tie_embedding", False)
    if tied and cutoffs:
        raise ConfigError(
            "task.objective is 'adaptive' and model.tie_embedding is True: clusters have output layers of their own, "
            "choose one of the two"
        )
    plain = BareHead if isinstance(config, TransformerConfig) else VocabularyHead
    head = (TiedHead if tied else plain)(vocabulary_size)
    if cutoffs:
        head = AdaptiveHead(vocabulary_size, tuple(cutoffs))
    bodies = {RNNConfig: Recurrent, TransformerConfig: Transformer, WindowBagConfig: WindowBag}
    return LanguageModel(bodies[type(config)](**fields), head, predict)


def init_variables(model: LanguageModel | NGram, key: jax.Array) -> Variables:
    """Fresh parameters, nested dicts of float32 arrays under "params"."""
    return jax.jit(model.init)(key, jnp.zeros((1, 1), jnp.int32))


def init_params(model: LanguageModel | NGram, *, seed: int) -> dict[str, Any]:
    """Fresh parameters from a seed."""
    return init_variables(model, jax.random.key(seed))["params"]


def make_loss_fn(model: LanguageModel | NGram, loader: TextLoader) -> LossFn:
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


def _from_start(model: LanguageModel | NGram, carry: Any, rows: jax.Array) -> Any:
    """`carry` with the initial one in the rows [b] where `rows` is True."""

    def choose(initial: jax.Array, current: jax.Array) -> jax.Array:
        return jnp.where(rows.reshape(-1, *[1] * (current.ndim - 1)), initial, current)

    return jax.tree.map(choose, model.initial_carry(len(rows)), carry)


def evaluation(model: LanguageModel | NGram, loader: TextLoader) -> Evaluation:
    """The pass of a loader over a split, the carry handed on where it is contiguous.

    A model that predicts the last token only is asked for that of each window, or, carried, for every token.
    """
    if not loader.carried:
        return Evaluation(make_loss_fn(model, loader), loader, TOKEN_METRICS)
    model = model.clone(predict="every") if model.predict == "last" else model
    return Evaluation(
        make_loss_fn(model, loader), loader, TOKEN_METRICS, lambda: model.initial_carry(loader.batch_size)
    )


def layer_outputs(model: LanguageModel | NGram, *, batch_size: int, length: int) -> LayerOutputs:
    """The layers of a model, and what each gives for a batch of tokens [batch_size, length]."""
    traced: Any = traced_layers(model, jax.ShapeDtypeStruct((batch_size, length), jnp.int32), kinds=_KINDS)
    found = with_tables(traced, dict.fromkeys(("embedding", "position_table"), (batch_size, length)))
    if "head_kernel" not in found.shapes:
        return found
    # Declared with the others, used last, by a head that has no parameters of its own.
    shapes = dict(found.shapes)
    shapes["head_kernel"] = shapes.pop("head_kernel")
    outputs = {**found.outputs, "head_kernel": found.outputs["head"]}

    def products() -> Mapping[str, int]:
        return {"head_kernel" if name == "head" else name: count for name, count in traced.products().items()}

    return LayerOutputs(shapes, outputs, {**found.kinds, "head_kernel": "Linear"}, products)
