"""Word vectors of Wikipedia's text: continuous bags of words with negative sampling, as word2vec.

    python3 train.py configs/word2vec_cbow.py
    jaxseq export runs/word2vec_cbow vectors.txt

The text is the first 3,000,000 characters of text8 (mattmahoney.net/dc/textdata), looked for in data/text8/: 506,254
words, of which the 8,853 that occur 5 times or more have vectors, 466,269 occurrences. Vectors 100 wide, windows of up
to 5 words, 5 negatives, frequent words kept as word2vec does with 1e-3 (Mikolov et al. 2013).

A learning rate is of the mean over a batch's 2,048 words: 600 is 0.3 for each word, and a row's update counts as 4
occurrences at most. One device, for tables as small as these: two take longer (docs/benchmarks.md).

5 epochs took 6 s on one core, start and compilation included. Over seeds 0, 1 and 2: loss 1.919 a word; WordSim-353,
Spearman's correlation on the 235 of 353 pairs whose words have vectors, 0.382, standard deviation 0.055 (0.4293,
0.3212, 0.3966), by which rate and cap were chosen; gensim has 0.222, 0.020 at its own rate of 0.025, and 0.373, 0.036
at 0.1 (`python -m benchmarks.vector_quality`). Of the 3,650 of 19,544 analogies that can be answered 2.7 % are right
(98, 100 and 97).
"""

from jaxseq.config import CorpusConfig, ExperimentConfig, SGDConfig, TrainConfig, VectorsConfig, WordVectorsConfig

config = ExperimentConfig(
    name="word2vec_cbow",
    task=WordVectorsConfig(
        algorithm="cbow", window=5, negatives=5, shared=32, words=("king", "france", "computer", "three")
    ),
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
    optimizer=SGDConfig(learning_rate=600.0, schedule="linear", final_fraction=0.004, rows=True, row_cap=4),
    train=TrainConfig(epochs=5, log_every=100, devices=1),
)
