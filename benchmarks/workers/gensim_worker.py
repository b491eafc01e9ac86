"""gensim's Word2Vec on a text whose vocabulary is built, with as many workers as there are cores."""

from pathlib import Path

from gensim.models import Word2Vec

from benchmarks.workers.serve import Job, cores, serve
from benchmarks.works import Work

_SENTENCE = 1000
"""Words that are given to it as a sentence: text8 has none, and of one sentence it reads the first 10,000 words."""


def sentences(text: str) -> list[list[str]]:
    """The words of a text, cut into pieces."""
    words = text.split()
    return [words[at : at + _SENTENCE] for at in range(0, len(words), _SENTENCE)]


def untrained(algorithm: str, *, workers: int, seed: int = 1) -> Word2Vec:
    """A model with the settings of configs/word2vec_skipgram.py and configs/word2vec_cbow.py, which are its own but for
    the algorithm."""
    return Word2Vec(
        vector_size=100,
        window=5,
        negative=5,
        sg=int(algorithm == "skipgram"),
        sample=1e-3,
        min_count=5,
        workers=workers,
        seed=seed,
    )


class Vectors:
    """One call is an epoch."""

    def __init__(self, work: Work, folder: Path) -> None:
        text = (folder / "text.txt").read_text(encoding="utf-8")
        self.sentences, self.units_per_call = sentences(text), len(text.split())
        self.model = untrained(work.algorithm, workers=cores())
        self.model.build_vocab(self.sentences)

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.model.train(self.sentences, total_examples=len(self.sentences), epochs=1)


def build(work: Work, folder: Path, device: str) -> Job:
    return Vectors(work, folder)


if __name__ == "__main__":
    serve(build, packages=("gensim",))
