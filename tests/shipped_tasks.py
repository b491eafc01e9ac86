"""The task of any experiment as a run restores it, without its data: with made-up words and small pictures."""

import json
from typing import Any

from jaxseq.config import (
    AutoencodingConfig,
    CaptioningConfig,
    ClassificationConfig,
    ExperimentConfig,
    MaskedLanguageModelingConfig,
    RecognitionConfig,
    TextVectorsConfig,
    TranslationConfig,
    WordVectorsConfig,
)
from jaxseq.tasks import TextVectorLearning, WordVectorLearning
from jaxseq.tasks.task import task_of
from jaxseq.tasks.vectors.trained_texts import TrainedTexts
from jaxseq.text import CaptionTokenizer, PairTokenizers, WordTokenizer
from jaxseq.text.masked_tokenizer import MaskedTokenizer
from jaxseq.text.word_options import WordOptions

WORDS = " ".join(f"word{number}" for number in range(65))


def task_without_data(config: ExperimentConfig) -> Any:
    if isinstance(config.task, WordVectorsConfig | TextVectorsConfig):
        options = WordOptions(padding=False, unknown="drop")
        tokenizer, counts = WordTokenizer(tuple(WORDS.split()), options), tuple(range(65, 0, -1))
        if isinstance(config.task, WordVectorsConfig):
            return WordVectorLearning(config, tokenizer, counts)
        return TextVectorLearning(config, tokenizer, counts, TrainedTexts(("one", "two")))
    artifacts = {name: json.dumps(tree).encode() for name, tree in _artifacts(config).items()}
    return task_of(config).restore(config, artifacts)


def _artifacts(config: ExperimentConfig) -> dict[str, Any]:
    scale = [0.5] * getattr(config.data, "channels", 3)
    form = {"height": 48, "width": 48, "channels": len(scale), "mean": scale, "deviation": scale}
    match config.task:
        case AutoencodingConfig():
            return {"pictures.json": {"height": 28, "width": 28, "channels": 1}}
        case CaptioningConfig():
            tokenizer = CaptionTokenizer.train([("", WORDS)], config.data.languages, WordTokenizer.train)
            return {"tokenizer.json": tokenizer.to_json(), "pictures.json": form}
        case TranslationConfig():
            joint = config.data.joint
            made = PairTokenizers.train([WORDS], [WORDS], WordTokenizer.train, None if joint else WordTokenizer.train)
            return {"tokenizers.json": made.to_json()}
        case RecognitionConfig():
            height, width = getattr(config.data, "size", (1, 1))
            return {"pictures.json": {**form, "height": height, "width": width}}
        case MaskedLanguageModelingConfig():
            return {"tokenizer.json": MaskedTokenizer(WordTokenizer.train([WORDS])).to_json()}
        case ClassificationConfig():
            words = WordTokenizer.train([WORDS])
            tokenizer = MaskedTokenizer(words) if config.data.delimit else words
            others = {"classes.json": ["no", "yes"], "encoder.json": {"checksum": ""}}
            return {"tokenizer.json": tokenizer.to_json(), **others}
        case _:
            return {"tokenizer.json": WordTokenizer.train([WORDS]).to_json()}
