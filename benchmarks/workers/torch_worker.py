"""PyTorch, eager or (JAXSEQ_BENCH_COMPILE=1) with torch.compile; forward passes in bfloat16 where autocast has it
(JAXSEQ_BENCH_AUTOCAST=1); maps of pictures with their channels last in memory (JAXSEQ_BENCH_CHANNELS_LAST=1).

Fused kernels throughout: nn.LSTM and nn.GRU, scaled_dot_product_attention, fused Adam; as many threads as cores. On a
GPU float32 matmuls may use TF32, which is JAX's default there, and batches are copied from pinned memory.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.workers import prediction, torch_captions, torch_pairs, torch_pictures, torch_search
from benchmarks.workers.arrays import read_arrays
from benchmarks.workers.serve import Job, cores, serve
from benchmarks.workers.torch_models import Classifier, Recurrent, Stepper, Transformer, load_weights
from benchmarks.workers.torch_steps import Steps
from benchmarks.works import Work

COMPILE = os.environ.get("JAXSEQ_BENCH_COMPILE") == "1"
AUTOCAST = os.environ.get("JAXSEQ_BENCH_AUTOCAST") == "1"
CHANNELS_LAST = os.environ.get("JAXSEQ_BENCH_CHANNELS_LAST") == "1"


class Training(Steps):
    """Forward, backward and update on one batch a call."""

    def __init__(self, work: Work, folder: Path, device: str) -> None:
        assert work.model is not None
        batches = [torch.from_numpy(np.load(folder / f"{name}.npy")).long() for name in ("inputs", "targets")]
        self.inputs, self.targets = [x.pin_memory() if device == "cuda" else x for x in batches]
        kind = Transformer if work.model.family == "transformer" else Classifier if work.model.label else Recurrent
        self.label = work.model.label
        self.model = kind(work.model).to(device)
        self.parameters = sum(p.numel() for p in self.model.parameters())
        kinds = {"adam": (torch.optim.Adam, 1e-3), "sgd": (torch.optim.SGD, 1.0)}
        optimizer, rate = kinds[work.optimizer]
        self.optimizer = optimizer(self.model.parameters(), lr=rate, fused=True)
        self.clip_norm = 0.25 if work.optimizer == "sgd" else 0.0
        # "reduce-overhead" is CUDA graphs.
        mode = "reduce-overhead" if device == "cuda" else None
        self.loss = torch.compile(self._loss, mode=mode) if COMPILE else self._loss
        self.device, self.carried, self.carry = device, work.carried, None

    def _loss(self, inputs: torch.Tensor, targets: torch.Tensor, carry: Any) -> tuple[torch.Tensor, Any]:
        logits, carry = self.model(inputs, carry)
        if self.label:
            return F.binary_cross_entropy_with_logits(logits, targets.float()), carry
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten()), carry

    def batch_loss(self) -> torch.Tensor:
        i = self.step % len(self.inputs)
        inputs, targets = (x[i].to(self.device, non_blocking=True) for x in (self.inputs, self.targets))
        with torch.autocast(self.device, torch.bfloat16, enabled=AUTOCAST):
            loss, carry = self.loss(inputs, targets, self.carry if i else None)
        if self.carried:
            self.carry = [tuple(state.detach() for state in layer) for layer in carry]
        return loss


class Generation:
    """One call samples `time` characters for each of `batch` texts, step by step."""

    units_per_call = 1

    def __init__(self, work: Work, device: str) -> None:
        assert work.model is not None
        trained = Recurrent(work.model).to(device).eval()
        self.parameters = sum(p.numel() for p in trained.parameters())
        self.stepper = Stepper(work.model, trained)
        # Without CUDA graphs: the carry, output of one and input of the next, would have to be copied at every step.
        self.next = torch.compile(self._next) if COMPILE else self._next
        self.work, self.device = work, device
        state = torch.zeros(work.batch, work.model.features, device=device)
        self.carry = [(state, state) if work.model.family == "lstm" else state] * work.model.layers
        if device == "cpu":
            torch.set_num_threads(min((1, cores()), key=self._seconds))

    def _seconds(self, threads: int) -> float:
        """Time of 50 characters with that many threads: for work as small as this one is often best."""
        torch.set_num_threads(threads)
        self._generate(10)
        start = time.perf_counter()
        self._generate(50)
        return time.perf_counter() - start

    def _next(self, tokens: torch.Tensor, carry: list[Any]) -> tuple[torch.Tensor, list[Any]]:
        logits, carry = self.stepper(tokens, carry)
        return torch.multinomial(F.softmax(logits, -1), 1)[:, 0], carry

    @torch.inference_mode()
    def _generate(self, length: int) -> np.ndarray:
        tokens = torch.zeros(self.work.batch, dtype=torch.int64, device=self.device)
        out = torch.empty(length, self.work.batch, dtype=torch.int64, device=self.device)
        carry = self.carry
        for i in range(length):
            tokens, carry = self.next(tokens, carry)
            out[i] = tokens
        return out.cpu().numpy()

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self._generate(self.work.time)


class Prediction(prediction.Prediction):
    """Packed batches of texts that are about as long, in inference mode, on as many threads as are faster."""

    def __init__(self, work: Work, folder: Path, device: str) -> None:
        super().__init__(work, folder)
        assert work.model is not None
        self.model, self.device = Classifier(work.model).to(device).eval(), device
        load_weights(self.model, read_arrays(folder / "weights.npz"))
        self.parameters = sum(p.numel() for p in self.model.parameters())
        if device == "cpu":
            self.choose_threads()

    def choose_threads(self) -> None:
        """One, or one a core."""
        torch.set_num_threads(min((1, cores()), key=self._seconds))

    def _seconds(self, threads: int) -> float:
        """Time of 64 texts with that many threads."""
        torch.set_num_threads(threads)
        _, (batch, *_) = prediction.sorted_batches(self.ids, self.offsets, 64)
        self.predict([batch])
        start = time.perf_counter()
        self.predict([batch])
        return time.perf_counter() - start

    @torch.inference_mode()
    def predict(self, batches: list[np.ndarray]) -> Sequence[np.ndarray]:
        tokens = [torch.from_numpy(batch).long().to(self.device) for batch in batches]
        return [one.cpu().numpy() for one in [torch.sigmoid(self.model(some)[0]) for some in tokens]]


class Windows:
    """Shuffled batches of windows: a strided view (unfold) and one gather of its rows for each batch."""

    def __init__(self, work: Work, folder: Path) -> None:
        self.windows = torch.from_numpy(np.load(folder / "ids.npy")).unfold(0, work.time + 1, 1)
        self.work, self.batches, self.step = work, 1000, 0
        self.units_per_call = self.batches * work.batch * work.time / 1e6

    def run(self, calls: int) -> None:
        batch = self.work.batch
        for _ in range(calls * self.batches):
            at = self.step % (len(self.windows) // batch)
            if at == 0:
                self.order = torch.randperm(len(self.windows))
            window = self.windows[self.order[at * batch : (at + 1) * batch]]
            _ = window[:, :-1], window[:, 1:]
            self.step += 1


def build(work: Work, folder: Path, device: str) -> Job:
    torch.set_num_threads(cores())
    torch.set_float32_matmul_precision("high" if device == "gpu" else "highest")
    device = "cuda" if device == "gpu" else "cpu"
    if work.pictures:
        training = torch_captions if work.experiment == "digit_scenes" else torch_pictures
        job = torch_pictures.Detection if work.kind == "detect" else training.Training
        return job(work, folder, device, compiled=COMPILE, channels_last=CHANNELS_LAST)
    if work.kind == "train" and work.experiment:
        return torch_pairs.Training(work, folder, device, compiled=COMPILE)
    if work.kind == "train":
        return Training(work, folder, device)
    if work.kind == "generate":
        return Generation(work, device)
    if work.kind == "predict":
        return Prediction(work, folder, device)
    if work.kind == "translate":
        return torch_search.Search(work, folder, device)
    return Windows(work, folder)


if __name__ == "__main__":
    serve(build, packages=("torch",), device_peak=torch.cuda.max_memory_allocated)
