"""The first 300 characters of film reviews, two GRU layers with padding masked.

    python3 train.py configs/imdb_gru.py

The data are the Large Movie Review Dataset (Maas et al. 2011; ai.stanford.edu/~amaas/data/sentiment), 25,000 reviews to
train on and 25,000 to test, looked for in data/aclImdb/: the archive as it is (aclImdb_v1.tar.gz, or repacked), or the
unpacked folder; `--data.source tfds:imdb_reviews` fetches it.

"<br />" and everything but letters and apostrophes become spaces, 10,000 words and 1,000 hashed buckets for the others,
embedding 128, GRU 128 x 2, the last real state, one logit. Test accuracy over seeds 0, 1 and 2: 76.57 %, standard
deviation 0.68 (76.21, 77.35, 76.15); 3 min 30 s each, on one core that others shared.

`--task.no-mask` shows what happens where padding is read as text. Published is a test accuracy of 50.1 %; here it is
77.18 %, standard deviation 0.36 (76.78, 77.46, 77.30): of 75 tokens some twenty are padding, and the GRU learns to keep
what it knows.
"""

from jaxseq.config import AdamConfig, ClassificationConfig, ExperimentConfig, LabelledConfig, RNNConfig, TrainConfig

config = ExperimentConfig(
    name="imdb_gru",
    task=ClassificationConfig(pooling=("last",)),
    data=LabelledConfig(
        source="data/aclImdb/aclImdb*",
        characters=300,
        normalize=("letters_only", "lowercase"),
        splitter="whitespace",
        max_words=10_000,
        buckets=1000,
        length=75,
        lengths=1,
    ),
    model=RNNConfig(cell="gru", features=128, layers=2, embedding=128),
    optimizer=AdamConfig(learning_rate=1e-3),
    train=TrainConfig(epochs=5, log_every=100, patience=2, metric="accuracy"),
)
