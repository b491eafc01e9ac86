"""Film reviews by the mean of their words, the smallest network.

    python3 train.py configs/imdb_bag.py

The data are the Large Movie Review Dataset (Maas et al. 2011; ai.stanford.edu/~amaas/data/sentiment), 25,000 reviews to
train on and 25,000 to test, looked for in data/aclImdb/: the archive as it is (aclImdb_v1.tar.gz, or repacked), or the
unpacked folder; `--data.source tfds:imdb_reviews` fetches it.

2,000 words, embedding 8, masked mean over time, 8 units with ReLU, one logit: 2,001 x 8 + 72 + 9 parameters. Test
accuracy over seeds 0, 1 and 2: 87.67 %, standard deviation 0.15 (87.75, 87.50, 87.76); a minute each, on one core.
"""

from jaxseq.config import AdamConfig, BagConfig, ClassificationConfig, ExperimentConfig, LabelledConfig, TrainConfig

config = ExperimentConfig(
    name="imdb_bag",
    task=ClassificationConfig(pooling=("mean",), hidden=8),
    data=LabelledConfig(
        source="data/aclImdb/aclImdb*",
        normalize=("breaks_to_spaces", "lowercase"),
        splitter="words",
        max_words=1999,
        length=500,
        lengths=6,
    ),
    model=BagConfig(features=8),
    optimizer=AdamConfig(learning_rate=3e-3),
    train=TrainConfig(epochs=10, log_every=200),
)
