"""What the tokens of a large vocabulary are compared with in training."""

from typing import Protocol

import numpy as np

from jaxseq.errors import InputError
from jaxseq.models.ngram import NGram
from jaxseq.nn.frequency_order import require_frequency_order
from jaxseq.nn.language_model import LanguageModel
from jaxseq.nn.sampled_head import SampledHead
from jaxseq.ops.proposals import Proposal
from jaxseq.text.lined import LineTokenizer
from jaxseq.text.tokenizers import Tokenizer


class Objective(Protocol):
    """What a task's section says of it; one with clusters (objective "adaptive") has their `cutoffs` too."""

    @property
    def objective(self) -> str: ...

    @property
    def samples(self) -> int: ...

    @property
    def sampler(self) -> str: ...


def require_objective(task: Objective, tokenizer: Tokenizer, counts: np.ndarray) -> None:
    """Refuses an objective that the vocabulary does not serve for.

    Args:
        counts: how often each id was seen [v].

    Raises:
        InputError: there are too few words for it, or they are not numbered by frequency where it goes by ranks.
    """
    size = tokenizer.vocabulary_size
    if task.objective == "sampled" and task.samples >= size:
        raise InputError(
            f"task.samples is {task.samples:,} and the vocabulary has {size:,}: draw fewer, or take the objective full"
        )
    cutoffs = tuple[int, ...](getattr(task, "cutoffs", ()))
    if task.objective == "adaptive" and cutoffs[-1] >= size:
        raise InputError(
            f"task.cutoffs end with {cutoffs[-1]:,} and the vocabulary has {size:,}: give lower ones, or take the "
            "objective full"
        )
    if task.objective == "adaptive" or (task.objective == "sampled" and task.sampler == "log_uniform"):
        reserved = {*range(len(tokenizer.vocabulary.specials)), *getattr(tokenizer, "silent_ids", ())}
        if isinstance(tokenizer, LineTokenizer):
            reserved.add(tokenizer.end)
        try:
            require_frequency_order(counts, reserved=reserved, names=tokenizer.vocabulary.symbols)
        except InputError as error:
            instead = "; task.sampler unigram needs no order" if task.objective == "sampled" else ""
            raise InputError(f"task.objective is {task.objective!r}: {error}{instead}") from error


def proposal_of(task: Objective, counts: np.ndarray) -> Proposal | None:
    """What words are drawn from that a token is compared with; None where it is compared with all.

    Args:
        counts: how often each id was seen [v], asked for by the sampler unigram.
    """
    if task.objective != "sampled":
        return None
    try:
        if task.sampler == "unigram":
            return Proposal.unigram(counts, samples=task.samples)
        return Proposal.log_uniform(len(counts), samples=task.samples)
    except ValueError as error:
        raise InputError(f"task.samples is {task.samples:,}: {error}") from error


def training_model(task: Objective, model: LanguageModel | NGram, counts: np.ndarray) -> LanguageModel | NGram:
    """The model with the loss of training; its parameters are those of `model`.

    Args:
        counts: as `proposal_of` has them.
    """
    proposal = None if isinstance(model, NGram) else proposal_of(task, counts)
    if proposal is None or isinstance(model, NGram):
        return model
    return model.clone(head=SampledHead(model.vocabulary_size, full=model.head, proposal=proposal))
