"""Experiments: what can be chosen, and how a choice is written down."""

from jaxseq.config.autoencoding import AutoencoderConfig, AutoencodingConfig
from jaxseq.config.baskets import BasketsConfig
from jaxseq.config.captioned import CaptionedConfig
from jaxseq.config.captioning import CaptionerConfig, CaptioningConfig
from jaxseq.config.captions import CaptionsConfig
from jaxseq.config.corpus import CorpusConfig
from jaxseq.config.digit_scenes import DigitScenesConfig
from jaxseq.config.digits import DigitsConfig
from jaxseq.config.experiment import ExperimentConfig
from jaxseq.config.hands import HandsConfig
from jaxseq.config.kinds import SECTIONS, DataConfig, ModelConfig, TaskConfig, kinds_of, register
from jaxseq.config.labelled import LabelledConfig
from jaxseq.config.lines import LinesConfig
from jaxseq.config.made_up import MadeUpConfig
from jaxseq.config.models import (
    BagConfig,
    EncoderConfig,
    NBSVMConfig,
    NGramConfig,
    RNNConfig,
    TransformerConfig,
    VectorsConfig,
    WindowBagConfig,
)
from jaxseq.config.optimizers import (
    AdadeltaConfig,
    AdagradConfig,
    AdamConfig,
    AdamWConfig,
    OptimizerConfig,
    RMSpropConfig,
    SGDConfig,
)
from jaxseq.config.paired import PairedConfig
from jaxseq.config.pairs import PairsConfig
from jaxseq.config.pretraining import DocumentsConfig, MaskedLanguageModelingConfig
from jaxseq.config.recognition import CornersConfig, DetectorConfig, RecognitionConfig
from jaxseq.config.rectangles import RectanglesConfig
from jaxseq.config.running_text import RunningTextConfig
from jaxseq.config.seq2seq import Seq2SeqConfig, Seq2SeqTransformerConfig
from jaxseq.config.serialization import (
    differences,
    from_dict,
    from_json,
    load_config,
    read_config,
    to_dict,
    to_json,
    with_kind,
)
from jaxseq.config.tasks import (
    ClassificationConfig,
    LanguageModelingConfig,
    TextVectorsConfig,
    TranslationConfig,
    WordVectorsConfig,
)
from jaxseq.config.texts import NormalizerName, TextConfig
from jaxseq.config.training import TrainConfig

__all__ = [
    "AdadeltaConfig",
    "AdagradConfig",
    "AdamConfig",
    "AdamWConfig",
    "AutoencoderConfig",
    "AutoencodingConfig",
    "BagConfig",
    "BasketsConfig",
    "CaptionedConfig",
    "CaptionerConfig",
    "CaptioningConfig",
    "CaptionsConfig",
    "ClassificationConfig",
    "CornersConfig",
    "CorpusConfig",
    "DataConfig",
    "DetectorConfig",
    "DigitScenesConfig",
    "DigitsConfig",
    "DocumentsConfig",
    "EncoderConfig",
    "ExperimentConfig",
    "HandsConfig",
    "LabelledConfig",
    "LanguageModelingConfig",
    "LinesConfig",
    "MadeUpConfig",
    "MaskedLanguageModelingConfig",
    "ModelConfig",
    "NBSVMConfig",
    "NGramConfig",
    "NormalizerName",
    "OptimizerConfig",
    "PairedConfig",
    "PairsConfig",
    "RMSpropConfig",
    "RNNConfig",
    "RecognitionConfig",
    "RectanglesConfig",
    "RunningTextConfig",
    "SECTIONS",
    "SGDConfig",
    "Seq2SeqConfig",
    "Seq2SeqTransformerConfig",
    "TaskConfig",
    "TextConfig",
    "TextVectorsConfig",
    "TrainConfig",
    "TransformerConfig",
    "TranslationConfig",
    "VectorsConfig",
    "WindowBagConfig",
    "WordVectorsConfig",
    "differences",
    "from_dict",
    "from_json",
    "kinds_of",
    "load_config",
    "read_config",
    "register",
    "to_dict",
    "to_json",
    "with_kind",
]
