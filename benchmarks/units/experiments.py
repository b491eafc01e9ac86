"""The trainings: a classifier and a language model for each unit and seed, of the same family and size."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from benchmarks.units.texts import Texts
from benchmarks.units.widths import classifier_widths, language_model_width
from jaxseq.config import (
    AdamConfig,
    ClassificationConfig,
    CorpusConfig,
    ExperimentConfig,
    LabelledConfig,
    LanguageModelingConfig,
    RNNConfig,
    TrainConfig,
)
from jaxseq.data.records import open_records
from jaxseq.storage.atomic import write_atomic
from jaxseq.tasks.labelled_texts import train_tokenizer
from jaxseq.tasks.text_tokenizers import make_tokenizer, word_options
from jaxseq.text.tokenizers import Tokenizer, tokenizer_from_text

Kind = Literal["classifier", "language_model"]

TOKENIZERS: Mapping[str, Mapping[str, Any]] = {
    "jamo": {"tokenizer": "jamo", "min_count": 5},
    "syllables": {"tokenizer": "char", "min_count": 5},
    "pieces": {"tokenizer": "bpe", "pieces": 5_000},
    "morphemes": {"tokenizer": "word", "splitter": "lines", "max_words": 5_000},
}
"""What of the data section makes each unit; morphemes are the words of tagged texts, and line ends."""
PARAMETERS: Mapping[Kind, int] = {"classifier": 150_000, "language_model": 300_000}
"""Of every model of a kind, as nearly as whole widths come to it."""
EPOCHS = 2
"""Passes over the texts to train on."""
BATCH = 128
"""Reviews in a batch of the classifiers."""
WINDOW = 60
"""Characters of raw text in a window of the language models, in the mean over their training text."""


def tokenizer_file(folder: Path, kind: Kind, unit: str) -> Path:
    """Where the tokenizer that all seeds share is kept."""
    return folder / f"{kind}_{unit}.json"


def read_tokenizer(folder: Path, texts: Texts, kind: Kind, unit: str) -> Tokenizer:
    """That tokenizer, trained on the texts to train on where it is not there yet."""
    path = tokenizer_file(folder, kind, unit)
    if not path.exists():
        data = _labelled(texts, unit) if kind == "classifier" else _corpus(texts, unit)
        found: Iterable[str] = open_records(data.source, text_column="document")
        if isinstance(data, LabelledConfig):
            tokenizer = train_tokenizer(data, found)
        else:
            whole = ["".join(f"{line}\n" for line in found)]
            tokenizer = make_tokenizer(data, whole, words=word_options(data), padding=False)
        write_atomic(path, json.dumps(tokenizer.to_json(), ensure_ascii=False))
    return tokenizer_from_text(path.read_bytes())


def experiment(folder: Path, texts: Texts, kind: Kind, unit: str, *, seed: int) -> ExperimentConfig:
    """What is trained, of the size that `PARAMETERS` says."""
    tokenizer = read_tokenizer(folder, texts, kind, unit)
    make = _classifier if kind == "classifier" else _language_model
    made = make(texts, unit, tokenizer)
    return dataclasses.replace(
        made,
        name=f"{kind}_{unit}_{seed}",
        data=dataclasses.replace(made.data, tokenizer_file=str(tokenizer_file(folder, kind, unit))),
        train=dataclasses.replace(made.train, seed=seed, log_every=100, devices=1),
    )


def _classifier(texts: Texts, unit: str, tokenizer: Tokenizer) -> ExperimentConfig:
    embedding, state = classifier_widths(tokenizer.vocabulary_size, parameters=PARAMETERS["classifier"])
    return ExperimentConfig(
        task=ClassificationConfig(pooling=("max", "mean"), dropout=0.3),
        data=_labelled(texts, unit),
        model=RNNConfig(cell="lstm", features=state, bidirectional=True, embedding=embedding),
        optimizer=AdamConfig(learning_rate=3e-3, schedule="cosine", warmup_steps=100, clip_norm=1.0),
        train=TrainConfig(epochs=EPOCHS),
    )


def _language_model(texts: Texts, unit: str, tokenizer: Tokenizer) -> ExperimentConfig:
    width = language_model_width(tokenizer.vocabulary_size, parameters=PARAMETERS["language_model"])
    corpus = _corpus(texts, unit)
    own = Path(corpus.source).read_text(encoding="utf-8")
    raw = texts.running("train", tagged=False).read_text(encoding="utf-8")
    length = round(WINDOW * len(tokenizer.encode(own)) / len(raw))
    return ExperimentConfig(
        task=LanguageModelingConfig(sample_length=1),
        data=dataclasses.replace(corpus, length=length),
        model=RNNConfig(cell="lstm", features=width, embedding=width, tie_embedding=True),
        optimizer=AdamConfig(learning_rate=4e-3, schedule="cosine", warmup_steps=100, clip_norm=1.0),
        train=TrainConfig(epochs=EPOCHS),
    )


def _labelled(texts: Texts, unit: str) -> LabelledConfig:
    """Every text whole: of jamo, the smallest units, the longest review has 450 at the most."""
    tagged = unit == "morphemes"
    return LabelledConfig(
        source=str(texts.reviews("train", tagged=tagged)),
        test_source=str(texts.reviews("test", tagged=tagged)),
        text_column="document",
        **TOKENIZERS[unit],
        length=450 if unit == "jamo" else 160,
        lengths=4,
        validation=0.0,
        batch_size=BATCH,
    )


def _corpus(texts: Texts, unit: str) -> CorpusConfig:
    tagged = unit == "morphemes"
    return CorpusConfig(
        source=str(texts.running("train", tagged=tagged)),
        test_source=str(texts.running("test", tagged=tagged)),
        **TOKENIZERS[unit],
        split=(1.0, 0.0, 0.0),
        layout="rows",
        batch_size=32,
    )
