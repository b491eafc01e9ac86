"""Text vectors as a task: their losses by plain loops, and what a new text's vector hangs on and what not."""

import dataclasses

import gensim
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize
from small_texts import experiment_of, topical_texts, write_texts

from jaxseq.config import AdamConfig, CorpusConfig, LinesConfig, RNNConfig, VectorsConfig, WordVectorsConfig
from jaxseq.data.examples import join_sequences
from jaxseq.data.whole_texts import WholeTexts
from jaxseq.errors import ConfigError, InputError
from jaxseq.ops.objective import LossContext
from jaxseq.runs.evaluation import SplitEvaluator
from jaxseq.runs.in_memory import train_model
from jaxseq.tasks import TextVectorLearning, Workspace
from jaxseq.tasks.vectors.negative_sampling import Negatives, draw_words
from jaxseq.tasks.vectors.text_vectors import text_table

TRAINING = LossContext(np.array(0, np.int32), jax.random.key(9))
KEY = jax.random.key(3)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_texts(tmp_path_factory.mktemp("texts") / "a.tsv", 60)


def made(experiment) -> TextVectorLearning:
    return TextVectorLearning.create(experiment, Workspace())


def random_variables(task, seed=0):
    """Larger than fresh ones, so that output vectors count."""
    shapes = jax.eval_shape(task.init, jax.random.key(0))
    draw = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(draw.normal(size=leaf.shape), jnp.float32), shapes)


def gradients_by_loop(task, variables, batch):
    """Loss, count and gradients of a training batch, word by word in float64: in the mean of PV-DM each vector has the
    whole gradient, as in word2vec.c."""
    dm, section = task.section.algorithm == "dm", task.section
    tables = {name: np.asarray(leaf["table"], float) for name, leaf in variables["params"].items()}
    grads = {name: np.zeros_like(table) for name, table in tables.items()}
    counts = np.array(task.counts)
    proposal, _, weights = Negatives.of(counts, negatives=section.negatives, shared=section.shared)
    words, window = batch.words, (batch.words.tokens.shape[1] - batch.words.left.shape[1]) // 2
    shape = (1,) if section.shared else (words.left.shape[1], section.negatives)
    drawn = np.asarray(draw_words(proposal, words.draws, shape))
    loss, count = 0.0, 0
    for b, row in enumerate(batch.texts):
        for i in np.flatnonzero(row >= 0):
            at, word = i + window, words.tokens[b, i + window]
            context = [*range(at - words.left[b, i], at), *range(at + 1, at + 1 + words.right[b, i])] if dm else []
            around = words.tokens[b, context]
            mean = (tables["text"][row[i]] + (tables["input"][around].sum(axis=0) if dm else 0)) / (1 + len(around))
            others = drawn[b, 0] if section.shared else drawn[b, i].ravel()
            terms = [(word, 1.0, 1.0)]
            terms += [(other, weights[other] if section.shared else 1.0, -1.0) for other in others if other != word]
            count += 1
            for other, weight, sign in terms:
                logit = mean @ tables["output"][other]
                loss += weight * np.log1p(np.exp(-sign * logit))
                slope = -sign * weight / (1 + np.exp(sign * logit))
                grads["output"][other] += slope * mean
                grads["text"][row[i]] += slope * tables["output"][other]
                for one in around:
                    grads["input"][one] += slope * tables["output"][other]
    return loss, count, grads


@pytest.mark.parametrize(("algorithm", "shared"), [("dbow", 5), ("dm", 5), ("dm", 0)])
def test_losses_and_gradients_are_those_of_a_plain_loop(source, algorithm, shared):
    task = made(experiment_of(source, task={"algorithm": algorithm, "shared": shared, "subsample": 0.2}))
    variables = random_variables(task)
    last = task.training_loader.steps_per_epoch - 1
    assert any((task.training_loader(step).texts < 0).any() for step in range(last + 1))
    batch = task.training_loader(last)

    def total(params):
        tally = task.loss({"params": params}, None, batch, TRAINING).tallies["loss"]
        return tally.total, tally.count

    (loss, count), grads = jax.jit(jax.value_and_grad(total, has_aux=True))(variables["params"])
    wanted = gradients_by_loop(task, variables, batch)
    np.testing.assert_allclose(loss, wanted[0], rtol=1e-4)
    assert count == wanted[1] > 20
    assert grads.keys() == wanted[2].keys() == ({"text", "output"} | ({"input"} if algorithm == "dm" else set()))
    for name, gradient in wanted[2].items():
        np.testing.assert_allclose(grads[name]["table"], gradient, rtol=1e-3, atol=1e-4)
    still = ~np.isin(np.arange(len(task.trained.begins)), batch.texts)
    assert still.any()
    assert not np.asarray(grads["text"]["table"])[still].any()


@pytest.mark.parametrize("algorithm", ["dbow", "dm"])
def test_the_vector_of_a_text_hangs_on_variables_key_and_words_alone(source, algorithm):
    """gensim's changes from call to call (gensim#447, #2847)."""
    task = made(experiment_of(source, task={"algorithm": algorithm, "subsample": 0.2}))
    variables = random_variables(task)
    draw = np.random.default_rng(5)
    texts = [draw.integers(2, len(task.counts), size).tolist() for size in (7, 16, 3, 1, 7, 9)]

    def found(texts, key=KEY, variables=variables):
        return task.inference(variables, join_sequences(texts), key=key, rows=4)

    whole = found(texts)
    assert np.isfinite(whole).all()
    assert whole.any(axis=1).all()
    np.testing.assert_array_equal(found(texts[::-1])[::-1], whole)
    np.testing.assert_array_equal(
        found([texts[2], texts[2], [], texts[0]]), [whole[2], whole[2], np.zeros(5), whole[0]]
    )
    assert np.abs(found(texts, key=jax.random.key(4)) - whole).max(axis=1).min() > 1e-4
    assert np.abs(whole[0] - whole[4]).max() > 1e-3
    others = {**variables["params"], "text": jax.tree.map(jnp.zeros_like, variables["params"]["text"])}
    np.testing.assert_array_equal(found(texts, variables={"params": others}), whole)  # trained texts have no part in it


@pytest.mark.parametrize("algorithm", ["dbow", "dm"])
def test_neither_padding_nor_the_rows_of_a_batch_make_a_difference(source, algorithm):
    task = made(experiment_of(source, task={"algorithm": algorithm, "subsample": 0.2}))
    variables = random_variables(task)
    tokens = np.random.default_rng(5).integers(2, len(task.counts), (2, 16)).astype(np.int32)
    sizes, hashes = np.array([16, 9], np.int32), np.array([1, 2], np.uint32)
    short = task.inference.fitted(variables, WholeTexts(tokens, sizes, hashes), KEY)
    padded = np.pad(tokens, [(0, 1), (0, 48)], constant_values=3)
    long = task.inference.fitted(variables, WholeTexts(padded, np.append(sizes, 5), np.append(hashes, 3)), KEY)
    np.testing.assert_allclose(short, long[:2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("algorithm", ["dbow", "dm"])
def test_a_text_comes_to_the_vector_where_the_gradient_over_all_negatives_is_zero(source, algorithm):
    """Found by SciPy; in a window of one word to either side nothing is drawn but negatives."""
    optimize = pytest.importorskip("scipy.optimize")
    steps = {"inference_steps": 1000, "inference_rate": 0.5}
    task = made(experiment_of(source, task={"algorithm": algorithm, "window": 1, **steps}))
    variables = random_variables(task)
    tables = {name: np.asarray(leaf["table"], float) for name, leaf in variables["params"].items()}
    shares = np.maximum(task.counts, 1) ** 0.75
    expected = task.section.negatives * shares / shares.sum()
    words = np.random.default_rng(1).integers(2, len(task.counts), 16)

    def gradient(vector):
        total = np.zeros(5)
        for at, word in enumerate(words):
            around = [words[i] for i in (at - 1, at + 1) if 0 <= i < len(words)] if algorithm == "dm" else []
            mean = (vector + sum(tables["input"][one] for one in around)) / (1 + len(around))
            chances = 1 / (1 + np.exp(-tables["output"] @ mean))
            others = np.where(np.arange(len(expected)) == word, 0, expected)
            total += (others * chances) @ tables["output"] - (1 - chances[word]) * tables["output"][word]
        return total / len(words)

    wanted = optimize.root(gradient, np.zeros(5))
    assert wanted.success
    found = task.inference(variables, join_sequences([words]), key=KEY, rows=1)[0]
    np.testing.assert_allclose(found, wanted.x, atol=0.01 * np.abs(wanted.x).max())


def test_a_text_without_a_known_word_has_zeros_and_is_flagged(source):
    """gensim gives it a random vector (gensim#515)."""
    task = made(experiment_of(source))
    variables = random_variables(task)
    texts = ["ship sail zzz", "zzz yyy", ""]
    known, unknown, empty = task.predict(variables, texts)
    assert not known.has_no_vector
    assert known.unknown == ["zzz"]
    assert len(known.nearest) == task.section.neighbours
    for other in (unknown, empty):
        assert other.has_no_vector
        assert not other.vector.any()
        assert other.nearest == ()
    (alone,) = task.predict(variables, texts[:1])
    np.testing.assert_array_equal(alone.vector, known.vector)
    (otherwise,) = task.predict(variables, texts[:1], key=KEY)
    assert np.abs(otherwise.vector - known.vector).max() > 1e-4


def test_a_trained_text_without_a_known_word_has_zeros_and_takes_no_part(tmp_path):
    rows = [f"{text}\t{topic}" for text, topic in topical_texts(40)]
    rows[3:3] = ["rare1 rare2\tsea"]
    (tmp_path / "a.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n")
    task = made(experiment_of(tmp_path / "a.tsv", data={"min_count": 2, "validation": 0.0}))
    assert "1 to train on without a known word: their vectors are zero" in task.overview()
    table = text_table(task.init(jax.random.key(0)))
    assert np.flatnonzero(~table.any(axis=1)).tolist() == [3]
    seen = np.unique(
        np.concatenate([task.training_loader(s).texts for s in range(task.training_loader.steps_per_epoch)])
    )
    assert set(range(41)) - set(seen.tolist()) == {3}


def test_the_task_is_restored_from_its_artifacts_alone(source):
    experiment = experiment_of(source, task={"algorithm": "dm"})
    task = made(experiment)
    restored = TextVectorLearning.restore(experiment, task.artifacts())
    assert (restored, hash(restored)) == (task, hash(task))
    assert restored.model == task.model
    again = TextVectorLearning.create(experiment, Workspace(artifacts=task.artifacts()))
    assert again == task
    assert again.has_fingerprint(task.fingerprint())
    variables = random_variables(task)
    one, other = (next(each.predict(variables, ["ship wave"])) for each in (task, restored))
    np.testing.assert_array_equal(one.vector, other.vector)
    assert (one.label, one.nearest) == (other.label, other.nearest)
    with pytest.raises(ValueError, match="restored without data"):
        restored.loader("train", train=True)


@pytest.mark.parametrize("kind", ["lines", "corpus"])
def test_lines_and_documents_are_texts_without_labels(tmp_path, kind):
    (tmp_path / "a.txt").write_text("".join(f"{text}\n" for text, _ in topical_texts(30)))
    section = LinesConfig if kind == "lines" else CorpusConfig
    data = section(source=str(tmp_path / "a.txt"), tokenizer="word", splitter="whitespace", batch_size=4)
    task = made(dataclasses.replace(experiment_of(tmp_path / "a.txt"), data=data))
    assert len(task.trained.begins) == (27 if kind == "lines" else 1)
    assert task.trained.begins[0].startswith(" ".join(topical_texts(1)[0][0].split()[:4]))
    variables = random_variables(task)
    (prediction,) = task.predict(variables, ["ship wave"])
    assert (prediction.label, prediction.probabilities) == ("", {})
    assert [near.label for near in prediction.nearest] == [""] * len(prediction.nearest)
    (evaluation,) = task.evaluations("validation").values()
    assert [metric.name for metric in evaluation.shown] == ["loss"]
    with pytest.raises(InputError, match=r"have no labels: take data of kind labelled"):
        task.error(variables, "validation")


def test_the_loss_of_a_split_hangs_neither_on_batches_nor_on_devices(source):
    task = made(experiment_of(source))
    variables, losses = random_variables(task), []
    for rows, devices in ((16, 1), (8, 2)):
        (evaluation,) = task.evaluations("validation", rows=rows).values()
        losses.append(SplitEvaluator(evaluation, devices=devices)(variables))
    assert losses[0]["words"] == losses[1]["words"] == len(task.part("validation").tokens.ids)
    assert losses[0]["loss"] == pytest.approx(losses[1]["loss"], rel=1e-4)
    assert losses[0]["error"] == losses[1]["error"]


def test_the_error_is_that_of_a_logistic_regression_on_vectors_found_anew(source):
    task = made(experiment_of(source, task={"penalty": 1e-2}))
    variables = random_variables(task)
    train, part = task.part("train"), task.part("validation")
    theirs = LogisticRegression(C=2 / (len(train.begins) * 1e-2), max_iter=1000)
    theirs.fit(normalize(text_table(variables).astype(float)), train.labels)
    found = normalize(task.inference(variables, part.tokens, key=task.key).astype(float))
    assert task.error(variables, "validation") == pytest.approx(100 * (1 - theirs.score(found, part.labels)))


def test_exports_have_texts_by_number_and_words_where_these_have_vectors(source):
    for algorithm in ("dbow", "dm"):
        task = made(experiment_of(source, task={"algorithm": algorithm}))
        variables = random_variables(task)
        vectors = task.exports(variables)[".npz"].vectors
        np.testing.assert_array_equal(vectors.find(["*dt_0", "*dt_47"]).vectors, text_table(variables)[[0, 47]])
        assert vectors.find(["ship"]).is_known.tolist() == [algorithm == "dm"]
    at = task.tokenizer.vocabulary.symbols.index("ship")
    np.testing.assert_array_equal(vectors.find(["ship"]).vectors[0], variables["params"]["input"]["table"][at])
    assert not vectors.find(["<unk>", "<pad>"]).is_known.any()


@pytest.mark.parametrize("algorithm", ["dbow", "dm"])
def test_topics_separate_as_in_gensim(tmp_path, algorithm):
    """Learned by the steps of a run; in gensim by its own, of the same words and sizes."""
    source, tests = write_texts(tmp_path / "a.tsv", 160), topical_texts(40, seed=1)
    task = made(experiment_of(source, task={"algorithm": algorithm}, data={"validation": 0.0, "batch_size": 8}))
    params = task.init(jax.random.key(0))["params"]
    steps = 30 * task.training_loader.steps_per_epoch
    params = train_model(task.loss, params, task.training_loader, steps=steps, optimizer=AdamConfig(learning_rate=0.03))
    answers = list(task.predict({"params": params}, [text for text, _ in tests]))
    right = np.mean([made.label == topic for made, (_, topic) in zip(answers, tests, strict=True)])
    near = np.mean([made.nearest[0].label == topic for made, (_, topic) in zip(answers, tests, strict=True)])
    tagged = [gensim.models.doc2vec.TaggedDocument(t.split(), [i]) for i, (t, _) in enumerate(topical_texts(160))]
    sizes = {"vector_size": 5, "window": 2, "negative": 3, "sample": 0, "min_count": 1}
    theirs = gensim.models.Doc2Vec(tagged, dm=int(algorithm == "dm"), **sizes, epochs=60, alpha=0.05, seed=1, workers=1)
    classifier = LogisticRegression().fit(theirs.dv.vectors, [topic for _, topic in topical_texts(160)])
    gensims = classifier.score([theirs.infer_vector(text.split()) for text, _ in tests], [topic for _, topic in tests])
    assert right >= max(0.9, gensims - 0.05)
    assert near >= 0.8


def test_sections_that_do_not_fit_and_texts_that_give_nothing_are_told(tmp_path, source):
    experiment = experiment_of(source)
    told = {
        r"task\.kind is 'word_vectors': this task is text_vectors": {"task": WordVectorsConfig()},
        r"model\.kind is 'rnn': text_vectors trains a model of kind vectors": {"model": RNNConfig()},
        r"model\.buckets is 9: text_vectors gives n-grams no vectors, leave it at 0": {
            "model": VectorsConfig(buckets=9)
        },
    }
    for message, fields in told.items():
        with pytest.raises(ConfigError, match=message):
            made(dataclasses.replace(experiment, **fields))
    for name, value in (("ngrams", 2), ("buckets", 3), ("delimit", True)):
        with pytest.raises(ConfigError, match=rf"data\.{name} is {value}: text_vectors predicts words alone"):
            made(experiment_of(source, data={name: value}))
    with pytest.raises(ConfigError, match=r"data\.source is empty"):
        made(experiment_of("", data={"source": ""}))
    with pytest.raises(ConfigError, match=r"task\.shared is 5000: 5000 of \d+ words cannot be drawn"):
        made(experiment_of(source, task={"shared": 5000}))
    (tmp_path / "one.tsv").write_text("text\tlabel\na b c\tx\nb c a\tx\na a b\tx\n")
    with pytest.raises(InputError, match="all 3 examples to train on have the label 'x'"):
        made(experiment_of(tmp_path / "one.tsv", data={"validation": 0.0}))
    (tmp_path / "rare.tsv").write_text("text\tlabel\na b\tx\na d\ty\ne\ty\n")
    unknown = made(experiment_of(tmp_path / "rare.tsv", data={"validation": 0.0, "min_count": 2}, task={"shared": 0}))
    with pytest.raises(InputError, match="the train split cannot be used: no sentence has two known words"):
        unknown.loader("train", train=True)
    (tmp_path / "other").mkdir()
    write_texts(tmp_path / "other" / "train.tsv", 20)
    (tmp_path / "other" / "test.tsv").write_text("text\tlabel\nship\tland\n")
    with pytest.raises(InputError, match=r"has the label 'land', which no example to train on has"):
        made(experiment_of(tmp_path / "other"))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"begins": [], "labels": null}', b'{"begins": ["a"], "labels": ["x", "y"]}', b"[" * 5000]
)
def test_artifacts_that_were_changed_by_hand_are_told(source, content):
    experiment = experiment_of(source)
    artifacts = {**made(experiment).artifacts(), "texts.json": content}
    with pytest.raises(InputError, match=r"texts\.json .* it was changed by hand"):
        TextVectorLearning.restore(experiment, artifacts)
    with pytest.raises(InputError, match=r"there is no counts\.json"):
        TextVectorLearning.restore(experiment, {"tokenizer.json": artifacts["tokenizer.json"]})
