"""Tokens and text out of any model that follows a protocol of `jaxseq.decoding.protocol`."""

from jaxseq.decoding.beam import Beam
from jaxseq.decoding.decode import beam_decode, beam_search, sample_decode, sample_to_end
from jaxseq.decoding.filters import Sampling, filter_logits
from jaxseq.decoding.generation import generate, next_tokens, stream
from jaxseq.decoding.hypotheses import Hypotheses
from jaxseq.decoding.prompts import prompt_ids, prompt_remark, readable, stop_remark
from jaxseq.decoding.sampling import Samples, sample_tokens
from jaxseq.decoding.stopping import StopFilter
from jaxseq.decoding.transcript import Transcript

__all__ = [
    "Beam",
    "Hypotheses",
    "Samples",
    "Sampling",
    "StopFilter",
    "Transcript",
    "beam_decode",
    "beam_search",
    "filter_logits",
    "generate",
    "next_tokens",
    "prompt_ids",
    "prompt_remark",
    "readable",
    "sample_decode",
    "sample_to_end",
    "sample_tokens",
    "stop_remark",
    "stream",
]
