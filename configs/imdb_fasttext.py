"""Film reviews by the mean of their words and bigrams, as fastText.

    python3 train.py configs/imdb_fasttext.py

The data are the Large Movie Review Dataset (Maas et al. 2011; ai.stanford.edu/~amaas/data/sentiment), 25,000 reviews to
train on and 25,000 to test, looked for in data/aclImdb/: the archive as it is (aclImdb_v1.tar.gz, or repacked), or the
unpacked folder; `--data.source tfds:imdb_reviews` fetches it.

Words and their bigrams by a hash, embedding 20, masked mean over time, one logit. Published for fastText (Joulin et al.
2016, as in the examples of Keras 2): test accuracy 88.13 % with words, 90.56 % with bigrams.
"""

from jaxseq.config import AdamConfig, BagConfig, ClassificationConfig, ExperimentConfig, LabelledConfig, TrainConfig

config = ExperimentConfig(
    name="imdb_fasttext",
    task=ClassificationConfig(pooling=("mean",)),
    data=LabelledConfig(
        source="data/aclImdb/aclImdb*",
        normalize=("breaks_to_spaces", "lowercase"),
        splitter="words",
        min_count=2,
        ngrams=2,
        length=1000,
        lengths=12,
    ),
    model=BagConfig(features=20),
    optimizer=AdamConfig(learning_rate=3e-3),
    train=TrainConfig(epochs=8, log_every=200, patience=2, metric="accuracy"),
)
