"""Encoders that a classifier starts with, and what is different where they are left as they are.

A frozen encoder is no parameter, for which an optimizer would keep moments, but a collection of its own in the
variables: {"params": {"head": ...}, "frozen": {"body": ...}}. What it makes of the texts to train on is worked out
once, and kept beside the run.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
from numpy.typing import NDArray

from jaxseq.config import ExperimentConfig
from jaxseq.data.examples import Sequences
from jaxseq.data.vector_file import is_vector_file, read_vector_file, write_vector_file
from jaxseq.errors import InputError
from jaxseq.nn.classifier import Classifier
from jaxseq.ops.losses import cross_entropy
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.tasks.classification.classifiers import init_classifier, with_encoder
from jaxseq.tasks.classification.sections import sections
from jaxseq.tasks.classification.text_outputs import TextOutputs
from jaxseq.tasks.pretrained_encoders import PretrainedEncoder, read_pretrained
from jaxseq.tasks.task import Variables, Workspace
from jaxseq.text.vocab import fingerprint_of

VECTORS = "vectors.npz"
_FROZEN = "frozen"


def frozen(variables: Variables) -> Variables:
    """The variables of a classifier with its body as a collection of its own."""
    params = {name: tree for name, tree in variables["params"].items() if name != "body"}
    return {**variables, "params": params, _FROZEN: {"body": variables["params"]["body"]}}


def whole(variables: Variables) -> Variables:
    """Inverse of `frozen`; others as they are."""
    if _FROZEN not in variables:
        return variables
    others = {name: tree for name, tree in variables.items() if name != _FROZEN}
    return {**others, "params": {**variables["params"], **variables[_FROZEN]}}


def pooled_loss(model: Classifier) -> LossFn:
    """The loss of `classification_loss` for batches of `jaxseq.data.vector_batches`."""

    def loss_fn(variables: Variables, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        rngs = context.rngs("dropout")
        params = {"params": variables["params"]}
        logits: Any = model.apply(params, batch.vectors, train=context.train, rngs=rngs, method="from_pooled")
        loss, hits = cross_entropy(logits, batch.labels, batch.valid)
        return LossOutput({"loss": loss, "accuracy": hits})

    return loss_fn


class Origin(NamedTuple):
    """All that the vectors of texts follow from."""

    experiment: ExperimentConfig
    texts: str
    """Their fingerprint."""
    tokenizer: str
    """Its fingerprint."""
    encoder: str
    """Its checksum."""

    @property
    def fingerprint(self) -> str:
        """Changes when one of these does."""
        task, data = sections(self.experiment)
        reading = {name: getattr(data, name) for name in ("length", "lengths", "characters", "truncating", "padding")}
        own = {"pooling": list(task.pooling), "dtype": self.experiment.train.compute_dtype}
        return fingerprint_of({**reading, **own, "origin": list(self[1:])})


def kept_vectors(
    parts: Mapping[str, Sequences],
    outputs: TextOutputs,
    origin: Origin,
    *,
    encoder: PretrainedEncoder | None,
    workspace: Workspace,
) -> dict[str, NDArray]:
    """The vectors [n, d] of the texts of each part: those that lie in the workspace, or new ones, which are put there.

    Args:
        encoder: that of a new run; None reads it again, where vectors have to be made.

    Raises:
        InputError: the encoder cannot be read, or is another one by now; the vectors cannot be written, or another
            program's file is in their place.
    """
    fingerprint = origin.fingerprint
    path = workspace.directory and workspace.directory / VECTORS
    if path is not None and not workspace.anew:
        found = read_vector_file(path, fingerprint=fingerprint)
        if found is not None and {name: len(found.get(name, ())) for name in parts} == _counts(parts):
            return found
    if path is not None and path.exists() and not is_vector_file(path):
        raise InputError(f"{path} is none that jaxseq wrote: move it, or give another --run-dir")
    fresh = init_classifier(outputs.model, jax.random.key(0))
    variables = with_encoder(fresh, (encoder or _read_again(origin)).params)
    made, total, seen = {}, sum(_counts(parts).values()), 0
    if path is not None and workspace.scratch is None:
        workspace.tell(f"{total:,} texts go through the encoder once; what comes of them is kept in {path}")

    def poll() -> None:
        nonlocal seen
        workspace.poll()
        workspace.progress(f"encoder: {min(seen, total):,} of {total:,} texts")
        seen += outputs.rows

    for name, tokens in parts.items():
        made[name] = outputs(variables, tokens, poll=poll)
    if path is not None and workspace.scratch is None:
        write_vector_file(path, made, fingerprint=fingerprint)
    return made


def _read_again(origin: Origin) -> PretrainedEncoder:
    task, data = sections(origin.experiment)
    encoder = read_pretrained(task.weights, origin.experiment.model, data)
    if encoder.checksum() != origin.encoder:
        raise InputError(
            f"the weights in {encoder.place} are not those that the run began with: give them back, or start anew with "
            "--fresh"
        )
    return encoder


def _counts(parts: Mapping[str, Sequences]) -> dict[str, int]:
    return {name: len(tokens.lengths) for name, tokens in parts.items()}
