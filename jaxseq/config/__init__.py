"""Experiments: what can be chosen, and how a choice is written down."""

from jaxseq.config.schema import (
    DataConfig,
    ExperimentConfig,
    ModelConfig,
    NormalizerName,
    OptimizerConfig,
    RNNConfig,
    SampleConfig,
    TrainConfig,
    TransformerConfig,
)
from jaxseq.config.serialization import differences, from_dict, from_json, load_config, read_config, to_dict, to_json

__all__ = [
    "DataConfig",
    "ExperimentConfig",
    "ModelConfig",
    "NormalizerName",
    "OptimizerConfig",
    "RNNConfig",
    "SampleConfig",
    "TrainConfig",
    "TransformerConfig",
    "differences",
    "from_dict",
    "from_json",
    "load_config",
    "read_config",
    "to_dict",
    "to_json",
]
