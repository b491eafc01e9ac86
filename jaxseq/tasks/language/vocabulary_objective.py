"""What the tokens of a large vocabulary are compared with in training."""

import numpy as np

from jaxseq.config import LanguageModelingConfig
from jaxseq.errors import InputError
from jaxseq.models.ngram import NGram
from jaxseq.nn.frequency_order import require_frequency_order
from jaxseq.nn.language_model import LanguageModel
from jaxseq.nn.sampled_head import SampledHead
from jaxseq.ops.proposals import Proposal
from jaxseq.text.lined import LineTokenizer
from jaxseq.text.tokenizers import Tokenizer


def require_objective(task: LanguageModelingConfig, tokenizer: Tokenizer, counts: np.ndarray) -> None:
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
    if task.objective == "adaptive" and task.cutoffs[-1] >= size:
        raise InputError(
            f"task.cutoffs end with {task.cutoffs[-1]:,} and the vocabulary has {size:,}: give lower ones, or take the "
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


def training_model(
    task: LanguageModelingConfig, model: LanguageModel | NGram, counts: np.ndarray
) -> LanguageModel | NGram:
    """The model with the loss of training; its parameters are those of `model`.

    Args:
        counts: how often each id was seen [v], asked for by the sampler unigram.
    """
    if task.objective != "sampled" or isinstance(model, NGram):
        return model
    size = model.vocabulary_size
    try:
        if task.sampler == "unigram":
            proposal = Proposal.unigram(counts, samples=task.samples)
        else:
            proposal = Proposal.log_uniform(size, samples=task.samples)
    except ValueError as error:
        raise InputError(f"task.samples is {task.samples:,}: {error}") from error
    return model.clone(head=SampledHead(size, full=model.head, proposal=proposal))
