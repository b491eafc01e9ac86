"""No field of a configuration is without effect: each is read where something is made of it."""

import ast
import dataclasses
import inspect
import sys
from pathlib import Path

import numpy as np
import pytest
from small_captioners import write_squares
from small_digits import write_digits
from small_tokenizers import sentencepiece_model

from jaxseq import runtime
from jaxseq.commands import train
from jaxseq.config import (
    SECTIONS,
    AutoencoderConfig,
    AutoencodingConfig,
    BagConfig,
    BasketsConfig,
    CaptionerConfig,
    CaptioningConfig,
    CaptionsConfig,
    ClassificationConfig,
    CornersConfig,
    CorpusConfig,
    DetectorConfig,
    DigitScenesConfig,
    DigitsConfig,
    DocumentsConfig,
    EncoderConfig,
    ExperimentConfig,
    HandsConfig,
    LabelledConfig,
    LanguageModelingConfig,
    LinesConfig,
    MadeUpConfig,
    MaskedLanguageModelingConfig,
    NBSVMConfig,
    NGramConfig,
    PairsConfig,
    RecognitionConfig,
    RectanglesConfig,
    RNNConfig,
    Seq2SeqConfig,
    Seq2SeqTransformerConfig,
    TextVectorsConfig,
    TrainConfig,
    TransformerConfig,
    TranslationConfig,
    VectorsConfig,
    WindowBagConfig,
    WordVectorsConfig,
    kinds_of,
)
from jaxseq.errors import InputError
from jaxseq.models import Autoencoder, Bag, Recurrent, Transformer, TransformerEncoder, WindowBag
from jaxseq.tasks.text_tokenizers import make_sentence_tokenizer
from jaxseq.training.optim import make_optimizer

ROOT = Path(__file__).parents[1] / "jaxseq"
READ_BY_RUNS = (
    *(CorpusConfig, LinesConfig, BasketsConfig, LabelledConfig, TrainConfig),
    *(LanguageModelingConfig, ClassificationConfig, NBSVMConfig, NGramConfig),
    *(WordVectorsConfig, TextVectorsConfig, VectorsConfig),
    *(TranslationConfig, PairsConfig, MadeUpConfig, Seq2SeqConfig, Seq2SeqTransformerConfig),
    *(AutoencodingConfig, DigitsConfig),
    *(CaptioningConfig, CaptionsConfig, DigitScenesConfig, CaptionerConfig),
    *(RecognitionConfig, RectanglesConfig, CornersConfig, HandsConfig, DetectorConfig),
    *(MaskedLanguageModelingConfig, DocumentsConfig),
    *kinds_of("optimizer").values(),
)
BODIES = {RNNConfig: Recurrent, TransformerConfig: Transformer, BagConfig: Bag, EncoderConfig: TransformerEncoder}
BODIES |= {WindowBagConfig: WindowBag, AutoencoderConfig: Autoencoder}
REFUSED = {f"DigitScenesConfig.{name}" for name in ("channels", "encoding")}
"""Fields that others of their kind need, and that have one value here."""
# The models that take least compiling: those of bodies are read by other means, see below.
TINY = ["--data.length", "8", "--data.batch-size", "4", "--task.sample-length", "4", "--train.devices", "1"]
BAG = [*TINY, "--model.kind", "window_bag", "--model.features", "4", "--model.hidden", "0"]
COUNTED = [*TINY, "--model.kind", "ngram"]


@pytest.fixture
def reads(monkeypatch):
    """{section: names of the fields that code outside of jaxseq/config has read of it, by its properties too}."""
    found = {section: set() for section in READ_BY_RUNS}
    for section in READ_BY_RUNS:
        inner = {name for name, kind in inspect.getmembers(section) if isinstance(kind, property)}
        inner |= {"read", "<dictcomp>"}  # through which properties are read, and have a part of their own

        def read(self, name, section=section, inner=inner):
            frame = sys._getframe(1)
            while frame.f_code.co_name in inner:
                frame = frame.f_back
            where = Path(frame.f_code.co_filename)
            if where.is_relative_to(ROOT) and not where.is_relative_to(ROOT / "config"):
                found[section].add(name)
            return object.__getattribute__(self, name)

        monkeypatch.setattr(section, "__getattribute__", read, raising=False)
    return found


def test_a_run_reads_every_field(tmp_path, monkeypatch, capsys, reads):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runtime, "configure", lambda **_: None)
    (tmp_path / "a.txt").write_text("the quick brown fox\n" * 40)
    source = ("--data.source", "a.txt", "--train.steps", "4")
    for more in (["--data.layout", "windows"], ["--data.memory-map", "--train.patience", "1"]):
        assert train.main([*source, *more, "--name", more[-1], *BAG], program="train.py") == 0
    lines = ["--data.kind", "lines", "--data.tokenizer", "word", "--data.layout", "packed"]
    assert train.main([*source, *lines, *COUNTED, "--name", "lines"], program="train.py") == 0
    own_texts = ["--data.split", "1", "0", "0", "--data.validation-source", "a.txt", "--data.test-source", "a.txt"]
    assert train.main([*source, *lines[2:4], *own_texts, *COUNTED, "--name", "words"], program="train.py") == 0
    (tmp_path / "a.model").write_bytes(sentencepiece_model())
    given = ["--data.tokenizer", "sentencepiece", "--data.tokenizer-file", "a.model"]
    for kind in ("corpus", "lines"):
        for pieces in (given, ["--data.tokenizer", "bpe", "--data.pieces", "300"]):
            more = ["--data.kind", kind, *pieces, *COUNTED, "--name", f"{kind}_{pieces[1]}"]
            assert train.main([*source, *more], program="train.py") == 0
    words = ["--data.tokenizer", "word", "--task.samples", "2", "--task.sampler", "unigram", "--task.objective"]
    adaptive = ["adaptive", "--task.cutoffs", "2", "3", "--name"]
    for more in (["sampled", "--name", "sampled"], [*adaptive, "adaptive"]):
        assert train.main([*source, *words, *more, *BAG], program="train.py") == 0
    diverging = [
        "--optimizer.learning-rate",
        "3e38",
        "--optimizer.kind",
        "sgd",
        "--train.max-nonfinite",
        "1",
        "--train.max-rollbacks",
        "0",
    ]
    with pytest.raises(InputError, match="used up"):
        train.main([*source[:2], *diverging, *BAG], program="train.py")
    (tmp_path / "train.tsv").write_text("text\tlabel\n" + "a good film\tpos\na bad film\tneg\n" * 20)
    (tmp_path / "test.tsv").write_text("text\tlabel\na film\tpos\n")
    classify = ["--task.kind", "classification", "--data.kind", "labelled", "--model.kind", "nbsvm"]
    tables = ["--data.source", "train.tsv", "--data.test-source", "test.tsv", "--train.steps", "2"]
    words = ["--task.pooling", "sum", "--task.head", "bias", "--train.devices", "1", "--name", "classes"]
    assert train.main([*classify, *tables, *words], program="train.py") == 0
    for pieces in (["--data.tokenizer", "bpe", "--data.pieces", "300"], given):
        more = [*pieces, "--name", f"classes_of_{pieces[1]}"]
        assert train.main([*classify, *tables, *words, *more], program="train.py") == 0
    np.savez("given.npz", words=np.array(["good", "bad"]), vectors=np.ones((2, 4), np.float32))
    begun = ["--task.vectors", "given.npz", "--task.unknown-vectors", "zero", "--model.features", "4"]
    bag = ["--task.kind", "classification", "--data.kind", "labelled", "--model.kind", "bag", "--name", "begun"]
    assert train.main([*bag, *begun, *tables, "--train.devices", "1"], program="train.py") == 0
    vectors = ["--task.kind", "word_vectors", "--model.kind", "vectors", "--task.shared", "2", "--name", "vectors"]
    ngrams = ["--model.buckets", "9", "--data.tokenizer", "word", "--train.devices", "1", "--model.features", "4"]
    assert train.main([*source, *vectors, *ngrams, "--data.length", "8"], program="train.py") == 0
    (tmp_path / "a.csv").write_text("basket,item,at,stars\n" + "1,a,2,5\n1,b,1,4\n2,b,3,5\n2,a,4,4\n" * 20)
    columns = ["--data.basket-column", "basket", "--data.order-column", "at", "--data.value-column", "stars"]
    baskets = ["--data.kind", "baskets", "--data.source", "a.csv", *columns, "--data.split", "0.5", "0.5", "0"]
    small = ["--train.devices", "1", "--model.features", "4", "--train.steps", "2", "--task.subsample", "0"]
    plain = [*vectors[:-2], *small, "--name"]
    assert train.main([*plain, "items", *baskets], program="train.py") == 0
    (tmp_path / "a.tsv").write_text("item\ttitle\na b\tthe first\nb a\tthe second\n")
    texts = ["--data.kind", "baskets", "--data.source", "a.tsv", "--data.separator", " ", "--data.split", "1", "0", "0"]
    titles = ["--data.title-source", "a.tsv", "--data.validation-source", "a.tsv", "--data.test-source", "a.tsv"]
    assert train.main([*plain, "texts", *texts, *titles], program="train.py") == 0
    texts = ["--task.kind", "text_vectors", "--data.kind", "labelled", "--model.kind", "vectors", "--task.shared", "2"]
    dm = ["--task.algorithm", "dm", "--train.devices", "1", "--model.features", "4", "--name", "text_vectors"]
    assert train.main([*texts, *dm, *tables], program="train.py") == 0
    (tmp_path / "pairs.tsv").write_text("".join(f"{word} dog\t{word} cat\n" for word in ("a", "the", "one", "my")))
    translate = ["--task.kind", "translation", "--train.devices", "1", "--train.steps", "2", "--task.beam", "1"]
    own = ["--data.source-tokenizer", "char", "--data.batch-size", "2", "--task.longest", "4", "--task.examples", "0"]
    drawn = ["--task.objective", "sampled", "--task.samples", "3", "--task.sampler", "unigram"]
    drawn += ["--task.teacher", "linear"]
    small_layers = ["--model.features", "4", "--model.layers", "1"]
    made_up = ["--data.kind", "made_up", "--data.examples", "9", "--data.held-out", "2", "--data.most", "2"]
    transformer = ["--model.kind", "seq2seq_transformer", *small_layers, "--name", "made_up"]
    assert train.main([*translate, *own, *drawn, *made_up, *transformer], program="train.py") == 0
    pairs = ["--data.kind", "pairs", "--data.split", "1", "0", "0"]
    pairs += [word for part in ("", "validation-", "test-") for word in (f"--data.{part}source", "pairs.tsv")]
    recurrent = ["--model.kind", "seq2seq", "--model.attention", "dot", *small_layers, "--name", "pairs"]
    assert train.main([*translate, *own, *pairs, *recurrent], program="train.py") == 0
    write_digits(tmp_path / "digits")
    pictures = ["--task.kind", "autoencoding", "--data.kind", "digits", "--model.kind", "autoencoder"]
    small = ["--data.source", "digits", "--data.validation", "20", "--data.batch-size", "8", "--train.steps", "2"]
    two = ["--model.filters", "3", "2", "--model.poolings", "2", "--model.upsamplings", "2", "--name", "pictures"]
    assert train.main([*pictures, *small, *two, "--model.decoder-padding", "same"], program="train.py") == 0
    write_digits(tmp_path / "large", side=28)
    write_squares(tmp_path / "squares", 6)
    small = [
        "--model.filters",
        "2",
        "--model.poolings",
        "1",
        "--model.features",
        "4",
        "--model.embedding",
        "4",
        "--task.beam",
        "1",
    ]
    caption = ["--task.kind", "captioning", "--model.kind", "captioner", *small, "--train.steps", "1"]
    scenes = ["--data.kind", "digit_scenes", "--data.source", "large", "--data.size", "32", "32"]
    few = ["--data.batch-size", "4", "--data.lengths", "1", "--train.devices", "1", "--task.longest", "4"]
    counts = ["--data.examples", "4", "--data.held-out", "1", "--task.examples", "1", "--name", "scenes"]
    assert train.main([*caption, *scenes, *few, *counts], program="train.py") == 0
    own = [word for part in ("validation-", "test-") for word in (f"--data.{part}source", "squares")]
    own += [word for part in ("validation-", "test-") for word in (f"--data.{part}captions", "squares/captions.tsv")]
    squares = ["--data.kind", "captions", "--data.source", "squares", "--data.split", "1", "0", "0", *own]
    languages = ["--data.languages", "english", "--task.examples", "0", "--name", "squares"]
    assert train.main([*caption, *squares, *few, *languages], program="train.py") == 0
    hidden = ["--task.kind", "masked_language_modeling", "--data.kind", "documents", "--model.kind", "encoder"]
    hidden += ["--data.form", "lines", "--data.tokenizer", "word", "--data.length", "8", "--data.batch-size", "4"]
    small = [*small_layers, "--model.heads", "1", "--train.devices", "1", "--task.examples", "0", "--name", "hidden"]
    assert train.main([*source, *hidden, *own_texts, *small], program="train.py") == 0
    for section in (CaptionsConfig, DigitScenesConfig, DocumentsConfig):
        for options in ({"tokenizer": "bpe", "pieces": 300}, {"tokenizer": given[1], "tokenizer_file": given[3]}):
            make_sentence_tokenizer(section(**options), ["the quick brown fox"])
    tell = ["--task.kind", "recognition", "--train.steps", "2", "--train.devices", "1", "--data.examples", "9"]
    tell += ["--data.held-out", "3", "--data.batch-size", "2", "--name"]
    corners = ["--data.kind", "rectangles", "--model.kind", "corners"]
    assert train.main([*tell, "rectangles", *corners], program="train.py") == 0
    hands = ["--data.kind", "hands", "--data.size", "20", "32", "--model.kind", "detector"]
    assert train.main([*tell, "hands", *hands], program="train.py") == 0
    for kind in kinds_of("optimizer").values():
        for schedule in ("constant", "cosine", "linear", "step"):
            make_optimizer(kind(schedule=schedule), steps=10)
    unread = {
        f"{section.__name__}.{field.name}"
        for section, names in reads.items()
        for field in dataclasses.fields(section)
        if field.name not in names
    }
    assert unread == REFUSED


@pytest.mark.parametrize(
    ("section", "body", "of_the_rest"),
    [(section, body, {"tie_embedding"} & set(vars(section()))) for section, body in BODIES.items()],
)
def test_a_body_has_the_fields_and_defaults_of_its_section_and_reads_them(section, body, of_the_rest):
    names = {field.name for field in dataclasses.fields(section)} - of_the_rest
    of_tokens = "vocabulary_size" in body.__dataclass_fields__
    built = body(vocabulary_size=3) if of_tokens else body()
    assert {name: getattr(built, name) for name in names} == {name: getattr(section(), name) for name in names}
    read = {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(body)))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    assert not names - read


def test_the_sections_and_their_kinds_are_all_that_an_experiment_has():
    kinds = {kind for section in SECTIONS for kind in kinds_of(section).values()}
    kinds = {kind for kind in kinds if kind.__module__.startswith("jaxseq.")}  # other tests have registered theirs
    assert {*kinds, TrainConfig} == {*READ_BY_RUNS, *BODIES}
    assert {field.name for field in dataclasses.fields(ExperimentConfig)} == {"name", *SECTIONS, "train"}
