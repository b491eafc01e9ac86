"""A decoder-only Transformer on Shakespeare, the size for a CPU.

    python3 train.py configs/shakespeare_transformer.py

The text is tiny Shakespeare, 1,115,394 characters (github.com/karpathy/char-rnn, data/tinyshakespeare/input.txt),
looked for in data/; `--data.source tfds:tiny_shakespeare:train+validation+test` fetches it.

Cased, 65 characters, windows of 64 in random order. 4 layers, 4 heads, 128 wide, batch 12, 2,000 steps.
Positions are rotary, so that samples go on past the context; `--model.positions learned` is nanoGPT's choice.
Published for nanoGPT (github.com/karpathy/nanoGPT): validation loss 1.88.

It took 1 min 20 s on 2 cores: validation loss 1.7803, 2.568 bits per character.
"""

from jaxseq.config import (
    AdamWConfig,
    CorpusConfig,
    ExperimentConfig,
    LanguageModelingConfig,
    TrainConfig,
    TransformerConfig,
)

config = ExperimentConfig(
    name="shakespeare_transformer",
    task=LanguageModelingConfig(prompt="ROMEO:", sample_length=500, temperature=0.8),
    data=CorpusConfig(
        source="data/tinyshakespeare/input.txt",
        split=(0.9, 0.1, 0.0),
        layout="windows",
        length=64,
        shift=1,
        batch_size=12,
    ),
    model=TransformerConfig(layers=4, heads=4, features=128, context=64, dropout=0.0),
    optimizer=AdamWConfig(
        learning_rate=1e-3,
        schedule="cosine",
        warmup_steps=100,
        b2=0.99,
        weight_decay=0.1,
        clip_norm=1.0,
    ),
    train=TrainConfig(steps=2000, log_every=100, evaluate_every=500, evaluate_batches=200, checkpoint_every=500),
)
