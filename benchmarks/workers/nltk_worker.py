"""NLTK's counts of n-grams of words, of all orders."""

from pathlib import Path

import numpy as np
from nltk.lm import NgramCounter
from nltk.util import everygrams

from benchmarks.workers.serve import Job, serve
from benchmarks.works import Work


class Counts:
    """One call counts the n-grams of all orders."""

    def __init__(self, work: Work, folder: Path) -> None:
        self.words, self.order = [str(i) for i in np.load(folder / "ids.npy")], work.order
        self.units_per_call = len(self.words)

    def run(self, calls: int) -> None:
        for _ in range(calls):
            NgramCounter([everygrams(self.words, max_len=self.order)])


def build(work: Work, folder: Path, device: str) -> Job:
    return Counts(work, folder)


if __name__ == "__main__":
    serve(build, packages=("nltk",))
