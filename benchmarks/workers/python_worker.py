"""Plain Python for text: a dict from character to id, and the hgtk package for jamo."""

from pathlib import Path

import numpy as np

from benchmarks.workers.serve import Job, serve
from benchmarks.works import Work


class Encoding:
    """One call looks every character of the text up in a dict."""

    def __init__(self, text: str) -> None:
        self.text, self.units_per_call = text, len(text.encode()) / 1e6
        self.ids = {character: i for i, character in enumerate(sorted(set(text)))}

    def run(self, calls: int) -> None:
        for _ in range(calls):
            np.fromiter(map(self.ids.__getitem__, self.text), np.int32, len(self.text))


class Decomposition:
    """One call takes the text apart with hgtk, line by line: its time grows with the square of a text's length."""

    def __init__(self, text: str) -> None:
        import hgtk

        self.lines, self.units_per_call = text.splitlines(keepends=True), len(text.encode()) / 1e6
        self.decompose = hgtk.text.decompose

    def run(self, calls: int) -> None:
        for _ in range(calls):
            "".join(map(self.decompose, self.lines))


def build(work: Work, folder: Path, device: str) -> Job:
    text = (folder / "text.txt").read_text(encoding="utf-8")
    return Encoding(text) if work.kind == "encode" else Decomposition(text)


if __name__ == "__main__":
    serve(build, packages=("numpy", "hgtk"))
