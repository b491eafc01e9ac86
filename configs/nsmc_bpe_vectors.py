"""Vectors of pieces of Korean words: skip-gram over 5,000 byte pairs of film reviews.

    xz -dcf data/nsmc/ratings_train.txt* | tail -n +2 | cut -f 2 > nsmc_train.txt
    python3 train.py configs/nsmc_bpe_vectors.py
    jaxseq export runs/nsmc_bpe_vectors nsmc_pieces.npz
    cp runs/nsmc_bpe_vectors/checkpoints/00006355/tokenizer.json nsmc_pieces.json

The first line takes the 150,000 reviews to train on out of the Naver sentiment movie corpus (github.com/e9t/nsmc), a
review a line; the last two make what configs/nsmc_bpe.py reads. Every piece has a vector, 128 wide; windows of up to 5
pieces, 5 negatives.

5 epochs, 6,355 steps, took 38 s of processor time: loss 2.337 a pair (seed 0). Nearest to " 영화": " 영화다" 0.77,
" 영화였다" 0.75, " 영화이다" 0.74; to " 배우": "배우" 0.75, " 연기자" 0.62; to " 지루": "지루" 0.75, " 진부" 0.66.
"""

from jaxseq.config import ExperimentConfig, LinesConfig, SGDConfig, TrainConfig, VectorsConfig, WordVectorsConfig

config = ExperimentConfig(
    name="nsmc_bpe_vectors",
    task=WordVectorsConfig(algorithm="skipgram", window=5, negatives=5, words=(" 영화", " 배우", " 최고", " 지루")),
    data=LinesConfig(
        source="nsmc_train.txt",
        normalize=("nfc",),
        tokenizer="bpe",
        pieces=5_000,
        split=(1.0, 0.0, 0.0),
        length=128,
        batch_size=16,
    ),
    model=VectorsConfig(features=128),
    optimizer=SGDConfig(learning_rate=300.0, schedule="linear", final_fraction=0.004, rows=True, row_cap=16),
    train=TrainConfig(epochs=5, log_every=100),
)
