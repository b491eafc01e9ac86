"""How well word vectors agree with people, beside gensim's of the same text.

    python -m benchmarks.vector_quality TEXT PAIRS
    python -m benchmarks.vector_quality ../shared/data/text8/text8.first3000000.xz \\
        ../shared/data/word_similarity/wordsim353.tsv --seeds 6

Skip-gram and CBOW as configs/word2vec_skipgram.py and configs/word2vec_cbow.py have them, and gensim's Word2Vec with
the same settings, at its own learning rate and at a higher one (ours were chosen by WordSim-353, which gains by it on
so small a text), and one worker, so that a seed gives the same vectors again. Shown is
Spearman's coefficient between cosines and people's figures: the mean over seeds, their standard deviation, and each.
"""

import argparse
import dataclasses
import statistics
import sys
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import jax
import numpy as np

from jaxseq import runtime
from jaxseq.config import load_config
from jaxseq.data import read_documents
from jaxseq.data.word_questions import WordPairs, read_word_questions
from jaxseq.metrics.similarity import PairScore, score_pairs
from jaxseq.runs.in_memory import train_model
from jaxseq.tasks.task import Workspace
from jaxseq.tasks.vectors.word_vectors import WordVectorLearning

CONFIGS = Path(__file__).parents[1] / "configs"
ALGORITHMS = ("skipgram", "cbow")
Vectors = tuple[Sequence[str], np.ndarray]
"""Words, and a vector for each."""


def ours(text: Path, algorithm: str, seed: int, epochs: int) -> Vectors:
    """By the shipped experiment."""
    config, _ = load_config(CONFIGS / f"word2vec_{algorithm}.py")
    config = dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, source=str(text)),
        train=dataclasses.replace(config.train, seed=seed, epochs=epochs),
    )
    learning = WordVectorLearning.create(config, Workspace())
    loader = learning.training_loader
    params = learning.init(jax.random.key(seed))["params"]
    steps = epochs * loader.steps_per_epoch
    params = train_model(learning.loss, params, loader, steps=steps, optimizer=config.optimizer, seed=seed)
    found = learning.vectors({"params": params})
    return found.words, found.vectors


def theirs(text: Path, algorithm: str, seed: int, epochs: int, *, rate: float) -> Vectors:
    """By gensim, whose learning rate falls from `rate`."""
    from benchmarks.workers.gensim_worker import sentences, untrained

    words = sentences("".join(read_documents(str(text))))
    model = untrained(algorithm, workers=1, seed=seed + 1)  # as its default is 1
    model.build_vocab(words)
    model.train(words, total_examples=len(words), epochs=epochs, start_alpha=rate)
    return model.wv.index_to_key, model.wv.vectors


def row(name: str, found: Sequence[PairScore]) -> str:
    """A line of the table."""
    figures = [score.spearman for score in found]
    spread = f"{statistics.stdev(figures):.3f}" if len(figures) > 1 else ""
    each = " ".join(f"{figure:.4f}" for figure in figures)
    return f"{name:24}{statistics.mean(figures):>8.3f}{spread:>8}   {found[0].answered} of {found[0].asked}   {each}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("pairs", type=Path, help="words and figures, as wordsim353.tsv has them")
    parser.add_argument("--algorithms", nargs="+", choices=ALGORITHMS, default=list(ALGORITHMS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rates", type=float, nargs="*", default=[0.025, 0.1], help="learning rates of gensim's")
    options = parser.parse_args()
    if find_spec("gensim") is None:
        print('error: gensim is missing: pip install "jaxseq[bench]"', file=sys.stderr)
        return 2
    questions = read_word_questions(options.pairs)
    if not isinstance(questions, WordPairs):
        print(f"error: {options.pairs} holds analogies: give a file of pairs", file=sys.stderr)
        return 2
    runtime.configure(devices=1)
    print(f"{'':24}{'mean':>8}{'spread':>8}   pairs        each seed")
    for algorithm in options.algorithms:
        contestants = [("jaxseq", ours)]
        contestants += [(f"gensim {rate:g}", partial(theirs, rate=rate)) for rate in options.rates]
        for name, train in contestants:
            found = [
                score_pairs(*train(options.text, algorithm, seed, options.epochs), questions.pairs)
                for seed in range(options.seeds)
            ]
            print(row(f"{algorithm}, {name}", found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
