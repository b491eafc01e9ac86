"""What a new classifier starts with: a tokenizer, and word vectors or an encoder where they are given."""

from collections.abc import Iterable
from typing import NamedTuple

from jaxseq.config import ExperimentConfig
from jaxseq.interop.word_vectors import WordVectors
from jaxseq.tasks.classification.sections import sections
from jaxseq.tasks.classification.starting_vectors import starting_vectors
from jaxseq.tasks.labelled_texts import tokenizer_of, train_tokenizer
from jaxseq.tasks.pretrained_encoders import PretrainedEncoder, read_pretrained
from jaxseq.tasks.task import Workspace
from jaxseq.text.delimiting import AnyTokenizer, delimited


class StartingPoint(NamedTuple):
    """See above."""

    tokenizer: AnyTokenizer
    vectors: WordVectors | None = None
    encoder: PretrainedEncoder | None = None


def starting_point(experiment: ExperimentConfig, texts: Iterable[str], workspace: Workspace) -> StartingPoint:
    """That of an experiment whose tokenizer, if it is to be trained, is trained on `texts`.

    Raises:
        InputError: a file cannot be used, or the sections do not fit each other.
    """
    section, data = sections(experiment)
    if section.weights:
        encoder = read_pretrained(section.weights, experiment.model, data)
        return StartingPoint(encoder.tokenizer, encoder=encoder)
    if section.vocabulary == "vectors":
        vectors = starting_vectors(section, experiment, words=None, workspace=workspace)
        return StartingPoint(tokenizer_of(data, vectors.words), vectors)
    trained = train_tokenizer(data, texts, reads_padding=not section.mask)
    tokenizer = delimited(trained) if data.delimit else trained
    if not section.vectors:
        return StartingPoint(tokenizer)
    words = set(tokenizer.vocabulary.symbols)
    return StartingPoint(tokenizer, starting_vectors(section, experiment, words=words, workspace=workspace))
