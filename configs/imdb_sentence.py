"""Film reviews by one vector each: the sum of their words' vectors over the square root of their number."""

from jaxseq.config import AdamConfig, BagConfig, ClassificationConfig, ExperimentConfig, LabelledConfig, TrainConfig

config = ExperimentConfig(
    name="imdb_sentence",
    task=ClassificationConfig(
        pooling=("sqrt_mean",),
        hidden=128,
        vectors="data/word_vectors/glove.6B.50d.top40000.txt.xz",
        vocabulary="vectors",
        unknown_vectors="zero",
    ),
    data=LabelledConfig(
        source="data/aclImdb/aclImdb*",
        normalize=("breaks_to_spaces", "lowercase"),
        splitter="words_and_marks",
        length=500,
        lengths=6,
    ),
    model=BagConfig(features=50),
    optimizer=AdamConfig(learning_rate=1e-3),
    train=TrainConfig(epochs=5, log_every=100, metric="accuracy"),
)
