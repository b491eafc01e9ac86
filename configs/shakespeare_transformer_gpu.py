"""A decoder-only Transformer on Shakespeare, the size for a GPU.

    python3 train.py configs/shakespeare_transformer_gpu.py

The text is tiny Shakespeare, 1,115,394 characters (github.com/karpathy/char-rnn, data/tinyshakespeare/input.txt),
looked for in data/; `--data.source tfds:tiny_shakespeare:train+validation+test` fetches it.

Cased, 65 characters, windows of 256 in random order. 6 layers, 6 heads, 384 wide, batch 64, dropout 0.2, 5,000 steps.
Positions are rotary, so that samples go on past the context; `--model.positions learned` is nanoGPT's choice.
Published for nanoGPT (github.com/karpathy/nanoGPT): validation loss 1.4697.

Not trained to its end: no GPU was at hand. Its first 4 steps were run on 2 CPU cores, where a step takes 9.4 s.
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
    name="shakespeare_transformer_gpu",
    task=LanguageModelingConfig(prompt="ROMEO:", sample_length=500, temperature=0.8),
    data=CorpusConfig(
        source="data/tinyshakespeare/input.txt",
        split=(0.9, 0.1, 0.0),
        layout="windows",
        length=256,
        shift=1,
        batch_size=64,
    ),
    model=TransformerConfig(layers=6, heads=6, features=384, context=256, dropout=0.2),
    optimizer=AdamWConfig(
        learning_rate=1e-3,
        schedule="cosine",
        warmup_steps=100,
        b2=0.99,
        weight_decay=0.1,
        clip_norm=1.0,
    ),
    train=TrainConfig(steps=5000, log_every=50, evaluate_every=250, checkpoint_every=250, compute_dtype="bfloat16"),
)
