"""Korean film reviews by words as they stand between spaces, read both ways.

    python3 train.py configs/nsmc_words.py

The data are the Naver sentiment movie corpus (github.com/e9t/nsmc), 150,000 short reviews to train on and 50,000 to
test, looked for in data/nsmc/: ratings_train.txt and ratings_test.txt, compressed or not.

Bidirectional GRU 64 over embedded words, maximum and mean over time side by side, one logit; three words in ten are
dropped in training. Test accuracy over seeds 0, 1 and 2: 82.83 %, standard deviation 0.30 (82.95, 83.05, 82.48); 93 to
141 s, on one core.
"""

from jaxseq.config import AdamConfig, ClassificationConfig, ExperimentConfig, LabelledConfig, RNNConfig, TrainConfig

config = ExperimentConfig(
    name="nsmc_words",
    task=ClassificationConfig(pooling=("max", "mean"), dropout=0.5, word_dropout=0.3),
    data=LabelledConfig(
        source="data/nsmc/ratings_*.txt*",
        text_column="document",
        normalize=("nfc",),
        splitter="words_and_marks",
        min_count=3,
        length=60,
        lengths=6,
        validation=0.05,
        batch_size=128,
    ),
    model=RNNConfig(cell="gru", features=64, bidirectional=True, embedding=128, input_dropout=0.2),
    optimizer=AdamConfig(learning_rate=2e-3, schedule="cosine", warmup_steps=200, clip_norm=1.0),
    train=TrainConfig(epochs=3, log_every=200, metric="accuracy"),
)
