"""Who takes part: which worker, with what in its environment, and what must be installed for it."""

import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]

TUNED = {"MALLOC_MMAP_THRESHOLD_": "2147483647", "MALLOC_TRIM_THRESHOLD_": "2147483647"}
"""glibc keeps freed memory instead of handing it back: what `jaxseq.runtime.tune_allocator` sets."""

_CACHE = "JAX_COMPILATION_CACHE_DIR"


@dataclass(frozen=True)
class Peer:
    """One contestant."""

    worker: str
    """Module in benchmarks.workers."""
    requires: tuple[str, ...]
    """Packages that must be importable."""
    works: tuple[str, ...]
    """Works, or groups of them, that it has a form of."""
    environment: dict[str, str] = field(default_factory=dict)
    own_setup: bool = False
    """It tunes the allocator itself, as JAXSEQ_BENCH_ALLOCATOR says, and keeps compiled programs."""

    def takes_part(self, work: str) -> bool:
        """Whether it has a form of the work of that name."""
        return work in self.works or work.split("-")[0] in self.works


OURS = "jaxseq"
BEFORE = "jaxseq-before"
"""Another checkout of jaxseq, with the worker that it has itself."""
SHARED = "jaxseq-2-devices"
"""jaxseq on two devices, where its configuration has one."""
_MODELS = ("w1", "w2", "w3", "w4", "w5", "w5gpu", "birnn", "predict", "w6", "words-full", "words-generate")
_PAIRS = ("multi30k-transformer", "seq2seq-attention")
_PICTURES = ("mnist", "digit", "hand")
_OURS = (*_MODELS, "gpt2", *_PAIRS, *_PICTURES, "beam", "words", "w7", "pieces", "ngrams", "vectors")
PEERS: dict[str, Peer] = {
    OURS: Peer("jaxseq_worker", ("jax", "flax", "optax"), _OURS, own_setup=True),
    BEFORE: Peer("jaxseq_worker", ("jax", "flax", "optax"), _OURS, own_setup=True),
    SHARED: Peer(
        "jaxseq_worker", ("jax", "flax", "optax"), ("vectors",), {"JAXSEQ_BENCH_DEVICES": "2"}, own_setup=True
    ),
    "torch": Peer("torch_worker", ("torch",), (*_MODELS, *_PAIRS, *_PICTURES, "beam", "words", "w7-windows")),
    "torch-channels-last": Peer("torch_worker", ("torch",), _PICTURES, {"JAXSEQ_BENCH_CHANNELS_LAST": "1"}),
    "torch-bfloat16": Peer("torch_worker", ("torch",), ("words-bfloat16", "gpt2"), {"JAXSEQ_BENCH_AUTOCAST": "1"}),
    # It leaves nn.LSTM and nn.GRU as they are.
    "torch-compile": Peer(
        "torch_worker",
        ("torch",),
        ("w5", "w5gpu", "w6", *_PAIRS, *_PICTURES),
        {"JAXSEQ_BENCH_COMPILE": "1", "JAXSEQ_BENCH_CHANNELS_LAST": "1"},
    ),
    "torch-compile-bfloat16": Peer(
        "torch_worker", ("torch",), ("gpt2",), {"JAXSEQ_BENCH_COMPILE": "1", "JAXSEQ_BENCH_AUTOCAST": "1"}
    ),
    "keras-tensorflow": Peer(
        "keras_worker",
        ("keras", "tensorflow"),
        (*_MODELS, *_PAIRS, *_PICTURES, "w7-encode", "w7-windows"),
        {"KERAS_BACKEND": "tensorflow"},
    ),
    # Keras's text and window utilities need TensorFlow.
    "keras-jax": Peer("keras_worker", ("keras", "jax"), (*_MODELS, *_PAIRS, *_PICTURES), {"KERAS_BACKEND": "jax"}),
    "flax": Peer("flax_worker", ("flax", "jax", "optax"), _MODELS),
    # The library that ours calls, on lists of lines; of SentencePiece's models, sentencepiece.
    "tokenizers": Peer("subword_worker", ("tokenizers", "sentencepiece"), ("pieces",)),
    "nltk": Peer("nltk_worker", ("nltk",), ("ngrams",)),
    "gensim": Peer("gensim_worker", ("gensim",), ("vectors",)),
    "python": Peer("python_worker", ("numpy", "hgtk"), ("w7-encode", "w7-jamo")),
}
MATMUL = Peer("matmul_worker", ("numpy",), ())


def missing(peer: Peer, python: str) -> list[str]:
    """The packages of `peer` that the interpreter `python` lacks."""
    code = "import sys; from importlib.util import find_spec; print(*[n for n in sys.argv[1:] if not find_spec(n)])"
    done = subprocess.run([python, "-c", code, *peer.requires], capture_output=True, text=True, check=True)
    return done.stdout.split()


def environment(peer: Peer, *, tuned: bool, device: str, scratch: str, root: Path = ROOT) -> dict[str, str]:
    """The worker's environment: this one's, without allocator settings and compilation cache of its own.

    Args:
        root: checkout whose code it runs.
        scratch: directory for temporary files, and an empty compilation cache for who keeps one.
    """
    base = {n: v for n, v in os.environ.items() if not n.startswith("MALLOC_") and n != _CACHE}
    allocator = TUNED if tuned else {}
    if peer.own_setup:
        allocator = {"JAXSEQ_BENCH_ALLOCATOR": "tuned" if tuned else "default", _CACHE: tempfile.mkdtemp(dir=scratch)}
    where = {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {"JAX_PLATFORMS": "cuda"}
    return {
        **base,
        "PYTHONPATH": str(root),
        "TMPDIR": scratch,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # Workers wait side by side on one GPU: none may take it all.
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        **where,
        **allocator,
        **peer.environment,
    }
