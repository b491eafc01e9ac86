"""What one kind of system is, apart from how it is trained, stored and shown: what ties data, models and losses."""

from jaxseq.tasks.language_modeling import build_model, init_params, make_loss_fn

__all__ = ["build_model", "init_params", "make_loss_fn"]
