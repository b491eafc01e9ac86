"""What every training in PyTorch does, whatever its model and loss."""

import torch
from torch import Tensor, nn


class Steps:
    """Forward, backward and update, on one batch after the other.

    A worker sets the attributes, and says what `batch_loss` is.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    device: str
    units_per_call: int = 1
    """Steps of a call."""
    clip_norm: float = 0.0
    """Longest gradient; 0 for any."""
    step: int = 0
    """Steps taken."""

    def batch_loss(self) -> Tensor:
        """The loss of the batch whose turn it is at `step`."""
        raise NotImplementedError

    def train_step(self) -> Tensor:
        """One of them; its loss."""
        loss = self.batch_loss()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimizer.step()
        self.step += 1
        return loss

    def run(self, calls: int) -> None:
        """The steps of so many calls, until the last one is done."""
        for _ in range(calls * self.units_per_call):
            self.train_step()
        if self.device == "cuda":
            torch.cuda.synchronize()

    def losses(self, steps: int) -> list[float]:
        """Those of the next steps."""
        return [self.train_step().item() for _ in range(steps)]
