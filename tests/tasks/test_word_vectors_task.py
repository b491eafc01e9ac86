"""Word vectors as a task: from text to vectors, what they hang on and what not; gensim reads them."""

import dataclasses
import random

import gensim
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_words import experiment_of, write_words

from jaxseq.config import AdamConfig, LabelledConfig, RNNConfig
from jaxseq.data.word_windows import WordBatch
from jaxseq.errors import ConfigError, InputError
from jaxseq.interop.ngram_vectors import ngram_hashes
from jaxseq.interop.word_vectors import read_word_vectors
from jaxseq.metrics.meter import Meter
from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import EVALUATION, LossContext
from jaxseq.ops.proposals import Proposal
from jaxseq.runs.evaluation import SplitEvaluator
from jaxseq.runs.in_memory import train_model
from jaxseq.tasks import WordVectorLearning, Workspace
from jaxseq.tasks.vectors.negative_sampling import draw_words
from jaxseq.text.hangul import decompose

TRAINING = LossContext(np.array(0, np.int32), jax.random.key(9))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_words(tmp_path_factory.mktemp("words") / "a.txt")


def made(experiment) -> WordVectorLearning:
    return WordVectorLearning.create(experiment, Workspace())


def with_section(experiment, section, **fields):
    return dataclasses.replace(experiment, **{section: dataclasses.replace(getattr(experiment, section), **fields)})


def random_variables(task, seed=0):
    """Larger than fresh ones, so that output vectors count."""
    shapes = jax.eval_shape(task.init, jax.random.key(0))
    draw = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(draw.normal(size=leaf.shape), jnp.float32), shapes)


KINDS = [("corpus", {}), ("lines", {}), ("corpus", {"buckets": 40}), ("lines", {"buckets": 40, "jamo": True})]


@pytest.mark.parametrize(("kind", "model"), KINDS)
def test_the_task_is_restored_from_its_artifacts_alone(source, kind, model):
    experiment = experiment_of(source, kind=kind, model=model)
    task = made(experiment)
    restored = WordVectorLearning.restore(experiment, task.artifacts())
    assert (restored, hash(restored)) == (task, hash(task))
    assert restored.model == task.model
    again = WordVectorLearning.create(experiment, Workspace(artifacts=task.artifacts()))
    assert again == task
    assert again.has_fingerprint(task.fingerprint())
    variables = random_variables(task)
    np.testing.assert_array_equal(restored.vectors(variables).vectors, task.vectors(variables).vectors)
    with pytest.raises(ValueError, match="restored without data"):
        restored.loader("train", train=True)


def test_words_below_the_least_count_are_as_if_they_were_not_there(tmp_path):
    (tmp_path / "a.txt").write_text("a b c a b\nrare a b b\n\nrare2 b\n")
    data = {"min_count": 2, "split": (1.0, 0.0, 0.0)}
    task = made(experiment_of(tmp_path / "a.txt", kind="lines", data=data, task={"shared": 2}))
    assert task.words == ("b", "a")
    assert task.counts == (5, 3)
    assert task.texts.sentences["train"].ids.tolist() == [1, 0, 1, 0, 1, 0, 0, 0]
    assert task.texts.sentences["train"].offsets.tolist() == [0, 4, 7, 8]


def test_shares_of_lines_are_lines_and_those_of_a_corpus_words(tmp_path):
    (tmp_path / "a.txt").write_text("a b a b a b\na b\na b\nb a\n")
    for kind, sizes in (("lines", [8, 2, 2]), ("corpus", [6, 3, 3])):
        task = made(experiment_of(tmp_path / "a.txt", kind=kind, data={"split": (0.5, 0.25, 0.25)}, task={"shared": 0}))
        found = task.texts.sentences
        assert [len(found[name].ids) for name in ("train", "validation", "test")] == sizes
    assert found["train"].offsets.tolist() == [0, 6]


def test_a_split_may_have_a_source_of_its_own(tmp_path, source):
    (tmp_path / "b.txt").write_text("w1 w2 never w3\nw1 w4\n")
    data = {"split": (1.0, 0.0, 0.0), "validation_source": str(tmp_path / "b.txt")}
    task = made(experiment_of(source, kind="lines", data=data))
    assert [task.words[at] for at in task.texts.sentences["validation"].ids] == ["w1", "w2", "w3", "w1", "w4"]
    assert "never" not in task.words


@pytest.mark.parametrize(("algorithm", "shared", "buckets"), [("skipgram", 5, 40), ("cbow", 0, 0)])
def test_the_loss_of_training_estimates_that_of_an_evaluation(source, algorithm, shared, buckets):
    """Its mean over many draws."""
    task = made(experiment_of(source, model={"buckets": buckets}, task={"algorithm": algorithm, "shared": shared}))
    variables, batch = random_variables(task), task.training_loader(0)
    wanted = task.loss(variables, None, batch, EVALUATION).tallies["loss"]

    @jax.jit
    def of(draws):
        return task.loss(variables, None, batch._replace(draws=draws), TRAINING).tallies["loss"]

    draws = np.random.default_rng(1).integers(0, 2**32, (200, len(batch.draws)), np.uint32)
    found = list(map(of, draws))
    totals = np.array([float(tally.total) for tally in found])
    assert {float(tally.count) for tally in found} == {float(wanted.count)}
    context = batch.left + batch.right
    assert float(wanted.count) == (context.sum() if algorithm == "skipgram" else (context > 0).sum())
    assert abs(totals.mean() - float(wanted.total)) < 4 * totals.std() / np.sqrt(len(totals))
    assert totals.std() > 0


class OnlyLookedUp:
    """A table of which rows can be had, and nothing else."""

    def __init__(self, table):
        self._table = table
        self.shape, self.dtype, self.ndim = table.shape, table.dtype, table.ndim

    def __getitem__(self, ids):
        assert jnp.issubdtype(ids.dtype, jnp.integer)
        return self._table[ids]


@pytest.mark.parametrize(
    ("algorithm", "shared", "buckets", "dtype"), [("skipgram", 5, 40, "float32"), ("cbow", 0, 0, "bfloat16")]
)
def test_in_training_rows_of_tables_are_looked_up_and_no_table_is_used_as_a_whole(
    source, algorithm, shared, buckets, dtype
):
    experiment = experiment_of(source, model={"buckets": buckets}, task={"algorithm": algorithm, "shared": shared})
    task = made(with_section(experiment, "train", compute_dtype=dtype))
    assert task.model.dtype == dtype
    variables, batch = random_variables(task), task.training_loader(0)

    def total(wrapped):
        def of(variables):
            tables = jax.tree.map(wrapped, variables)
            return task.loss(tables, None, batch, TRAINING).tallies["loss"].total

        return jax.jit(of)(variables)

    found, wanted = total(OnlyLookedUp), total(lambda table: table)
    assert found == wanted > 10


def test_negatives_are_drawn_as_often_as_counts_to_the_power_of_three_quarters():
    stats = pytest.importorskip("scipy.stats")
    counts = np.array([900, 300, 80, 80, 20, 5, 1])
    wanted = counts**0.75 / (counts**0.75).sum()
    draws = np.random.default_rng(0).integers(0, 2**32, 64, np.uint32)
    own = np.asarray(draw_words(Proposal.unigram(counts, samples=1), draws, (20, 5)))
    found = np.bincount(own.ravel(), minlength=7)
    assert stats.chisquare(found, wanted * found.sum()).pvalue > 1e-4
    # Shared ones lie evenly in each draw; one of every draw is as good as drawn alone.
    proposal = Proposal.unigram(np.repeat(counts, 3), samples=5)
    shared = np.asarray(draw_words(proposal, draws, (50,))).reshape(-1, 5)
    one = shared[np.arange(len(shared)), np.arange(len(shared)) % 5] // 3
    assert stats.chisquare(np.bincount(one, minlength=7), wanted * len(shared)).pvalue > 1e-4


def test_the_loss_of_a_split_hangs_neither_on_batches_nor_on_devices(source):
    """gensim's changes with its workers (gensim#2743)."""
    losses = []
    for rows, devices in ((1, 1), (4, 1), (8, 2)):
        task = made(experiment_of(source))
        variables = random_variables(task)
        (evaluation,) = task.evaluations("validation", rows=rows).values()
        losses.append(SplitEvaluator(evaluation, devices=devices)(variables))
    assert losses[0]["pairs"] == losses[1]["pairs"] == losses[2]["pairs"] > 100
    for other in losses[1:]:
        assert other["loss"] == pytest.approx(losses[0]["loss"], rel=1e-5)


def test_the_summed_loss_does_not_stick_where_float32_does():
    """gensim's stays at 134,217,728 (gensim#2735)."""
    step = Tally(np.full(1000, 5.0, np.float32), np.full(1000, 2.0, np.float32))
    stuck = np.float32(134_217_728)
    assert stuck + np.float32(5) == stuck
    meter = Meter({"loss": (134_217_728.0, 10_000_000.0)})
    meter.add({"loss": step})
    assert meter.means()["loss"] == (134_217_728 + 5000) / 10_002_000


def test_any_word_has_a_vector_where_there_are_ngrams_and_others_are_flagged(source):
    """A word without n-grams is an error in gensim (gensim#2415)."""
    task = made(experiment_of(source, model={"buckets": 40, "shortest": 4, "longest": 5}))
    variables = random_variables(task)
    looked = task.vectors(variables).find(["w1", "unseen", "q", ""])
    assert looked.is_missing.tolist() == [False, False, True, True]
    np.testing.assert_array_equal(looked.vectors[0], task.vectors(variables).vectors[task.words.index("w1")])
    assert looked.vectors[1].any()
    assert not looked.vectors[2:].any()
    plain = made(experiment_of(source))
    looked = plain.vectors(random_variables(plain)).find(["w1", "unseen"])
    assert looked.is_missing.tolist() == [False, True]
    assert not looked.vectors[1].any()


def test_gensim_makes_the_same_vectors_of_the_same_rows(source):
    task = made(experiment_of(source, model={"buckets": 50, "features": 6}))
    variables = random_variables(task)
    table = variables["params"]["input"]["table"]
    theirs = gensim.models.FastText(vector_size=6, bucket=50, min_n=3, max_n=6, min_count=1)
    theirs.build_vocab([[word] for word in task.words])
    theirs.wv.vectors_vocab[:] = [table[task.words.index(word)] for word in theirs.wv.index_to_key]
    theirs.wv.vectors_ngrams[:] = table[len(task.words) :]
    theirs.wv.adjust_vectors()
    ours = task.vectors(variables).find([*task.words, "unheard", "영화"]).vectors
    for word, vector in zip([*task.words, "unheard", "영화"], ours, strict=True):
        np.testing.assert_allclose(vector, theirs.wv[word], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(task.vectors(variables).vectors, ours[: len(task.words)], rtol=1e-6)


def test_gensim_reads_the_model_that_is_exported_and_makes_vectors_of_words_it_lacks(source, tmp_path):
    task = made(experiment_of(source, model={"buckets": 50, "features": 6}))
    variables = random_variables(task)
    path = tmp_path / "model.bin"
    path.write_bytes(b"".join(task.exports(variables)[".bin"].content()))
    theirs = gensim.models.fasttext.load_facebook_model(str(path))
    asked = [*task.words, "unheard", "영화"]
    ours = task.vectors(variables).find(asked).vectors
    for word, vector in zip(asked, ours, strict=True):
        np.testing.assert_allclose(vector, theirs.wv[word], rtol=1e-4, atol=1e-6)
    assert theirs.wv.get_vecattr(task.words[1], "count") == task.counts[1]
    found = read_word_vectors(path).find(asked)
    np.testing.assert_allclose(found.vectors, ours, rtol=1e-4, atol=1e-6)


def test_ngrams_of_jamo_stay_out_of_files_that_would_be_asked_by_characters(source, tmp_path):
    task = made(experiment_of(source, model={"buckets": 50, "features": 6, "jamo": True}))
    variables = random_variables(task)
    path = tmp_path / "words.bin"
    path.write_bytes(b"".join(task.exports(variables)[".bin"].content()))
    found = read_word_vectors(path)
    assert found.ngrams is None
    hashes, _ = ngram_hashes([decompose("값지다").encode()], shortest=3, longest=6)
    rows = len(task.words) + hashes % 50
    wanted = np.asarray(variables["params"]["input"]["table"])[rows].mean(axis=0)
    np.testing.assert_allclose(task.vectors(variables).find(["값지다"]).vectors[0], wanted, rtol=1e-5, atol=1e-6)


def test_a_run_ends_with_neighbours_that_gensim_finds_too(source):
    task = made(experiment_of(source, task={"words": ("w3", "unseen"), "neighbours": 4}))
    variables = random_variables(task)
    shown = task.showcase(variables, jax.random.key(0), step=7)
    assert shown.command == ("nearest", "RUN", "w3")
    content = shown.files["neighbours.txt"]
    assert task.showcase_files["neighbours.txt"](content)
    head, blank, ours, unseen = content.decode().splitlines()
    assert (head, blank) == ("step 7, nearest by cosine", "")
    assert unseen == "unseen: no vector, the word is not known and has no n-grams"
    theirs = gensim.models.KeyedVectors(task.model.features)
    theirs.add_vectors(list(task.words), task.vectors(variables).vectors)
    near = theirs.most_similar("w3", topn=4)
    assert ours == "w3: " + ", ".join(f"{word} {cosine:.2f}" for word, cosine in near)


def test_sections_that_do_not_fit_and_text_that_gives_nothing_are_told(tmp_path, source):
    experiment = experiment_of(source)
    told = {
        r"model\.kind is 'rnn': word_vectors trains a model of kind vectors": {"model": RNNConfig()},
        r"data\.kind is 'labelled': word_vectors reads running text": {"data": LabelledConfig(source="x")},
    }
    for message, fields in told.items():
        with pytest.raises(ConfigError, match=message):
            made(dataclasses.replace(experiment, **fields))
    with pytest.raises(ConfigError, match=r"data\.memory_map is True: word vectors are trained on words in memory"):
        made(with_section(experiment, "data", memory_map=True))
    with pytest.raises(ConfigError, match=r"task\.shared is 5000: 5000 of \d+ words cannot be drawn"):
        made(with_section(experiment, "task", shared=5000))
    (tmp_path / "one.txt").write_text("word\nword\n")
    alone = made(experiment_of(tmp_path / "one.txt", kind="lines", data={"split": (1.0, 0.0, 0.0)}, task={"shared": 1}))
    with pytest.raises(InputError, match="the train split cannot be used: no sentence has two known words"):
        alone.loader("train", train=True)
    (tmp_path / "few.txt").write_text("a b\nb a\n")
    few = experiment_of(tmp_path / "few.txt", kind="lines", data={"split": (0.5, 0.5, 0.0)}, task={"shared": 1})
    assert made(with_section(few, "task", subsample=0.0)).evaluations("validation")
    with pytest.raises(
        InputError, match=r"the validation split has no two words beside each other that task\.subsample"
    ):
        made(with_section(few, "task", subsample=1e-9)).evaluations("validation")


@pytest.mark.parametrize("counts", [b"", b"[1, 2]", b"{}", b'["a"]', b"[" * 5000])
def test_counts_that_were_changed_by_hand_are_told(source, counts):
    experiment = experiment_of(source)
    artifacts = {**made(experiment).artifacts(), "counts.json": counts}
    with pytest.raises(InputError, match=r"counts\.json is no .* it was changed by hand"):
        WordVectorLearning.restore(experiment, artifacts)
    with pytest.raises(InputError, match=r"there is no counts\.json"):
        WordVectorLearning.restore(experiment, {"tokenizer.json": artifacts["tokenizer.json"]})


def test_words_that_occur_in_the_same_places_come_to_lie_together(tmp_path):
    """Two kinds of words that alternate with words of their own, learned by the steps of a run."""
    draw = random.Random(0)
    kinds = {"a": "xyz", "b": "uvw"}
    lines = []
    for _ in range(400):
        kind = draw.choice("ab")
        lines.append(" ".join(f"{kind}{draw.randrange(4)} {draw.choice(kinds[kind])}" for _ in range(5)))
    (tmp_path / "a.txt").write_text("\n".join(lines))
    data = {"split": (1.0, 0.0, 0.0), "batch_size": 3, "length": 40}
    for algorithm in ("skipgram", "cbow"):
        task = made(
            experiment_of(tmp_path / "a.txt", kind="lines", data=data, task={"algorithm": algorithm, "subsample": 0.0})
        )
        params = task.init(jax.random.key(0))["params"]
        loader = task.training_loader
        assert isinstance(loader(0), WordBatch)
        params = train_model(task.loss, params, loader, steps=60, optimizer=AdamConfig(learning_rate=0.04))
        vectors = task.vectors({"params": params}).vectors
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        of = dict(zip(task.words, vectors, strict=True))
        same = [of[f"{kind}{i}"] @ of[f"{kind}{j}"] for kind in "ab" for i in range(4) for j in range(i)]
        across = [of[f"a{i}"] @ of[f"b{j}"] for i in range(4) for j in range(4)]
        assert min(same) > max(across) + 0.3
