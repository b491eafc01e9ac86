"""A captioner in PyTorch: convolutions, a GRU, and additive attention of all tokens at once."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.workers.pair_files import Weights
from benchmarks.workers.picture_files import batches, captioner, scaled
from benchmarks.workers.torch_pairs import IGNORED
from benchmarks.workers.torch_steps import Steps
from benchmarks.works import Work


class Captioner(nn.Module):
    """pictures [b, c, h, w], inputs [b, t] -> logits [b, t, v]."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        sizes, weights = captioner(folder)
        layers: list[nn.Module] = []
        for i, features in enumerate(sizes["filters"]):
            kernel = weights[f"encoder/stack/conv_{i}/kernel"]
            layers += [nn.Conv2d(kernel.shape[2], features, len(kernel), padding=1), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if i < sizes["poolings"] else []
        self.encoder = nn.Sequential(*layers)
        d, f, width = sizes["filters"][-1], sizes["features"], sizes["embedding"]
        words = len(weights["embedding"])
        self.positions = nn.Parameter(torch.from_numpy(weights["encoder/positions"]))
        self.start, self.embedding = nn.Linear(d, f), nn.Embedding(words, width)
        self.gru = nn.GRU(width, f, batch_first=True)
        self.key, self.query = nn.Linear(d, f, bias=False), nn.Linear(f, f, bias=False)
        self.scale = nn.Parameter(torch.from_numpy(weights["decoder/look/scale"]))
        self.combine, self.output = nn.Linear(d + f, f, bias=False), nn.Linear(f, words)
        self._load(weights)

    @torch.no_grad()
    def _load(self, weights: Weights) -> None:
        convolutions = [layer for layer in self.encoder if isinstance(layer, nn.Conv2d)]
        for i, layer in enumerate(convolutions):
            layer.weight.copy_(torch.from_numpy(weights[f"encoder/stack/conv_{i}/kernel"].transpose(3, 2, 0, 1)))
            assert layer.bias is not None
            layer.bias.copy_(torch.from_numpy(weights[f"encoder/stack/conv_{i}/bias"]))
        for layer, name in ((self.start, "encoder/start_"), (self.output, "head/")):
            layer.weight.copy_(torch.from_numpy(weights[f"{name}kernel"].T))
            layer.bias.copy_(torch.from_numpy(weights[f"{name}bias"]))
        for layer, name in ((self.key, "look/key"), (self.query, "look/query"), (self.combine, "combine")):
            layer.weight.copy_(torch.from_numpy(weights[f"decoder/{name}_kernel"].T))
        self.embedding.weight.copy_(torch.from_numpy(weights["embedding"]))
        for ours, theirs in (("input", "ih"), ("recurrent", "hh")):
            kernel = weights[f"decoder/layer_0/{ours}_kernel"]
            bias = weights["decoder/layer_0/bias" if ours == "input" else "decoder/layer_0/recurrent_bias"]
            getattr(self.gru, f"weight_{theirs}_l0").copy_(torch.from_numpy(kernel.T))
            getattr(self.gru, f"bias_{theirs}_l0").copy_(torch.from_numpy(bias))

    def forward(self, pictures: Tensor, inputs: Tensor) -> Tensor:
        grid = self.encoder(pictures).permute(0, 2, 3, 1).flatten(1, 2) + self.positions
        h, _ = self.gru(self.embedding(inputs), torch.tanh(self.start(grid.mean(1)))[None])
        scores = torch.tanh(self.query(h)[:, :, None] + self.key(grid)[:, None]) @ self.scale
        gathered = torch.bmm(scores.softmax(-1), grid)
        return self.output(torch.tanh(self.combine(torch.cat([gathered, h], -1))))


class Training(Steps):
    """Forward, backward and update on each batch of a lap once a call."""

    def __init__(self, work: Work, folder: Path, device: str, *, compiled: bool, channels_last: bool) -> None:
        del work
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.batches = []
        for batch in batches(folder):
            pictures = torch.from_numpy(scaled(folder, batch["pictures"])).permute(0, 3, 1, 2)
            targets = np.where(batch["mask"], batch["targets"], IGNORED)
            tensors = [pictures.contiguous(memory_format=layout)]
            tensors += [torch.from_numpy(array.astype(np.int64)) for array in (batch["inputs"], targets)]
            self.batches.append([x.pin_memory() if device == "cuda" else x for x in tensors])
        self.model: Any = Captioner(folder).to(device)
        self.model.encoder.to(memory_format=layout)
        self.parameters = sum(p.numel() for p in self.model.parameters())
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, fused=True)
        self.loss = torch.compile(self._loss) if compiled else self._loss
        self.units_per_call, self.device = len(self.batches), device

    def _loss(self, pictures: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(self.model(pictures, inputs).flatten(0, 1), targets.flatten(), ignore_index=IGNORED)

    def batch_loss(self) -> Tensor:
        return self.loss(*(x.to(self.device, non_blocking=True) for x in self.batches[self.step % len(self.batches)]))
