"""Hidden words and next sentences of WikiText-2, by a small Transformer encoder.

    python3 train.py configs/wikitext2_bert.py

The text is WikiText-2 (Merity et al. 2017), looked for in data/wikitext2/ as in configs/wikitext2_words.py: 600
articles, whose sentences become pairs [CLS] A [SEP] B [SEP] of up to 128 of 8,000 pieces of words. In half of them B
follows A, in the others it comes from another article; 15 % of the tokens are hidden. Three blocks, 4 heads, 256 wide.

Test loss 3.844 nats a hidden token, 34.6 % of them found; of pairs 60.6 % are told right, loss 0.661 (seed 0;
validation 3.911, 34.0 and 60.3 %). 90 minutes on one core. Pairs are at chance through three of the six epochs, 73,000
examples, and were still getting better at the end. Published at this size, for a masked language model without pairs on
WikiText-103, fifty times the text: a validation loss of 3.457 after an epoch (keras.io, "Transformer pretraining with
KerasHub").
"""

from jaxseq.config import (
    AdamWConfig,
    DocumentsConfig,
    EncoderConfig,
    ExperimentConfig,
    MaskedLanguageModelingConfig,
    TrainConfig,
)

config = ExperimentConfig(
    name="wikitext2_bert",
    task=MaskedLanguageModelingConfig(pairs=True),
    data=DocumentsConfig(
        source="data/wikitext2/wiki.train.tokens*",
        validation_source="data/wikitext2/wiki.valid.tokens*",
        test_source="data/wikitext2/wiki.test.tokens*",
        split=(1.0, 0.0, 0.0),
        form="wikitext",
        tokenizer="wordpiece",
        pieces=8_000,
        length=128,
        batch_size=16,
    ),
    model=EncoderConfig(features=256, layers=3, heads=4, segments=2, dropout=0.1),
    optimizer=AdamWConfig(learning_rate=1e-3, schedule="cosine", warmup_steps=500, clip_norm=1.0),
    train=TrainConfig(epochs=6, log_every=100),
)
