"""The sections of an experiment as classification reads them."""

from collections.abc import Sequence

from jaxseq.config import ClassificationConfig, ExperimentConfig, LabelledConfig, NBSVMConfig
from jaxseq.errors import ConfigError


def sections(experiment: ExperimentConfig) -> tuple[ClassificationConfig, LabelledConfig]:
    task, data = experiment.task, experiment.data
    if not isinstance(task, ClassificationConfig):
        raise ConfigError(f"task.kind is {task.kind!r}: this task is classification")
    if not isinstance(data, LabelledConfig):
        raise ConfigError(f"data.kind is {data.kind!r}: classification reads labelled texts, take labelled")
    return task, data


def require_fit(task: ClassificationConfig, data: LabelledConfig, experiment: ExperimentConfig) -> None:
    """Refuses fields that mean nothing beside others."""
    given = "task.vectors is given" if task.vectors else "task.freeze_vectors is True" * task.freeze_vectors
    if given and isinstance(experiment.model, NBSVMConfig):
        raise ConfigError(f"{given} and model.kind is 'nbsvm': it has no embedding, leave them out")
    if given and not getattr(experiment.model, "embedding", 1):
        raise ConfigError(f"{given} and model.embedding is 0: give the width of the vectors")
    if task.freeze_vectors and getattr(experiment.optimizer, "weight_decay", 0):
        raise ConfigError("task.freeze_vectors is True: optimizer.weight_decay would shrink them, leave it at 0")
    if task.freeze_weights and (rate := getattr(experiment.model, "dropout", 0)):
        raise ConfigError(f"task.freeze_weights is True and model.dropout is {rate}: it drops nothing, leave it at 0")
    if data.delimit and task.vocabulary == "vectors":
        raise ConfigError("task.vocabulary is 'vectors' and data.delimit is True: [CLS] has no vector, leave it out")
    if not task.mask and data.lengths > 1:
        raise ConfigError(
            f"data.lengths is {data.lengths} and padding is read, so that what is made of a text would depend on "
            "those beside it: set data.lengths to 1, or leave task.mask as it is"
        )


def require_positive(task: ClassificationConfig, classes: Sequence[str]) -> None:
    """Refuses a positive class that is none of two."""
    if task.positive and (len(classes) != 2 or task.positive not in classes):
        raise ConfigError(
            f"task.positive is {task.positive!r}: choose one of two classes, these are {_listed(classes)}"
        )


def _listed(classes: Sequence[str]) -> str:
    return ", ".join(classes[:10]) + (" ..." if len(classes) > 10 else "")
