"""Whole film reviews read both ways, batches by length.

    python3 train.py configs/imdb_birnn.py

The data are the Large Movie Review Dataset (Maas et al. 2011; ai.stanford.edu/~amaas/data/sentiment), 25,000 reviews to
train on and 25,000 to test, looked for in data/aclImdb/: the archive as it is (aclImdb_v1.tar.gz, or repacked), or the
unpacked folder; `--data.source tfds:imdb_reviews` fetches it.

Bidirectional LSTM 64 over embedded words, maximum and mean over time side by side, one logit; six words in ten are
dropped in training. Of a review the last 600 words are read: its end says what it comes to. Test accuracy over seeds 0,
1 and 2: 89.61 %, standard deviation 0.13 (89.76, 89.51, 89.57); 7 min each, on one core that others shared.
"""

from jaxseq.config import AdamConfig, ClassificationConfig, ExperimentConfig, LabelledConfig, RNNConfig, TrainConfig

config = ExperimentConfig(
    name="imdb_birnn",
    task=ClassificationConfig(pooling=("max", "mean"), dropout=0.5, word_dropout=0.6),
    data=LabelledConfig(
        source="data/aclImdb/aclImdb*",
        normalize=("breaks_to_spaces", "lowercase"),
        splitter="words_and_marks",
        max_words=10_000,
        length=600,
        truncating="pre",
        lengths=8,
    ),
    model=RNNConfig(cell="lstm", features=64, bidirectional=True, embedding=128),
    optimizer=AdamConfig(learning_rate=2e-3, schedule="cosine", warmup_steps=200, clip_norm=1.0),
    train=TrainConfig(epochs=5, log_every=100, metric="accuracy"),
)
