"""An experiment as frozen dataclasses: every knob, its meaning and its default.

The command line is derived from these classes by tyro, a checkpoint holds one as config.json, and `ExperimentConfig()`
is the quickstart. Beside every field stands what it may hold, and whether a run may go on with another value
(`jaxseq.config.fields`). Both this and what concerns several fields is checked when a section is built, so that a bad
value is refused before anything is read or written.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from jaxseq.config.corpus import CorpusConfig
from jaxseq.config.fields import FREE, Text, check_fields, refuse
from jaxseq.config.kinds import SECTIONS, DataConfig, ModelConfig, TaskConfig, kind_named
from jaxseq.config.models import RNNConfig
from jaxseq.config.optimizers import AdamConfig, OptimizerConfig
from jaxseq.config.tasks import LanguageModelingConfig
from jaxseq.config.training import TrainConfig


@dataclass(frozen=True)
class ExperimentConfig:
    """One experiment. Its run directory is runs/NAME."""

    name: Annotated[str, Text(255, file=True), FREE] = "quickstart"
    """Name of the run directory under runs/."""
    task: TaskConfig = field(default_factory=lambda: LanguageModelingConfig(temperature=0.7))
    data: DataConfig = field(default_factory=CorpusConfig)
    model: ModelConfig = field(default_factory=lambda: RNNConfig(features=320, output_dropout=0.3))
    optimizer: OptimizerConfig = field(
        default_factory=lambda: AdamConfig(learning_rate=5e-3, schedule="cosine", warmup_steps=50, clip_norm=1.0)
    )
    train: TrainConfig = field(default_factory=lambda: TrainConfig(epochs=8))

    def __post_init__(self) -> None:
        check_fields(self, "")
        for section in SECTIONS:
            kind_named(section, getattr(type(getattr(self, section)), "kind", None))
        if Path(self.name).name != self.name or self.name in ("", ".."):
            raise refuse("name", self.name, "it names a directory under runs/, --run-dir takes a path")
        if self.train.patience and not self.data.has_validation:
            remedy = (
                "without a validation split there is nothing to wait for, leave it at 0 or give data.split another one"
            )
            raise refuse("train.patience", self.train.patience, remedy)
