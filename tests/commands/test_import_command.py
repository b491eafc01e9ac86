"""`jaxseq import`: weights of PyTorch's and Keras's become runs that compute what those models compute."""

import json
import pickle
import shutil

import jax
import numpy as np
import pytest
from command_line import jaxseq, prose, refused

from jaxseq.interop.safetensors_files import read_metadata, read_safetensors, write_safetensors
from jaxseq.runs.load import load_run

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
pytest.importorskip("h5py")
pytest.importorskip("safetensors")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SYMBOLS = len(set(prose()))
LIKE = """
from jaxseq.config import *
config = ExperimentConfig(
    name="like",
    data=CorpusConfig(source="text.txt", length=16, batch_size=4),
    model=RNNConfig(cell="gru", features=12, layers=2, embedding=5),
    task=LanguageModelingConfig(sample_length=20),
    train=TrainConfig(steps=2, log_every=1, devices=1),
)
"""
CLASSIFIER = """
from jaxseq.config import *
config = ExperimentConfig(
    name="films",
    task=ClassificationConfig(pooling=("mean",), hidden=3),
    data=LabelledConfig(source="films.tsv", length=6, batch_size=4, tokenizer="word", padding="post"),
    model=RNNConfig(cell="lstm", features=4, bidirectional=True, layers=2, embedding=5),
    train=TrainConfig(steps=2, log_every=1, devices=1),
)
"""
FILMS = ("a good film pos", "not a film neg", "the film is good pos", "the play is not neg")


class Recurrent(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(SYMBOLS, 5)
        self.rnn = torch.nn.GRU(5, 12, num_layers=2, batch_first=True)
        self.head = torch.nn.Linear(12, SYMBOLS)

    def forward(self, ids):
        return self.head(self.rnn(self.embedding(ids))[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A text, labelled lines, configurations, and a language model of PyTorch's with a check."""
    folder = tmp_path_factory.mktemp("import")
    (folder / "text.txt").write_text(prose())
    (folder / "like.py").write_text(LIKE)
    (folder / "films.py").write_text(CLASSIFIER)
    lines = ["text\tlabel", *("\t".join(line.rsplit(" ", 1)) for line in FILMS * 10)]
    (folder / "films.tsv").write_text("\n".join(lines) + "\n")
    torch.manual_seed(0)
    model = Recurrent()
    torch.save(model.state_dict(), folder / "model.pt")
    ids = torch.randint(0, SYMBOLS, (2, 7))
    np.savez(folder / "check.npz", inputs=ids.numpy(), outputs=model(ids).detach().numpy())
    (folder / "symbols.json").write_text(json.dumps(sorted(set(prose()))))
    texts = np.array(["".join(sorted(set(prose()))[at] for at in row) for row in ids])
    np.savez(folder / "texts.npz", inputs=ids.numpy(), outputs=model(ids).detach().numpy(), texts=texts)
    return folder


@pytest.fixture(scope="module")
def imported(folder):
    """The run of the language model."""
    outcome = jaxseq("import", "model.pt", "--like", "like.py", "--check", "check.npz", folder=folder)
    assert (outcome.code, outcome.err) == (0, "")
    assert "outputs are those of check.npz, the largest difference" in outcome.out
    return folder


def test_an_imported_run_computes_the_same_and_trains_on(imported):
    run = load_run(imported / "runs/like")
    assert run.step == 0
    with np.load(imported / "check.npz") as check:
        logits, _ = run.task.model.apply(run.variables, check["inputs"].astype(np.int32))
        np.testing.assert_allclose(logits, check["outputs"], rtol=1e-5, atol=1e-5)
    shutil.copytree(imported / "runs/like", imported / "runs/trained")
    outcome = jaxseq("train", "like.py", "--run-dir", "runs/trained", folder=imported)
    assert outcome.code == 0, outcome.err
    assert outcome.err.startswith("going on from step 0\n")
    assert load_run(imported / "runs/trained").step == 2


def altered(folder, name, change):
    """What a change makes of the state_dict, in another file."""
    torch.save(change(torch.load(folder / "model.pt", weights_only=True)), folder / name)


IMPORT = ("import", "bad.pt", "--like", "like.py", "--run-dir", "runs/bad")


def test_weights_that_do_not_fit_are_one_line_that_names_both_layers_and_the_option(imported):
    folder, given = imported, ("import", "model.pt", "--like", "like.py", "--run-dir", "runs/bad")
    for options, told in {
        ("--model.layers", "1"): "has 2 recurrent layers, rnn.l0, rnn.l1, and the model 1: give --model.layers 2",
        ("--model.features", "9"): "input_kernel of rnn.l0 is 5 x 36, and layer_0/input_kernel of the model is 5 x 27: "
        "give --model.features 12",
        ("--model.embedding", "0"): "embedding is an embedding, and the model has a GRU (layer_0) there: give "
        "--model.embedding 5",
        ("--model.embedding", "4"): "table of embedding is 22 x 5, and embedding of the model is 22 x 4: give "
        "--model.embedding 5",
        ("--model.cell", "lstm"): "rnn.l0 is a GRU, and the model has an LSTM (layer_0) there: give --model.cell gru",
        ("--model.no-reset-after",): "GRU layer rnn.l0 has reset_after=True, and layer_0 of the model False: give "
        "--model.reset-after",
        ("--model.kind", "ngram"): "model.kind is 'ngram': it is counted, and no weights are read for it",
        ("--data.source", "films.tsv"): "give the tokenizer it was trained with as --tokenizer",
    }.items():
        assert told in refused(*given, *options, folder=folder)
    assert "runs/like is there already" in refused(*given[:-1], "runs/like", folder=folder)


def test_files_that_are_cut_short_of_something_else_or_would_run_code_are_one_line(imported):
    folder = imported
    for change, told in (
        (
            lambda state: {n: t for n, t in state.items() if n != "head.weight"},
            "bad.pt: head is no layer that is read (bias 22)",
        ),
        (
            lambda state: {n: t for n, t in state.items() if not n.startswith("head")},
            "holds nothing for head of the mod",
        ),
        (
            lambda state: {**state, "more.weight": torch.zeros(2, 2)},
            "more, an embedding (weight 2 x 2), is one more th",
        ),
        (
            lambda state: {**state, "norm.running_mean": torch.zeros(2)},
            "norm is no layer that is read (running_mean 2)",
        ),
        (
            lambda state: {**state, "head.bias": torch.full((SYMBOLS,), torch.nan)},
            "bias of head has numbers that are not",
        ),
        (lambda state: {**state, "rnn.weight_hr_l0": torch.zeros(2, 12)}, "rnn.l0 is no layer that is read"),
    ):
        altered(folder, "bad.pt", change)
        assert told in refused(*IMPORT, folder=folder)
    (folder / "bad.pt").write_bytes(pickle.dumps({"weights": print}))
    assert "is a pickle, which can run anything, and is not read" in refused(*IMPORT, folder=folder)
    (folder / "bad.pt").write_text("weights")
    assert "bad.pt holds no weights that are read: give a .keras" in refused(*IMPORT, folder=folder)
    (folder / "bad.pt").unlink()
    assert "bad.pt" in refused(*IMPORT, folder=folder)
    (folder / "bert").mkdir()
    write_safetensors(folder / "bert/model.safetensors", {"embeddings.word_embeddings.weight": np.zeros((2, 2))})
    (folder / "bert/config.json").write_text('{"model_type": "bert"}')
    assert "is of model_type bert: of Hugging Face's models GPT-2" in refused(
        "import", "bert", *IMPORT[2:], folder=folder
    )
    (folder / "empty").mkdir()
    assert "is a folder without model.safetensors" in refused("import", "empty", *IMPORT[2:], folder=folder)
    assert "there is no --like" in refused("import", "model.pt", folder=folder)
    assert "there is no FILE" in refused("import", "--like", "like.py", folder=folder)
    assert "--like is given without a name" in refused("import", "model.pt", "--like", folder=folder)


def test_gates_in_another_order_are_caught_by_a_check_of_outputs(imported):
    def swapped(state):
        for name in [name for name in state if name.startswith("rnn.")]:
            reset, update, candidate = state[name].chunk(3)
            state[name] = torch.cat([update, reset, candidate])
        return state

    altered(imported, "bad.pt", swapped)
    told = refused(*IMPORT, "--check", "check.npz", folder=imported)
    assert "the weights compute something else here than check.npz has" in told
    np.savez(imported / "other.npz", inputs=np.zeros((1, 2), np.int64), outputs=np.zeros((1, 2, 3), np.float32))
    given = ("import", "model.pt", *IMPORT[2:], "--check")
    assert "outputs are 1 x 2 x 3, and the model's 1 x 2 x 22" in refused(*given, "other.npz", folder=imported)
    assert "is no .npz with inputs and outputs" in refused(*given, "like.py", folder=imported)


def test_ids_of_another_tokenizer_are_caught_by_the_texts_of_a_check(imported):
    given = ("import", "model.pt", "--like", "like.py", "--run-dir", "runs/sorted", "--check", "texts.npz")
    told = refused(*given, folder=imported)
    assert "texts.npz: the tokenizer reads" in told
    assert told.endswith("give their own as --tokenizer\n")
    outcome = jaxseq(*given, "--tokenizer", "symbols.json", folder=imported)
    assert (outcome.code, outcome.err) == (0, "")
    symbols = load_run(imported / "runs/sorted").task.tokenizer.vocabulary.symbols
    assert list(symbols) == sorted(set(prose()))
    (imported / "ids.json").write_text(json.dumps({symbol: at for at, symbol in enumerate(symbols)}))
    again = (*given[:5], "runs/ids", *given[6:], "--tokenizer", "ids.json")
    assert jaxseq(*again, folder=imported).code == 0
    (imported / "ids.json").write_text(json.dumps({"a": 0, "b": 2}))
    again = (*again[:5], "runs/bad", *again[6:])
    assert "ids.json cannot be used" in refused(*again, folder=imported)


def test_our_own_tensors_come_back_and_their_own_check_catches_a_wrong_order(imported):
    run = load_run(imported / "runs/like")
    assert jaxseq("export", "runs/like", "out/", "--weights-only", folder=imported).code == 0
    given = ("import", "out", "--like", "like.py", "--run-dir", "runs/again")
    outcome = jaxseq(*given, folder=imported)
    assert (outcome.code, outcome.err) == (0, "")
    assert "outputs are those of the check in the file" in outcome.out
    again = load_run(imported / "runs/again")
    np.testing.assert_array_equal(again.params["layer_1"]["bias"], run.params["layer_1"]["bias"])

    path = imported / "out/model.safetensors"
    tensors, about = read_safetensors(path), read_metadata(path)
    reset, update, candidate = np.split(tensors["layer_0.recurrent_kernel"], 3, axis=1)
    turned = {**tensors, "layer_0.recurrent_kernel": np.concatenate([update, reset, candidate], axis=1)}
    write_safetensors(imported / "turned.safetensors", turned, metadata=about)
    told = refused("import", "turned.safetensors", *IMPORT[2:], folder=imported)
    assert "does not give what it gave" in told
    lacking = {name: array for name, array in tensors.items() if name != "head.bias"}
    write_safetensors(imported / "lacking.safetensors", lacking)
    told = refused("import", "lacking.safetensors", *IMPORT[2:], folder=imported)
    assert "lacking.safetensors holds nothing for head.bias of the model (22)" in told


def keras_classifier(rows, **gates):
    make = keras.layers
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            make.Embedding(rows, 5, mask_zero=True),
            make.Bidirectional(make.LSTM(4, return_sequences=True, **gates)),
            make.Dropout(0.5),
            make.Bidirectional(make.LSTM(4, return_sequences=True)),
            make.GlobalAveragePooling1D(),
            make.Dense(3, activation="relu"),
            make.Dense(2, activation="softmax"),
        ]
    )


def keras_tokenizer():
    """What Keras 2's `Tokenizer(oov_token="?").to_json()` gives of the lines."""
    counts: dict[str, int] = {}
    for line in FILMS:
        for word in line.split()[:-1]:
            counts[word] = counts.get(word, 0) + 1
    ranked = ["?", *sorted(counts, key=counts.__getitem__, reverse=True)]
    ids = {word: at for at, word in enumerate(ranked, 1)}
    config = {
        "num_words": None,
        "filters": "!.",
        "lower": True,
        "split": " ",
        "char_level": False,
        "oov_token": "?",
        "document_count": 4,
        "word_counts": json.dumps(counts),
        "word_docs": json.dumps(counts),
        "index_docs": json.dumps({ids[word]: count for word, count in counts.items()}),
        "index_word": json.dumps({at: word for word, at in ids.items()}),
        "word_index": json.dumps(ids),
    }
    return json.dumps({"class_name": "Tokenizer", "config": config}), ids


def test_a_classifier_of_kerass_comes_with_its_tokenizer_from_each_of_its_formats(folder):
    text, ids = keras_tokenizer()
    (folder / "words.json").write_text(json.dumps(text))  # a text in JSON once more, as json.dump(to_json()) writes it
    model = keras_classifier(len(ids) + 1)
    draw = np.random.default_rng(0)
    model.set_weights([draw.standard_normal(array.shape) for array in model.get_weights()])
    inputs = np.array([[ids[word] for word in ["the", "film", "is", "good"]], [ids["a"], ids["film"], 1, ids["not"]]])
    expected = keras.ops.convert_to_numpy(model(inputs))
    np.savez(folder / "films.npz", inputs=inputs, outputs=expected)
    model.save(folder / "films.keras")
    model.save_weights(folder / "films.weights.h5")
    model.save(folder / "films.h5")
    given = ("--like", "films.py", "--tokenizer", "words.json")
    for ending, check in (("keras", ()), ("weights.h5", ("--check", "films.npz")), ("h5", ())):
        outcome = jaxseq("import", f"films.{ending}", *given, *check, "--run-dir", f"runs/{ending}", folder=folder)
        assert (outcome.code, outcome.err) == (0, ""), outcome.err
        found = load_run(folder / f"runs/{ending}")
        jax.tree.map(np.testing.assert_array_equal, found.params, load_run(folder / "runs/keras").params)
    code, out, err = jaxseq(
        "predict", "runs/keras", "--format", "jsonl", "The film is good", "a film zebra not", folder=folder
    )
    assert code == 0, err
    found = [list(json.loads(line)["probabilities"].values()) for line in out.splitlines()]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)
    outcome = jaxseq("export", "runs/keras", "back.keras", "--format", "keras", folder=folder)
    assert outcome.out == "a model of 6 layers for Keras is in back.keras\n", outcome.err
    back = keras.ops.convert_to_numpy(keras.models.load_model(folder / "back.keras")(np.pad(inputs, ((0, 0), (0, 2)))))
    np.testing.assert_allclose(back[:, 0], expected[:, 1], rtol=1e-5, atol=2e-6)
    few = ("--data.max-words", "3", "--run-dir", "runs/bad")
    told = refused("import", "films.keras", *given[:2], *few, folder=folder)
    assert "give the tokenizer it was trained with as --tokenizer" in told
    hint = ("--model.no-bidirectional", "--run-dir", "runs/bad")
    assert "and body/layer_0 of the model forward: give --model.bidirectional" in refused(
        "import", "films.keras", *given, *hint, folder=folder
    )
    hard = keras_classifier(len(ids) + 1, recurrent_activation="hard_sigmoid")
    hard.save(folder / "hard.keras")
    told = refused("import", "hard.keras", *given, "--run-dir", "runs/bad", folder=folder)
    assert "has recurrent_activation 'hard_sigmoid', and that of the cells here is 'sigmoid'" in told


def test_a_folder_with_a_gpt2_is_a_run_with_its_tokenizer(folder):
    tokenizers = pytest.importorskip("tokenizers")
    gpt2 = folder / "gpt2"
    gpt2.mkdir()
    library = tokenizers.Tokenizer(tokenizers.models.BPE())
    library.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=265, initial_alphabet=alphabet, show_progress=False)
    library.train_from_iterator([prose()], trainer)
    library.add_special_tokens(["<|endoftext|>"])
    library.save(str(gpt2 / "tokenizer.json"))
    draw, width, size = np.random.default_rng(0), 8, library.get_vocab_size()
    shapes = {"wte.weight": (size, width), "wpe.weight": (16, width), "ln_f.weight": (width,), "ln_f.bias": (width,)}
    for name, shape in {
        "ln_1": (width,),
        "ln_2": (width,),
        "attn.c_attn": (width, 24),
        "attn.c_proj": (width, width),
        "mlp.c_fc": (width, 32),
        "mlp.c_proj": (32, width),
    }.items():
        shapes |= {f"h.0.{name}.weight": shape, f"h.0.{name}.bias": shape[-1:]}
    tensors = {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    write_safetensors(gpt2 / "model.safetensors", tensors)
    (gpt2 / "config.json").write_text(
        json.dumps({"model_type": "gpt2", "n_head": 2, "activation_function": "gelu_new"})
    )
    given = ("import", "gpt2", *IMPORT[2:4], "--run-dir", "runs/gpt2", "--data.tokenizer", "bpe")
    assert "is a GPT-2, and model.kind is 'rnn': give --model.kind transformer" in refused(*given, folder=folder)
    kind = ("--model.kind", "transformer", "--model.features", "8", "--model.layers", "1")
    told = refused(*given, *kind, folder=folder)
    wanted = "--model.context 16 --model.positions learned --model.activation gelu_tanh --model.bias --model.heads 2"
    assert told.endswith(f"is a GPT-2 of another form than the model: give {wanted}\n")
    outcome = jaxseq(*given, *kind, *wanted.split(), folder=folder)
    assert (outcome.code, outcome.err) == (0, "")
    run = load_run(folder / "runs/gpt2")
    assert run.task.tokenizer.encode("with the statement").tolist() == library.encode("with the statement").ids
    np.testing.assert_array_equal(
        run.params["block_0"]["feed_forward"]["output"]["kernel"], tensors["h.0.mlp.c_proj.weight"].T
    )
