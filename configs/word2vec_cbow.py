"""Word vectors of Wikipedia's text: continuous bags of words with negative sampling, as word2vec.

    python3 train.py configs/word2vec_cbow.py
    jaxseq export runs/word2vec_cbow vectors.txt

The text is the first 3,000,000 characters of text8 (mattmahoney.net/dc/textdata), looked for in data/text8/: 506,254
words, of which the 8,853 that occur 5 times or more have vectors, 466,269 occurrences. Vectors 100 wide, windows of up
to 5 words, 5 negatives, frequent words kept as word2vec does with 1e-3 (Mikolov et al. 2013).

A learning rate is of the mean over a batch's 2,048 words: 100 would be word2vec's 0.05 for each word, whose sum is too
much for frequent words.
"""

from jaxseq.config import CorpusConfig, ExperimentConfig, SGDConfig, TrainConfig, VectorsConfig, WordVectorsConfig

config = ExperimentConfig(
    name="word2vec_cbow",
    task=WordVectorsConfig(algorithm="cbow", window=5, negatives=5, words=("king", "france", "computer", "three")),
    data=CorpusConfig(
        source="data/text8/text8*",
        tokenizer="word",
        splitter="whitespace",
        min_count=5,
        split=(1.0, 0.0, 0.0),
        length=128,
        batch_size=16,
    ),
    model=VectorsConfig(features=100),
    optimizer=SGDConfig(learning_rate=50.0, schedule="linear", final_fraction=0.004),
    train=TrainConfig(epochs=5, log_every=100),
)
