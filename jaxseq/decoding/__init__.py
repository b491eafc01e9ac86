"""Tokens and text out of any model that follows `jaxseq.decoding.protocol.AutoregressiveModel`."""

from jaxseq.decoding.filters import Sampling, filter_logits
from jaxseq.decoding.generation import generate, next_tokens, stream
from jaxseq.decoding.prompts import prompt_ids, prompt_remark, readable, stop_remark
from jaxseq.decoding.sampling import sample_tokens
from jaxseq.decoding.stopping import StopFilter
from jaxseq.decoding.transcript import Transcript

__all__ = [
    "Sampling",
    "StopFilter",
    "Transcript",
    "filter_logits",
    "generate",
    "next_tokens",
    "prompt_ids",
    "prompt_remark",
    "readable",
    "sample_tokens",
    "stop_remark",
    "stream",
]
