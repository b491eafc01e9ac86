"""What one kind of system is, apart from how it is trained, stored and shown: what ties data, models and losses."""

from jaxseq.tasks.autoencoding.autoencoding import Autoencoding
from jaxseq.tasks.captioning.captioners import build_captioner, caption_loss
from jaxseq.tasks.captioning.captioning import Captioning
from jaxseq.tasks.classification.classification import Classification
from jaxseq.tasks.classification.classifiers import build_classifier
from jaxseq.tasks.language.language_model import build_model, init_params, make_loss_fn
from jaxseq.tasks.language.language_modeling import LanguageModeling
from jaxseq.tasks.picture_form import PictureForm
from jaxseq.tasks.pretraining.masked_language_modeling import MaskedLanguageModeling
from jaxseq.tasks.recognition.recognition import Recognition
from jaxseq.tasks.task import Evaluation, Showcase, Task, Workspace, register_task, task_of
from jaxseq.tasks.translation.encoder_decoders import build_encoder_decoder
from jaxseq.tasks.translation.pair_loss import pair_loss
from jaxseq.tasks.translation.translation import TranslationTask
from jaxseq.tasks.vectors.text_vectors import TextVectorLearning
from jaxseq.tasks.vectors.word_vectors import WordVectorLearning

__all__ = [
    "Autoencoding",
    "Captioning",
    "Classification",
    "Evaluation",
    "LanguageModeling",
    "MaskedLanguageModeling",
    "PictureForm",
    "Recognition",
    "Showcase",
    "Task",
    "TextVectorLearning",
    "TranslationTask",
    "WordVectorLearning",
    "Workspace",
    "build_captioner",
    "build_classifier",
    "build_encoder_decoder",
    "build_model",
    "caption_loss",
    "init_params",
    "make_loss_fn",
    "pair_loss",
    "register_task",
    "task_of",
]
