"""What ties data, models, losses and metrics together; the one place that sees both models and text."""

from jaxseq.tasks.in_memory import train_model
from jaxseq.tasks.language_model import Loaded, build_model, init_params, load_run, make_loss_fn

__all__ = ["Loaded", "build_model", "init_params", "load_run", "make_loss_fn", "train_model"]
