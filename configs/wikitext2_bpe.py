"""Pieces of the words of WikiText-2: the two LSTM layers of configs/wikitext2_words.py on 8,000 pairs of bytes.

    python3 train.py configs/wikitext2_bpe.py

The text is WikiText-2 (Merity et al. 2017), looked for in data/wikitext2/. Byte pairs are learned from the part to
train on, which has 2,686,576 of them for 2,088,628 words and line ends; none is unknown. LSTM 200 x 2, the embedding as
output layer, 20 rows of 35 pieces a batch, the carry kept, plain SGD with clipping (Adam at 3e-3 was at a validation
perplexity of 154 after the first epoch, SGD at 118).

Validation perplexity after the 5 epochs: 118, 86.3, 71.7, 63.8 and 61.1 a piece (seed 0), which is 209.0 a word and
1.498 bits a character; test 55.2, 194.7 and 1.488. The words of configs/wikitext2_words.py: 118.4 a word, 1.34 bits a
character; there a rare word is one choice of 33,278, here several. 28 min on one core at 8,000 pieces a second.
"""

from jaxseq.config import (
    CorpusConfig,
    ExperimentConfig,
    LanguageModelingConfig,
    RNNConfig,
    SGDConfig,
    TrainConfig,
)

config = ExperimentConfig(
    name="wikitext2_bpe",
    task=LanguageModelingConfig(prompt="The game was", sample_length=120, temperature=0.8),
    data=CorpusConfig(
        source="data/wikitext2/wiki.train.tokens*",
        validation_source="data/wikitext2/wiki.valid.tokens*",
        test_source="data/wikitext2/wiki.test.tokens*",
        tokenizer="bpe",
        pieces=8_000,
        split=(1.0, 0.0, 0.0),
        layout="rows",
        length=35,
        batch_size=20,
    ),
    model=RNNConfig(
        cell="lstm",
        features=200,
        layers=2,
        embedding=200,
        input_dropout=0.2,
        dropout=0.2,
        output_dropout=0.2,
        tie_embedding=True,
    ),
    optimizer=SGDConfig(learning_rate=20.0, schedule="cosine", final_fraction=0.02, clip_norm=0.25),
    train=TrainConfig(epochs=5, log_every=400),
)
