"""Vectors of Korean words from the words and n-grams of their jamo: skip-gram on film reviews.

    python3 train.py configs/jamo_fasttext.py
    jaxseq export runs/jamo_fasttext vectors.txt

The text is 129,705 reviews of the Naver sentiment movie corpus (github.com/e9t/nsmc), one a line, looked for in
data/nsmc/. Words that occur 5 times or more have vectors, 100 wide; windows of up to 5 words, 5 negatives; n-grams of 3
to 6 jamo and marks behind syllables in 100,000 buckets. A word that the text does not have, misspelt or inflected as it
may be, has the vector of its n-grams.

5 epochs, 2,050 steps, took 55 s of processor time: loss 2.292 a pair (seed 0). Nearest
to 재미있었습니당, which the text lacks: 재미있었습니다 0.99, 재밌었습니다 0.97;
to 재미있다: 재미있당, 재밌다, 재미있음, 재미잇다.
"""

from jaxseq.config import ExperimentConfig, LinesConfig, SGDConfig, TrainConfig, VectorsConfig, WordVectorsConfig

config = ExperimentConfig(
    name="jamo_fasttext",
    task=WordVectorsConfig(
        algorithm="skipgram", window=5, negatives=5, words=("영화", "재미있다", "배우", "재미있었습니당")
    ),
    data=LinesConfig(
        source="data/nsmc/nsmc_reviews_lm.txt*",
        normalize=("nfc",),
        tokenizer="word",
        splitter="words_and_marks",
        min_count=5,
        split=(1.0, 0.0, 0.0),
        length=128,
        batch_size=16,
    ),
    model=VectorsConfig(features=100, buckets=100_000, shortest=3, longest=6, jamo=True),
    optimizer=SGDConfig(learning_rate=300.0, schedule="linear", final_fraction=0.004, rows=True, row_cap=16),
    train=TrainConfig(epochs=5, log_every=100),
)
