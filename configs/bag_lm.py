"""The next word from the four before it: the mean of their vectors, on film reviews.

    python3 train.py configs/bag_lm.py

The text is that of the 25,000 reviews to train on in the Large Movie Review Dataset (Maas et al. 2011;
ai.stanford.edu/~amaas/data/sentiment), looked for in data/aclImdb/: the archive as it is (aclImdb_v1.tar.gz, or
repacked); of the unpacked folder give `--data.source "data/aclImdb/aclImdb/train/[np]*/*.txt"`. 2,000 words and the
unknown one, embedding 8, the mean over 4 words, a layer of 8 with ReLU, a layer to the vocabulary: 16,008 + 72 + 18,009
parameters. The carry is the last words, so that contiguous rows train it as windows of 4 would.

3 epochs of 5.4 million words took 1 min 48 s on 2 cores, other work beside it: validation perplexity 143.8, accuracy
18.3 %.

    python3 sample.py runs/bag_lm --prompt "this is one of" --next 10
    python3 sample.py runs/bag_lm --prompt "this is one of" --next 10 --forbid "<unk>"
    jaxseq export runs/bag_lm vectors.npz
"""

from jaxseq.config import (
    AdamConfig,
    CorpusConfig,
    ExperimentConfig,
    LanguageModelingConfig,
    TrainConfig,
    WindowBagConfig,
)

config = ExperimentConfig(
    name="bag_lm",
    task=LanguageModelingConfig(prompt="this is one of", sample_length=40),
    data=CorpusConfig(
        source="data/aclImdb/aclImdb*.tar.*/*/train/*.txt",
        normalize=("breaks_to_spaces", "lowercase"),
        tokenizer="word",
        splitter="words",
        max_words=2_000,
        split=(0.9, 0.1, 0.0),
        layout="rows",
        length=64,
        batch_size=64,
    ),
    model=WindowBagConfig(features=8, window=4, hidden=8),
    optimizer=AdamConfig(learning_rate=3e-3),
    train=TrainConfig(epochs=3, log_every=100),
)
