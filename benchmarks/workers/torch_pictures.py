"""Autoencoders and a detector of pictures in PyTorch, the maps with their channels first or last in memory."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.workers.picture_files import Place, autoencoder_layers, batches, described, pixels, scaling
from benchmarks.workers.torch_steps import Steps
from benchmarks.works import Work


def _convolution(place: Place, kernel: np.ndarray, bias: np.ndarray) -> nn.Module:
    k, _, d, f = kernel.shape
    kind = nn.ConvTranspose2d if place.kind == "transposed" else nn.Conv2d
    layer = kind(d, f, k, padding=k // 2 if place.padding == "same" else 0)
    axes = (2, 3, 0, 1) if place.kind == "transposed" else (3, 2, 0, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(kernel.transpose(axes)))
        assert layer.bias is not None
        layer.bias.copy_(torch.from_numpy(bias))
    return layer


def autoencoder(folder: Path) -> nn.Sequential:
    """[n, c, h, w] in 0 to 1 -> logits of the pixels."""
    sizes, weights, _ = described(folder)
    layers: list[nn.Module] = []
    for place in autoencoder_layers(sizes):
        if place.kind == "pool":
            layers.append(nn.MaxPool2d(place.size, ceil_mode=place.padding == "same"))
        elif place.kind == "up":
            layers.append(nn.Upsample(scale_factor=place.size))
        else:
            layers.append(_convolution(place, weights[f"{place.name}/kernel"], weights[f"{place.name}/bias"]))
            if place.activation == "relu":
                layers.append(nn.ReLU())
    return nn.Sequential(*layers)


class Training(Steps):
    """Forward, backward and update on one batch a call."""

    def __init__(self, work: Work, folder: Path, device: str, *, compiled: bool, channels_last: bool) -> None:
        del work
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        arrays = [torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=self.layout) for x in pixels(folder)]
        self.batches = [x.pin_memory() if device == "cuda" else x for x in arrays]
        self.model: Any = autoencoder(folder).to(device).to(memory_format=self.layout)  # pyright: ignore[reportCallIssue]
        self.parameters = sum(p.numel() for p in self.model.parameters())
        how = described(folder).optimizer
        self.optimizer = torch.optim.Adadelta(
            self.model.parameters(), lr=how["learning_rate"], rho=how["decay"], eps=how["eps"]
        )
        self.loss = torch.compile(self._loss) if compiled else self._loss
        self.device = device

    def _loss(self, x: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(self.model(x), x)

    def batch_loss(self) -> Tensor:
        return self.loss(self.batches[self.step % len(self.batches)].to(self.device, non_blocking=True))


class Detector(nn.Module):
    """uint8 [n, h, w, 3] -> logits [n]."""

    def __init__(self, folder: Path, layout: torch.memory_format) -> None:
        super().__init__()
        sizes, weights, _ = described(folder)
        if len(sizes["filters"]) != 1 or sizes["pool"] != 1 or sizes["places"] != "each" or sizes["bias"]:
            raise ValueError("there is a form of one convolution and a unit without bias alone: write another")
        self.times, self.less = (nn.Buffer(torch.from_numpy(x)[:, None, None]) for x in scaling(folder))
        kernel, unit = weights["convolution_0/kernel"], weights["unit/kernel"]
        self.stride, self.layout = sizes["stride"], layout
        self.kernel = nn.Parameter(torch.from_numpy(kernel.transpose(3, 2, 0, 1)).contiguous(memory_format=layout))
        self.unit = nn.Parameter(torch.from_numpy(unit.reshape(-1)))

    def forward(self, pictures: Tensor) -> Tensor:
        x = pictures.permute(0, 3, 1, 2).to(torch.float32, memory_format=self.layout)
        x = F.relu(F.conv2d(x.mul_(self.times).sub_(self.less), self.kernel, stride=self.stride))
        return x.permute(0, 2, 3, 1).flatten(1) @ self.unit


class Detection:
    """One call gives the logits of a batch."""

    units_per_call = 1

    def __init__(self, work: Work, folder: Path, device: str, *, compiled: bool, channels_last: bool) -> None:
        del work
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.model: Any = Detector(folder, layout).to(device).eval()
        self.parameters = sum(p.numel() for p in self.model.parameters())
        self.forward = torch.compile(self.model) if compiled else self.model
        self.pictures, self.device = torch.from_numpy(batches(folder)[0]["inputs"]), device

    @torch.inference_mode()
    def outputs(self) -> np.ndarray:
        return self.forward(self.pictures.to(self.device)).cpu().numpy()

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.outputs()
