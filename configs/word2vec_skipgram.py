"""Word vectors of Wikipedia's text: skip-gram with negative sampling, as word2vec.

    python3 train.py configs/word2vec_skipgram.py
    jaxseq export runs/word2vec_skipgram vectors.txt

The text is the first 3,000,000 characters of text8 (mattmahoney.net/dc/textdata), looked for in data/text8/: 506,254
words, of which the 8,853 that occur 5 times or more have vectors, 466,269 occurrences. Vectors 100 wide, windows of up
to 5 words, 5 negatives, frequent words kept as word2vec does with 1e-3 (Mikolov et al. 2013).

A learning rate is of the mean over a batch's pairs, of which there are about 12,000: 450 is 0.0375 for each pair. The
sum of these is too much for frequent words, so that a row's update counts as 4 occurrences at most. One device, for
tables as small as these: two take longer (docs/benchmarks.md).

5 epochs took 6 s on one core, start and compilation included. Over seeds 0, 1 and 2: loss 2.456 a pair; WordSim-353,
Spearman's correlation on the 235 of 353 pairs whose words have vectors, 0.336, standard deviation 0.007 (0.3418,
0.3277, 0.3391). Rate and cap were chosen by this score, which gains by high rates on so small a text: gensim has 0.221,
0.021 at its own rate of 0.025 (ours 0.242 at as much for a pair), and 0.469, 0.018 at 0.1, where batches as large as
these diverge (`python -m benchmarks.vector_quality`). Of the 3,650 of 19,544 analogies that can be answered 2.4 % are
right (88, 108 and 72).
"""

from jaxseq.config import CorpusConfig, ExperimentConfig, SGDConfig, TrainConfig, VectorsConfig, WordVectorsConfig

config = ExperimentConfig(
    name="word2vec_skipgram",
    task=WordVectorsConfig(
        algorithm="skipgram", window=5, negatives=5, shared=32, words=("king", "france", "computer", "three")
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
    optimizer=SGDConfig(learning_rate=450.0, schedule="linear", final_fraction=0.004, rows=True, row_cap=4),
    train=TrainConfig(epochs=5, log_every=100, devices=1),
)
