"""The data of every work, written once by the runner and read by each worker, so that all see the same.

Real text where it is found (`../shared/data` beside the repository, or the folder in JAXSEQ_DATA), else random ids
with Zipf's frequencies and text made of them: no formulation here is faster on one than on the other.
"""

import gzip
import lzma
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.works import WORKS, Model, Work

BATCHES = 20
"""Different batches of each training work; a round goes through them in a circle."""

PIECES_TEXT = 3_000_000
"""Characters that are made pieces of."""

GATES = 4
"""Of an LSTM."""


def folder() -> Path:
    """Where published texts are looked for."""
    return Path(os.environ.get("JAXSEQ_DATA", Path(__file__).parents[2] / "shared" / "data"))


def real_texts() -> bool:
    """Whether the published texts are here."""
    return all(published(name) is not None for name in ("tinyshakespeare/input.txt", "nsmc/nsmc_reviews_lm.txt.xz"))


def published(name: str) -> str | None:
    """A published text, of a file that may be compressed; None where it is not here."""
    path = folder() / name
    if not path.is_file():
        return None
    unpack = {".xz": lzma.decompress, ".gz": gzip.decompress}.get(path.suffix, bytes)
    return unpack(path.read_bytes()).decode("utf-8")


def _zipf(size: int, count: int, seed: int) -> np.ndarray:
    """[size] int32 below `count`, id k drawn in proportion to 1 / (k + 1)."""
    weights = 1.0 / np.arange(1, count + 1)
    return np.random.default_rng(seed).choice(count, size, p=weights / weights.sum()).astype(np.int32)


def latin_text() -> str:
    """About a million characters of English."""
    real = published("tinyshakespeare/input.txt")
    return real or bytes(_zipf(1_100_000, 60, 0).astype(np.uint8) + ord("A")).decode("ascii")


def korean_text() -> str:
    """400,000 characters of Korean in lines, a blank now and then."""
    real = published("nsmc/nsmc_reviews_lm.txt.xz")
    codes = 0xAC00 + 13 * _zipf(400_000, 800, 1)
    codes[::4] = ord(" ")
    codes[::40] = ord("\n")
    return (real or codes.astype("<u4").tobytes().decode("utf-32-le"))[:400_000]


def ranked_ids(text: str, vocabulary: int) -> np.ndarray:
    """[t] int32: characters by frequency, the most frequent 0; all past the vocabulary share its last id."""
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    _, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), np.int32)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.minimum(rank[inverse], vocabulary - 1).astype(np.int32)


def rows(ids: np.ndarray, *, batch: int, time: int) -> np.ndarray:
    """[n, batch, time + 1]: row i of batch k + 1 goes on where row i of batch k ended; a last column is for targets."""
    n = (len(ids) - 1) // (batch * time)
    starts = np.arange(n)[:, None] * time + np.arange(batch) * (n * time)
    return ids[starts[..., None] + np.arange(time + 1)]


def windows(ids: np.ndarray, *, batch: int, time: int, count: int, seed: int = 2) -> np.ndarray:
    """[count, batch, time + 1]: windows at random places."""
    starts = np.random.default_rng(seed).integers(0, len(ids) - time, (count, batch))
    return ids[starts[..., None] + np.arange(time + 1)]


def texts(*, batch: int, time: int, vocabulary: int, count: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Inputs [count, batch, time] int32, texts of time/8 to `time` words with Zipf's frequencies and 0 behind them, and
    their labels [count, batch] int32: in one place of four a text has the word 1 or 2, as its label is 0 or 1."""
    rng = np.random.default_rng(seed)
    words = 3 + _zipf(count * batch * time, vocabulary - 3, seed).reshape(count, batch, time)
    labels = rng.integers(0, 2, (count, batch), dtype=np.int32)
    words = np.where(rng.random(words.shape) < 0.25, 1 + labels[..., None], words)
    lengths = rng.integers(time // 8, time + 1, (count, batch, 1))
    return np.where(np.arange(time) < lengths, words, 0).astype(np.int32), labels


def weights(model: Model, *, seed: int = 4) -> dict[str, np.ndarray]:
    """Parameters of a bidirectional LSTM classifier, float32, so large that its probabilities lie everywhere.

    embedding [v, e]; of each direction, as in forward_input, input [e, 4d], recurrent [d, 4d] and bias [4d], gates
    input, forget, candidate, output; head_kernel [2d, 1] and head_bias [1].
    """
    rng = np.random.default_rng(seed)

    def normal(*shape: int, scale: float) -> np.ndarray:
        return scale * rng.standard_normal(shape, np.float32)

    d, width, gates = model.features, model.embedding, GATES * model.features
    found = {"embedding": normal(model.vocabulary, width, scale=1.0)}
    for direction in ("forward", "backward"):
        found[f"{direction}_input"] = normal(width, gates, scale=width**-0.5)
        found[f"{direction}_recurrent"] = normal(d, gates, scale=d**-0.5)
        found[f"{direction}_bias"] = normal(gates, scale=0.5)
    return {**found, "head_kernel": normal(2 * d, 1, scale=3 * d**-0.5), "head_bias": normal(1, scale=0.5)}


def wikitext() -> str:
    """The text of WikiText-2 to train on, a line a paragraph."""
    return published("wikitext2/wiki.train.tokens.xz") or _made_up_words(2_000_000, 33_277)


def _made_up_words(size: int, count: int) -> str:
    """`size` words of `count`, with Zipf's frequencies; one of the frequent ones is a line end."""
    return " ".join("\n" if k == 7 else f"w{k}" for k in _zipf(size, count, 5).tolist())


def words(text: str) -> list[str]:
    """The words of a text, and its line ends as a word."""
    return text.replace("\n", " <eos> ").split()


def ranked_words(text: str, vocabulary: int) -> np.ndarray:
    """[t] int32: `words` by frequency, the most frequent 0; all past the vocabulary share its last id."""
    found = words(text)
    ranks = {word: min(rank, vocabulary - 1) for rank, (word, _) in enumerate(Counter(found).most_common())}
    return np.fromiter(map(ranks.__getitem__, found), np.int32, len(found))


def token_ids(vocabulary: int) -> np.ndarray:
    """[t] int32: the text that models with a vocabulary of this size are trained on."""
    from jaxseq.text.hangul import decompose

    match vocabulary:
        case 181:
            return ranked_ids(decompose(korean_text()), vocabulary)
        case 65:
            return ranked_ids(latin_text(), vocabulary)
        case 7_001:
            text = latin_text().lower() if real_texts() else _made_up_words(200_000, 12_000)
            return ranked_words(text, vocabulary)
        case 33_278:
            return ranked_words(wikitext(), vocabulary)
    return ranked_ids(latin_text().lower(), vocabulary)


def _prediction_data(work: Work, folder: Path) -> None:
    assert work.model is not None
    model = work.model
    if (model.family, model.layers, model.directions) != ("lstm", 1, 2):
        raise ValueError(f"there are no weights for {model}: write them down in `weights` and in the workers")
    inputs, _ = texts(batch=work.batch, time=work.time, vocabulary=model.vocabulary, count=1)
    real = inputs[0] != 0
    np.save(folder / "ids.npy", inputs[0][real])
    np.save(folder / "offsets.npy", np.cumsum([0, *real.sum(1)], dtype=np.int64))
    np.savez(folder / "weights.npz", **weights(model))


def _training_data(work: Work, folder: Path) -> None:
    assert work.model is not None
    if work.model.label:
        vocabulary = work.model.vocabulary
        inputs, labels = texts(batch=work.batch, time=work.time, vocabulary=vocabulary, count=BATCHES)
        np.save(folder / "inputs.npy", inputs)
        np.save(folder / "targets.npy", labels)
        return
    ids = token_ids(work.model.vocabulary)
    if work.carried:
        ids = ids[: BATCHES * work.batch * work.time + 1]
        both = rows(ids, batch=work.batch, time=work.time)
    else:
        both = windows(ids, batch=work.batch, time=work.time, count=BATCHES)
    np.save(folder / "ids.npy", ids)
    np.save(folder / "inputs.npy", both[..., :-1])
    np.save(folder / "targets.npy", both[..., 1:])


def encyclopedia() -> str:
    """The beginning of text8, words of Wikipedia with a space between them."""
    return published("text8/text8.first3000000.xz") or _made_up_words(500_000, 20_000)


_TEXTS = {
    "encode": latin_text,
    "decompose": korean_text,
    "pieces": lambda: wikitext()[:PIECES_TEXT],
    "vectors": encyclopedia,
}


def prepare(name: str, folder: Path, run: Path | None = None) -> None:
    """Writes what the workers of work `name` read: ids.npy [t], inputs.npy and targets.npy [n, b, t] (all int32) for
    training and windows, the ids alone to count, of a classifier inputs.npy and targets.npy [n, b], text.txt for
    tokenization and pieces; for a prediction ids.npy [t] int32, offsets.npy [n + 1] int64 and weights.npz, see
    `weights`; for an encoder-decoder what `benchmarks.pairs.prepare` does, given the directory of a run, and for
    pictures what `benchmarks.pictures.prepare` does."""
    work = WORKS[name]
    if work.experiment:
        maker, given = ("pictures", []) if work.pictures else ("pairs", [str(run)] if run else [])
        command = [sys.executable, "-m", f"benchmarks.{maker}", name, str(folder), *given]
        subprocess.run(command, cwd=Path(__file__).parents[1], env={**os.environ, "JAX_PLATFORMS": "cpu"}, check=True)
    elif work.kind == "train":
        _training_data(work, folder)
    elif work.kind == "predict":
        _prediction_data(work, folder)
    elif work.kind == "windows":
        np.save(folder / "ids.npy", ranked_ids(latin_text(), 65))
    elif work.kind == "count":
        np.save(folder / "ids.npy", token_ids(33_278)[: work.time])
    elif work.kind in _TEXTS:
        (folder / "text.txt").write_text(_TEXTS[work.kind](), encoding="utf-8", newline="")
