"""Trainings put together, and what is left of them opened: the one place that sees both tasks and training."""

from jaxseq.runs.in_memory import train_model
from jaxseq.runs.load import Run, load_run

__all__ = ["Run", "load_run", "train_model"]
