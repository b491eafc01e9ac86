"""Whole film reviews, a small Transformer whose tokens see all of their review.

    python3 train.py configs/imdb_transformer.py

The data are the Large Movie Review Dataset (Maas et al. 2011; ai.stanford.edu/~amaas/data/sentiment), 25,000 reviews to
train on and 25,000 to test, looked for in data/aclImdb/: the archive as it is (aclImdb_v1.tar.gz, or repacked), or the
unpacked folder; `--data.source tfds:imdb_reviews` fetches it.

Two blocks, 4 heads, 64 wide, attention pooling, one logit; half of the words are dropped in training. Test accuracy
over seeds 0, 1 and 2: 86.85 %, standard deviation 0.26 (87.15, 86.66, 86.74); 21 min on one core.
"""

from jaxseq.config import (
    AdamWConfig,
    ClassificationConfig,
    EncoderConfig,
    ExperimentConfig,
    LabelledConfig,
    TrainConfig,
)

config = ExperimentConfig(
    name="imdb_transformer",
    task=ClassificationConfig(pooling=("attention",), dropout=0.3, word_dropout=0.5),
    data=LabelledConfig(
        source="data/aclImdb/aclImdb*",
        normalize=("breaks_to_spaces", "lowercase"),
        splitter="words",
        max_words=10_000,
        length=400,
        lengths=8,
    ),
    model=EncoderConfig(features=64, layers=2, heads=4, dropout=0.2),
    optimizer=AdamWConfig(learning_rate=1e-3, schedule="cosine", warmup_steps=200, weight_decay=0.05, clip_norm=1.0),
    train=TrainConfig(epochs=4, log_every=100, metric="accuracy"),
)
