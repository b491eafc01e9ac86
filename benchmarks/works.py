"""The works that are timed: models, sizes, FLOP and parameter counts by formula. Standard library only.

FLOP of a training step counts the matmuls of the textbook formulation, two a multiply-add: forward once, backward
twice, except that one-hot input has no gradient. Padding counts as if it were text. Element-wise work, the optimizer
and the embedding lookup count nothing; attention counts its whole square, not the causal half. A formulation that gets
away with fewer (the input product of an embedding is a table lookup, say) is credited with the same FLOP as the others:
what counts is the time. A prediction is forward alone, and padding counts nothing there: how much of it there is hangs
on how a contestant puts texts of mixed length together.
"""

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "train",
    "generate",
    "encode",
    "decompose",
    "windows",
    "predict",
    "pieces",
    "count",
    "vectors",
    "translate",
    "detect",
]


@dataclass(frozen=True)
class Model:
    """What a peer builds. `embedding` 0 means one-hot input.

    LSTM and GRU are those of Keras and PyTorch (reset after), with dropout before each layer, one mask for all steps of
    a window. The Transformer is nanoGPT's: learned positions, pre-norm, GELU, no biases, tied output, dropout on the
    embedding, the attention weights and both branches.

    With `label` it is a classifier instead of a language model: id 0 is padding, passed over by mask or by length, and
    the last layer's final states go to one logit a text.
    """

    family: Literal["lstm", "gru", "transformer"]
    vocabulary: int
    features: int
    layers: int
    embedding: int = 0
    dropout: float = 0.0
    heads: int = 0
    context: int = 0
    tied: bool = False
    """Of a recurrent model: the embedding is the output layer, without a bias."""
    directions: Literal[1, 2] = 1
    """2: beside each recurrent layer one that reads from the last token to the first; `features` are those of each."""
    label: bool = False

    @property
    def input_widths(self) -> list[int]:
        """Width of what enters each recurrent layer."""
        return [self.embedding or self.vocabulary] + [self.directions * self.features] * (self.layers - 1)

    @property
    def outputs(self) -> int:
        """Logits that the last layer gives."""
        return 1 if self.label else self.vocabulary

    @property
    def parameters(self) -> int:
        """Scalars in the model, with one bias a gate in the LSTM and two in the GRU."""
        d, v = self.features, self.vocabulary
        if self.family == "transformer":
            return v * d + self.context * d + self.layers * (12 * d * d + 2 * d) + d
        biases = 1 if self.family == "lstm" else 2
        cells = self.directions * sum(self._gates * d * (width + d + biases) for width in self.input_widths)
        return v * self.embedding + cells + (0 if self.tied else (self.directions * d + 1) * self.outputs)

    def step_flop(self, *, batch: int, time: int) -> int:
        """FLOP of one training step on [batch, time] tokens."""
        one_hot = self.family != "transformer" and not self.embedding
        without_gradient = self.directions * 2 * self.vocabulary * self._gates * self.features if one_hot else 0
        return 3 * self.forward_flop(batch=batch, time=time) - batch * time * without_gradient

    def forward_flop(self, *, batch: int, time: int) -> int:
        """FLOP of the logits of [batch, time] tokens."""
        d, v = self.features, self.vocabulary
        if self.family == "transformer":
            block = 2 * 12 * d * d + 2 * 2 * time * d
            return batch * time * (self.layers * block + 2 * d * v)
        cells = self.directions * sum(2 * (width + d) * self._gates * d for width in self.input_widths)
        head = 2 * self.directions * d * self.outputs
        return batch * time * cells + batch * (1 if self.label else time) * head

    @property
    def _gates(self) -> int:
        return 4 if self.family == "lstm" else 3


@dataclass(frozen=True)
class Work:
    """One row of the results.

    `batch` and `time` are the shape of a training batch, the number of texts and tokens generated, the shape of a batch
    of windows, the number of texts to predict for and the tokens of the longest, or of sentences that are translated at
    once and in all; `time` alone is the number of words to count. An experiment that is named has its own batches.
    `target` is the share of the time of the peer named `against` (None: the fastest) that jaxseq set itself on two CPU
    cores.
    """

    title: str
    kind: Kind
    batch: int = 0
    time: int = 0
    model: Model | None = None
    carried: bool = False
    optimizer: Literal["adam", "sgd", "own"] = "adam"
    """Adam at 1e-3, plain SGD at 1 with the gradients cut to a norm of 0.25, as PyTorch's example of a word model
    has it, or that of the experiment."""
    samples: int = 0
    """Words drawn, with which jaxseq compares in place of the whole vocabulary; the others have the whole."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of jaxseq's activations, and of those who are named after it."""
    pieces: Literal["bpe", "wordpiece", "unigram", "sentencepiece"] | None = None
    """Of the kind "pieces"."""
    order: int = 0
    """Of the longest n-grams counted."""
    algorithm: Literal["skipgram", "cbow"] = "skipgram"
    """Of the kind "vectors"."""
    experiment: str = ""
    """Of an encoder-decoder or a model of pictures: its file in configs/, where all its sizes stand. Its FLOP are not
    counted."""
    pictures: bool = False
    """Whether the experiment's data are pictures."""
    beam: int = 0
    """Of the kind "translate": hypotheses that go on."""
    target: float | None = None
    against: str | None = None

    @property
    def flop(self) -> int:
        """FLOP of a training step, or of the prediction for a text of the mean length; 0 for other kinds of work."""
        if self.model and self.kind == "train":
            return self.model.step_flop(batch=self.batch, time=self.time)
        if self.model and self.kind == "predict":
            return self.model.forward_flop(batch=1, time=(self.shortest + self.time) // 2)
        return 0

    @property
    def shortest(self) -> int:
        """Tokens of the shortest text, where texts differ in length: all lengths from there to `time` are as likely."""
        return self.time // 8


JAMO_LSTM = Model("lstm", vocabulary=181, features=128, layers=1, embedding=128)
SHAKESPEARE_GRU = Model("gru", vocabulary=39, features=128, layers=2, dropout=0.2)
LYRICS_LSTM = Model("lstm", vocabulary=7_001, features=1024, layers=2, embedding=256)
WIKITEXT2_LSTM = Model("lstm", vocabulary=33_278, features=200, layers=2, embedding=200, tied=True)
GRU_CLASSIFIER = Model("gru", vocabulary=11_000, features=128, layers=2, embedding=128, label=True)
BOTH_WAYS = Model("lstm", vocabulary=10_000, features=64, layers=1, embedding=128, directions=2, label=True)
NANO_CPU = Model("transformer", vocabulary=65, features=128, layers=4, heads=4, context=64)
NANO_GPU = Model("transformer", vocabulary=65, features=384, layers=6, heads=6, context=256, dropout=0.2)
GPT2 = Model("transformer", vocabulary=50_257, features=768, layers=12, heads=12, context=1024)
WIKITEXT2: dict[str, Any] = {
    "kind": "train",
    "batch": 20,
    "time": 35,
    "model": WIKITEXT2_LSTM,
    "carried": True,
    "optimizer": "sgd",
}

WORKS: dict[str, Work] = {
    "w1": Work("Training step of jamo_lstm", "train", 100, 300, JAMO_LSTM, carried=True, target=0.75),
    "w2": Work("Training step of shakespeare_gru", "train", 32, 100, SHAKESPEARE_GRU, target=0.55),
    "w3": Work("Training step of lyrics_lstm", "train", 64, 20, LYRICS_LSTM, target=1.0),
    "w4": Work(
        "Training step of a GRU classifier, texts of 5 to 60 words", "train", 32, 60, GRU_CLASSIFIER, target=0.65
    ),
    "w5": Work("Training step of the Transformer, CPU setting", "train", 12, 64, NANO_CPU, target=1.0),
    "w5gpu": Work("Training step of the Transformer, GPU setting", "train", 64, 256, NANO_GPU),
    "gpt2": Work("Training step of a Transformer of GPT-2's size, bfloat16", "train", 16, 1024, GPT2, dtype="bfloat16"),
    "words-full": Work(
        "Training step of wikitext2_words without dropout, the softmax over all 33,278 words",
        **WIKITEXT2,
        target=1.2,
        against="torch",
    ),
    "words-bfloat16": Work(
        "The same in bfloat16, against float32", **WIKITEXT2, dtype="bfloat16", target=1.0, against="torch"
    ),
    "words-sampled": Work(
        "The same with 1,000 words drawn, against all", **WIKITEXT2, samples=1_000, target=0.25, against="torch"
    ),
    "birnn": Work(
        "Training step of a bidirectional LSTM classifier, 50 to 400 words", "train", 32, 400, BOTH_WAYS, target=0.55
    ),
    # So many that a round of all peers stays below three minutes: 25,000 reviews take ten times as long.
    "predict": Work(
        "Prediction for 2,500 texts of 50 to 400 words, bidirectional LSTM classifier", "predict", 2500, 400, BOTH_WAYS
    ),
    "w6-lstm-1": Work("1,000 characters of jamo_lstm", "generate", 1, 1000, JAMO_LSTM, target=1 / 15, against="torch"),
    "w6-lstm-64": Work("64 x 1,000 of jamo_lstm", "generate", 64, 1000, JAMO_LSTM, target=1 / 2, against="torch"),
    "w6-gru-1": Work(
        "1,000 characters of shakespeare_gru", "generate", 1, 1000, SHAKESPEARE_GRU, target=1 / 15, against="torch"
    ),
    "w6-gru-64": Work(
        "64 x 1,000 of shakespeare_gru", "generate", 64, 1000, SHAKESPEARE_GRU, target=1 / 2, against="torch"
    ),
    "words-generate": Work("1,000 words of wikitext2_words", "generate", 1, 1000, WIKITEXT2_LSTM, against="torch"),
    "w7-encode": Work("Characters to ids", "encode"),
    "w7-jamo": Work("Hangul to compatibility jamo", "decompose"),
    "w7-windows": Work("Shuffled batches of windows, 32 of 100, shift 1", "windows", 32, 100),
    **{
        f"pieces-{kind}": Work(f"Lines of WikiText-2 to ids of 8,000 pieces, {kind}", "pieces", pieces=kind, target=1.1)
        for kind in ("bpe", "wordpiece", "unigram", "sentencepiece")
    },
    "ngrams": Work("50,000 words of WikiText-2 to counts of all n-grams up to 5", "count", time=50_000, order=5),
    **{
        f"vectors-{algorithm}": Work(
            f"Training of word vectors on text8's first 506,254 words, {algorithm}, 100 wide, window 5, 5 negatives",
            "vectors",
            algorithm=algorithm,
            target=0.5,
            against="gensim",
        )
        for algorithm in ("skipgram", "cbow")
    },
    "multi30k-transformer": Work(
        "Training step of multi30k_transformer, batches of several shapes",
        "train",
        experiment="multi30k_transformer",
        target=0.9,
    ),
    "seq2seq-attention": Work(
        "Training step of seq2seq_attention, batches of several shapes",
        "train",
        experiment="seq2seq_attention",
        target=0.9,
    ),
    **{
        f"beam-search-{batch}": Work(
            f"Beam search, 5 hypotheses, of {count:,} sentences with multi30k_transformer, {at_once}",
            "translate",
            batch,
            count,
            experiment="multi30k_transformer",
            beam=5,
            target=1 / 3,
            against="torch",
        )
        for batch, count, at_once in ((1, 200, "one at a time"), (64, 1000, "64 at a time"))
    },
    **{
        name: Work(
            f"Training step of {name.replace('-', '_')}, 256 digits",
            "train",
            experiment=name.replace("-", "_"),
            pictures=True,
            optimizer="own",
            target=0.9,
        )
        for name in ("mnist-autoencoder", "mnist-autoencoder-transposed")
    },
    "digit-scenes": Work(
        "Training step of digit_scenes",
        "train",
        experiment="digit_scenes",
        pictures=True,
        target=0.9,
    ),
    "hand-detector": Work(
        "Logits of 8 pictures of 1920 x 1080 with hand_detector",
        "detect",
        experiment="hand_detector",
        pictures=True,
        target=1.0,
        against="torch",
    ),
}


def select(groups: tuple[str, ...]) -> list[str]:
    """Names of the works in `groups`, in the order of WORKS: "w6" stands for every "w6-...".

    Raises:
        ValueError: a group is unknown.
    """
    known = {name.split("-")[0] for name in WORKS} | set(WORKS)
    strange = [group for group in groups if group not in known]
    if strange:
        raise ValueError(f"there is no work {', '.join(strange)}: choose from {', '.join(sorted(known))}")
    return [name for name in WORKS if name in groups or name.split("-")[0] in groups]
