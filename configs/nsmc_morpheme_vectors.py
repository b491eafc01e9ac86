"""Vectors of Korean morphemes with their parts of speech: skip-gram on film reviews.

    xz -dcf data/nsmc/ratings_train.txt* | tail -n +2 | cut -f 2 > nsmc_train.txt
    jaxseq tag nsmc_train.txt --output nsmc_morphemes.txt
    python3 train.py configs/nsmc_morpheme_vectors.py
    jaxseq export runs/nsmc_morpheme_vectors nsmc_morphemes.npz

The first line takes the 150,000 reviews to train on out of the Naver sentiment movie corpus (github.com/e9t/nsmc), a
review a line; the second finds their morphemes (`pip install 'jaxseq[korean]'`) in 72 s of processor time; the last one
makes what configs/nsmc_morpheme.py reads. The 19,232 morphemes that occur 3 times or more have vectors, 128 wide;
windows of up to 5 morphemes, 5 negatives.

5 epochs, 5,370 steps, took 23 s of processor time: loss 2.303 a pair (seed 0). Nearest to 영화/NNG: 애니메이션/NNG
0.65, 드라마/NNG 0.64; to 배우/NNG: 연기자/NNG 0.76, 출연진/NNG 0.68; to 재미있/VA: 재밌/VA 0.93, 재미나/VV 0.77; to
지루/XR: 루즈/NNG 0.81, 따분/XR 0.77.
"""

from jaxseq.config import ExperimentConfig, LinesConfig, SGDConfig, TrainConfig, VectorsConfig, WordVectorsConfig

config = ExperimentConfig(
    name="nsmc_morpheme_vectors",
    task=WordVectorsConfig(
        algorithm="skipgram", window=5, negatives=5, words=("영화/NNG", "배우/NNG", "재미있/VA", "지루/XR")
    ),
    data=LinesConfig(
        source="nsmc_morphemes.txt",
        tokenizer="word",
        splitter="whitespace",
        min_count=3,
        split=(1.0, 0.0, 0.0),
        length=128,
        batch_size=16,
    ),
    model=VectorsConfig(features=128),
    optimizer=SGDConfig(learning_rate=300.0, schedule="linear", final_fraction=0.004, rows=True, row_cap=16),
    train=TrainConfig(epochs=5, log_every=100),
)
