"""jaxseq, through its public functions: `training.loop.fit`, which `jaxseq train` calls, with the experiments in
configs/, `Classification.probabilities`, which `jaxseq predict` and the report of an evaluation call, and
`decoding.generate`. (`jaxseq sample` shows the same tokens in chunks as they are made.)

The training loop runs in a thread of its own and is timed between two evaluations, where nothing is under way: the
evaluation it is given is a gate that ends one call of `run` and waits for the next. Loading and stacking of batches,
transfer, dispatch, and metrics.csv all lie inside the clock; the progress bar and TensorBoard alone are left out. The
compilation cache starts empty, so that peak memory does not depend on what ran before.
"""

import dataclasses
import math
import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.pictures import LAP
from benchmarks.workers import jaxseq_pairs, jaxseq_pictures, subword_worker
from benchmarks.workers.arrays import read_arrays
from benchmarks.workers.jaxseq_models import Classifier, Texts, classifier_loss, loaded, restored
from benchmarks.workers.serve import Job, serve
from benchmarks.works import GPT2, JAMO_LSTM, LYRICS_LSTM, NANO_CPU, NANO_GPU, SHAKESPEARE_GRU, WIKITEXT2_LSTM, Work
from jaxseq import runtime
from jaxseq.config import AdamConfig, ExperimentConfig, SGDConfig, TrainConfig, load_config
from jaxseq.data import RowLoader, WindowLoader
from jaxseq.data.examples import Sequences
from jaxseq.data.ngram_counts import count_ngrams
from jaxseq.decoding import generate
from jaxseq.ops.objective import LossFn
from jaxseq.reporting.reporter import Reporter, Silent
from jaxseq.storage.checkpoint import CheckpointStore
from jaxseq.tasks.language import language_model as task
from jaxseq.tasks.task import Workspace
from jaxseq.tasks.vectors.word_vectors import WordVectorLearning
from jaxseq.tasks.vocabulary_objective import training_model
from jaxseq.text import CharTokenizer
from jaxseq.text.hangul import decompose
from jaxseq.training import loop
from jaxseq.training.evaluate import Evaluate
from jaxseq.training.optim import make_optimizer
from jaxseq.training.state import init_state

CONFIGS = {
    JAMO_LSTM: "jamo_lstm",
    SHAKESPEARE_GRU: "shakespeare_gru",
    LYRICS_LSTM: "lyrics_lstm",
    WIKITEXT2_LSTM: "wikitext2_words",
    NANO_CPU: "shakespeare_transformer",
    NANO_GPU: "shakespeare_transformer_gpu",
    GPT2: "shakespeare_transformer_gpu",
}
ENDLESS = 10**9
OPTIMIZERS = {"adam": AdamConfig(learning_rate=1e-3), "sgd": SGDConfig(learning_rate=1.0, clip_norm=0.25)}


def training(work: Work, config: TrainConfig | None = None) -> TrainConfig:
    """`config` in the work's type, with the allocator that is asked for."""
    allocator = os.environ.get("JAXSEQ_BENCH_ALLOCATOR", "tuned")
    return dataclasses.replace(config or TrainConfig(), compute_dtype=work.dtype, allocator=allocator)


def experiment(work: Work) -> ExperimentConfig:
    """The shipped experiment, made the same work as the peers': a plain optimizer, learned positions, sizes and
    dropouts of the work."""
    assert work.model is not None
    config, _ = load_config(Path(__file__).parents[2] / "configs" / f"{CONFIGS[work.model]}.py")
    model = config.model
    if work.model.family == "transformer":
        sizes = {name: getattr(work.model, name) for name in ("features", "layers", "heads", "context", "dropout")}
        model = dataclasses.replace(model, positions="learned", **sizes)
    if work.model.tied:
        model = dataclasses.replace(model, input_dropout=0.0, dropout=0.0, output_dropout=0.0)
    objective = {"objective": "sampled", "samples": work.samples} if work.samples else {"objective": "full"}
    return dataclasses.replace(
        config,
        task=dataclasses.replace(config.task, **objective),
        model=model,
        train=training(work, config.train),
        optimizer=OPTIMIZERS[work.optimizer],
    )


def vectors_experiment(work: Work) -> ExperimentConfig:
    """The shipped experiment, at a rate that an endless run bears, on as many devices as are asked for."""
    config, _ = load_config(Path(__file__).parents[2] / "configs" / f"word2vec_{work.algorithm}.py")
    devices = int(os.environ.get("JAXSEQ_BENCH_DEVICES", config.train.devices))
    return dataclasses.replace(
        config,
        optimizer=dataclasses.replace(config.optimizer, learning_rate=100.0),
        train=dataclasses.replace(config.train, devices=devices),
    )


class _Losses(Silent):
    """Keeps the loss of every call of the compiled function."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def advance(self, step: int, loss: float, tokens: float) -> None:
        self.values.append(loss)


class Training:
    """As many steps a call as take about a second, a multiple of those in one dispatch; of word vectors an epoch, of
    pairs each batch of a lap once."""

    undropped: LossFn | None = None
    """The loss without dropout, where parameters are those of the others and losses are to be too."""

    def __init__(self, work: Work, folder: Path, device: str) -> None:
        if work.kind == "vectors":
            self.units_per_call = self._learn_vectors(work, folder)
            self.steps_per_call = self.loader.steps_per_epoch
        elif work.pictures:
            self.units_per_call = self.steps_per_call = self._see(work, folder)
        elif work.experiment:
            self.units_per_call = self.steps_per_call = self._translate(work, folder)
        else:
            assert work.model is not None
            if work.model.label:
                self._classify(work, folder)
            else:
                self._model_language(work, folder)
            dispatches = max(1, round(10e9 / work.flop)) * (1 if device == "cpu" else 10)
            self.units_per_call = self.steps_per_call = self.train.steps_per_dispatch * dispatches
        self.parameters = sum(leaf.size for leaf in jax.tree.leaves(self.params))
        self.go, self.done, self.error = threading.Semaphore(0), threading.Semaphore(0), None
        self.thread = threading.Thread(target=self._train, daemon=True)

    def _learn_vectors(self, work: Work, folder: Path) -> int:
        """Words of the text."""
        config, source = vectors_experiment(work), folder / "text.txt"
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, source=str(source)))
        learning = WordVectorLearning.create(config, Workspace())
        self.loader, self.loss_fn = learning.training_loader, learning.loss
        self.params, self.carry = learning.init(jax.random.key(0))["params"], None
        self.train, self.optimizer = config.train, config.optimizer
        return len(source.read_text(encoding="utf-8").split())

    def _translate(self, work: Work, folder: Path) -> int:
        """Batches of a lap."""
        task = jaxseq_pairs.training_task(folder)
        self.loader, self.loss_fn = jaxseq_pairs.Lap(task.training_loader), task.loss
        self.params, self.carry = jaxseq_pairs.parameters(folder), None
        train = dataclasses.replace(task.experiment.train, metric="")  # no translation is scored
        self.train, self.optimizer = training(work, train), OPTIMIZERS[work.optimizer]
        self.undropped = jaxseq_pairs.without_dropout(task).loss
        return self.loader.steps_per_epoch

    def _see(self, work: Work, folder: Path) -> int:
        """Batches of a lap."""
        task = jaxseq_pictures.training_task(folder)
        self.loader, self.loss_fn = jaxseq_pairs.Lap(task.training_loader, LAP), task.loss
        self.params, self.carry = jaxseq_pairs.parameters(folder), None
        train = dataclasses.replace(task.experiment.train, metric="")
        self.train = training(work, train)
        self.optimizer = task.experiment.optimizer if work.optimizer == "own" else OPTIMIZERS[work.optimizer]
        return self.loader.steps_per_epoch

    def _model_language(self, work: Work, folder: Path) -> None:
        assert work.model is not None
        config = experiment(work)
        sizes = {"length": work.time, "batch_size": work.batch}
        ids = np.load(folder / "ids.npy")
        self.loader = RowLoader(ids, **sizes) if work.carried else WindowLoader(ids, **sizes)
        size = work.model.vocabulary
        model = task.build_model(config.model, vocabulary_size=size, dtype=work.dtype)
        self.params = task.init_params(model, seed=0)
        self.carry = model.initial_carry(work.batch) if work.carried else None
        trained = training_model(config.task, model, np.bincount(ids, minlength=size))
        self.loss_fn, self.train, self.optimizer = (
            task.make_loss_fn(trained, self.loader),
            config.train,
            config.optimizer,
        )

    def _classify(self, work: Work, folder: Path) -> None:
        assert work.model is not None
        self.loader = Texts(np.load(folder / "inputs.npy"), np.load(folder / "targets.npy"))
        model = Classifier(work.model)
        self.params, self.carry = model.init(jax.random.key(0), self.loader(0)[0])["params"], None
        self.loss_fn, self.train, self.optimizer = classifier_loss(model), training(work), OPTIMIZERS[work.optimizer]

    def _fit(self, *, evaluate: Evaluate | None = None, reporter: Reporter | None = None, **train: Any) -> None:
        config = dataclasses.replace(self.train, checkpoint_every=ENDLESS, **train)
        optimizer = make_optimizer(self.optimizer, steps=config.steps)
        state = init_state({"params": self.params}, optimizer, key=jax.random.key(1), carry=self.carry)
        training = loop.Training(self.loss_fn, state, self.loader, optimizer, evaluate)
        with tempfile.TemporaryDirectory() as run_dir:
            storage = loop.Storage(Path(run_dir), CheckpointStore(Path(run_dir) / "checkpoints"))
            loop.fit(training, storage, config, reporter=reporter)

    def _train(self) -> None:
        self.go.acquire()
        try:
            self._fit(evaluate=self._gate, steps=ENDLESS, evaluate_every=self.steps_per_call)
        except BaseException as error:
            self.error = error
            self.done.release()
            raise

    def _gate(self, params: Any, whole: bool) -> Mapping[str, float]:
        self.done.release()
        self.go.acquire()
        return {"loss": math.inf}  # never the best, which would be saved

    def run(self, calls: int) -> None:
        if not self.thread.is_alive():
            self.thread.start()
        for _ in range(calls):
            self.go.release()
            self.done.acquire()
            if self.error is not None:
                raise RuntimeError("training ended") from self.error

    def losses(self, steps: int) -> list[float]:
        reporter, self.loss_fn = _Losses(), self.undropped or self.loss_fn
        self._fit(reporter=reporter, steps=steps, steps_per_dispatch=1)
        return reporter.values


class Generation:
    """One call samples `time` characters for each of `batch` texts."""

    units_per_call = 1

    def __init__(self, work: Work) -> None:
        assert work.model is not None
        self.model = task.build_model(experiment(work).model, vocabulary_size=work.model.vocabulary)
        self.params = task.init_params(self.model, seed=0)
        self.parameters = sum(leaf.size for leaf in jax.tree.leaves(self.params))
        self.prompt, self.length, self.key = np.zeros((work.batch, 1), np.int32), work.time, jax.random.key(0)

    def run(self, calls: int) -> None:
        for _ in range(calls):
            generate(self.model, self.params, self.prompt, length=self.length, key=self.key)


class Prediction:
    """One call gives the probability of each text, in batches of 256 of eight lengths, chosen anew in every call."""

    def __init__(self, work: Work, folder: Path) -> None:
        assert work.model is not None
        self.tokens = Sequences(np.load(folder / "ids.npy"), np.load(folder / "offsets.npy"))
        self.units_per_call = len(self.tokens.lengths)
        self.task, self.variables = restored(work.model, length=work.time), loaded(read_arrays(folder / "weights.npz"))
        self.parameters = sum(leaf.size for leaf in jax.tree.leaves(self.variables))

    def probabilities(self) -> np.ndarray:
        return self.task.probabilities(self.variables, self.tokens)[:, 1]

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.probabilities()


class Text:
    """One call encodes the text, or takes it apart."""

    def __init__(self, work: Work, folder: Path) -> None:
        self.text = (folder / "text.txt").read_text(encoding="utf-8")
        self.units_per_call = len(self.text.encode()) / 1e6
        self.function = decompose if work.kind == "decompose" else CharTokenizer.train(self.text).encode

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.function(self.text)


class Windows:
    """One call makes a thousand batches of windows."""

    def __init__(self, work: Work, folder: Path) -> None:
        self.loader = WindowLoader(np.load(folder / "ids.npy"), length=work.time, batch_size=work.batch)
        self.units_per_call, self.step = 1000 * work.batch * work.time / 1e6, 0

    def run(self, calls: int) -> None:
        for _ in range(calls * 1000):
            self.loader(self.step)
            self.step += 1


class Pieces:
    """One call makes ids of the lines of a text."""

    def __init__(self, work: Work, folder: Path) -> None:
        self.lines, self.tokenizer, _ = subword_worker.trained(work, folder)
        self.units_per_call = sum(len(line.encode()) for line in self.lines) / 1e6

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.tokenizer.encode_texts(self.lines)


class Counts:
    """One call counts the n-grams of all orders."""

    def __init__(self, work: Work, folder: Path) -> None:
        self.ids, self.order = np.load(folder / "ids.npy"), work.order
        self.units_per_call = len(self.ids)

    def run(self, calls: int) -> None:
        for _ in range(calls):
            count_ngrams(self.ids, order=self.order, vocabulary_size=WIKITEXT2_LSTM.vocabulary)


def device_peak() -> int:
    return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)


def build(work: Work, folder: Path, device: str) -> Job:
    if work.kind in ("train", "vectors"):
        if work.kind == "vectors":
            train = vectors_experiment(work).train
        elif work.experiment:
            train = training(work)
        else:
            train = training(work) if work.model and work.model.label else experiment(work).train
        runtime.configure(devices=train.devices, allocator=train.allocator)
        return Training(work, folder, device)
    if work.kind == "generate":
        runtime.configure(devices=1 if work.batch < 16 else 0)  # as `jaxseq sample` does
        return Generation(work)
    if work.kind == "predict":
        runtime.configure()  # as `jaxseq predict` does
        return Prediction(work, folder)
    if work.kind == "detect":
        runtime.configure()  # as `jaxseq evaluate` does
        return jaxseq_pictures.Detection(work, folder)
    if work.kind == "translate":
        runtime.configure(devices=1 if work.batch == 1 else 0)  # as `jaxseq translate` does
        return jaxseq_pairs.Search(work, folder)
    kinds = {"windows": Windows, "pieces": Pieces, "count": Counts}
    return kinds.get(work.kind, Text)(work, folder)


if __name__ == "__main__":
    serve(build, packages=("jax", "flax"), device_peak=device_peak)
