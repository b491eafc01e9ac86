"""The model that writes captions, from its section of the configuration, and its loss."""

from typing import Any

import jax.numpy as jnp

from jaxseq.config import CaptionerConfig, ModelConfig
from jaxseq.errors import ConfigError, InputError
from jaxseq.models.picture_encoder import PictureEncoder
from jaxseq.models.seq2seq_recurrent import RecurrentTargetDecoder
from jaxseq.nn.embedding import normal_of, uniform_within
from jaxseq.nn.heads import TiedHead, VocabularyHead
from jaxseq.nn.picture_decoder import PictureDecoder
from jaxseq.nn.smoothed_head import SmoothedHead
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.tasks.picture_form import PictureForm
from jaxseq.tasks.task import Variables


def build_captioner(
    config: ModelConfig,
    *,
    form: PictureForm,
    vocabulary_size: int,
    start_token: int,
    label_smoothing: float = 0.0,
    dtype: str = "float32",
) -> PictureDecoder:
    """The model that `config` describes; `dtype` is the type of activations.

    Args:
        form: of the pictures.
        vocabulary_size: tokens of captions.
        start_token: the id that a caption begins with, unless said otherwise.
        label_smoothing: in training, the share of a target's probability that all words are given alike.

    Raises:
        ConfigError: a model of this kind reads no pictures.
        InputError: pictures are too small for it.
    """
    if not isinstance(config, CaptionerConfig):
        raise ConfigError(f"model.kind is {config.kind!r}: a model that captions pictures is captioner")
    common = {"features": config.features, "layers": config.layers, "cell": config.cell, "dtype": jnp.dtype(dtype)}
    encoder = PictureEncoder(
        filters=config.filters,
        poolings=config.poolings,
        channels=form.channels,
        positions=config.positions,
        dropout=config.picture_dropout,
        **common,
    )
    try:
        encoder.grid(form.height, form.width)
    except ValueError as error:
        raise InputError(
            f"pictures of {form} are too small for the model: {error}; lower model.poolings or give a larger data.size"
        ) from error
    decoder = RecurrentTargetDecoder(
        input_dropout=config.input_dropout,
        dropout=config.dropout,
        output_dropout=config.output_dropout,
        attention=config.attention,
        use_scale=config.use_scale and config.attention != "none",
        input_feeding=config.input_feeding,
        source_features=config.filters[-1],
        **common,
    )
    head = (TiedHead if config.tie_embedding else VocabularyHead)(vocabulary_size)
    return PictureDecoder(
        encoder,
        decoder,
        SmoothedHead(vocabulary_size, head, label_smoothing) if label_smoothing else head,
        embedding=config.embedding,
        start_token=start_token,
        initial=uniform_within(0.1) if config.tie_embedding else normal_of(1.0),
        mean=form.mean,
        deviation=form.deviation,
    )


def caption_loss(model: PictureDecoder) -> LossFn:
    """The loss for batches of `jaxseq.data.picture_batches.CaptionLoader`: cross-entropy in nats ("loss") and hits
    ("accuracy") of each token, those before it being given."""

    def loss_fn(variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        tallies: Any = model.apply(
            variables,
            batch.pictures,
            batch.inputs,
            batch.targets,
            mask=batch.mask,
            train=context.train,
            rngs=context.rngs("dropout", "samples"),
            method="loss",
        )
        return LossOutput(tallies)

    return loss_fn
