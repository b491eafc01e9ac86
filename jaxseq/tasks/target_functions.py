"""What a model that writes a target about a source computes, as functions that are exported."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxseq.interop.exported import ExportedFunction
from jaxseq.interop.open_functions import conditioned_functions, example_ids, example_mask, open_sizes
from jaxseq.nn.encoder_decoder import EncoderDecoder
from jaxseq.nn.picture_decoder import PictureDecoder
from jaxseq.nn.target_model import TargetModel
from jaxseq.ops.shapes import Array
from jaxseq.tasks.task import Variables


def encoder_decoder_functions(model: EncoderDecoder, variables: Variables) -> dict[str, ExportedFunction]:
    """start of source [b, s] int32 and mask [b, s] bool; and step. b and s are open.

    variables: their shapes.
    """
    shape = open_sizes("b, s")
    inputs = {
        "source": jax.ShapeDtypeStruct(shape, jnp.int32),
        "mask": jax.ShapeDtypeStruct(shape, jnp.bool_),
    }

    def start(variables: Variables, source: Array, mask: Array) -> tuple[Array, Any]:
        _, logits, carry = model.start(variables["params"], source, mask=mask)
        return logits, carry

    example = {"source": example_ids(model.source_vocabulary or model.vocabulary_size), "mask": example_mask()}
    return conditioned_functions(start, _step_of(model), variables, inputs, example=example)


def picture_decoder_functions(
    model: PictureDecoder, variables: Variables, picture: tuple[int, int, int]
) -> dict[str, ExportedFunction]:
    """start of pictures [b, h, w, c] uint8 and begin [b] int32; and step. b is open.

    Args:
        variables: their shapes.
        picture: height, width and channels.
    """
    (rows,) = open_sizes("b")
    inputs = {
        "pictures": jax.ShapeDtypeStruct((rows, *picture), jnp.uint8),
        "begin": jax.ShapeDtypeStruct((rows,), jnp.int32),
    }

    def start(variables: Variables, pictures: Array, begin: Array) -> tuple[Array, Any]:
        _, logits, carry = model.start(variables["params"], pictures, begin=begin)
        return logits, carry

    return conditioned_functions(start, _step_of(model), variables, inputs)


def _step_of(model: TargetModel) -> Any:
    def step(variables: Variables, tokens: Array, carry: Any) -> tuple[Array, Any]:
        return model.decode_step(model.decoding_weights(variables["params"]), tokens, carry)

    return step
