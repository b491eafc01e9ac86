"""Two GRU layers on lower-cased Shakespeare, overlapping windows in random order.

    python3 train.py configs/shakespeare_gru.py

The text is tiny Shakespeare, 1,115,394 characters (github.com/karpathy/char-rnn, data/tinyshakespeare/input.txt),
looked for in data/; `--data.source tfds:tiny_shakespeare:train+validation+test` fetches it.

39 characters as one-hot vectors, windows of 100 one character apart, batch 32, dropout 0.2 before each layer with one
mask for all steps of a window (as Keras's GRU has it), Adam. Published for Keras after 10 epochs: validation loss
1.5477; an epoch is 31,367 steps.

One epoch took 13 min on 2 cores: validation loss 1.5390, 2.220 bits per character. (After 5,000 steps it was 1.671,
after 15,000 1.576.)
"""

from jaxseq.config import (
    AdamConfig,
    CorpusConfig,
    ExperimentConfig,
    LanguageModelingConfig,
    RNNConfig,
    TrainConfig,
)

config = ExperimentConfig(
    name="shakespeare_gru",
    task=LanguageModelingConfig(prompt="to be, or not to be", sample_length=400, temperature=0.5),
    data=CorpusConfig(
        source="data/tinyshakespeare/input.txt",
        normalize=("lowercase",),
        split=(0.9, 0.1, 0.0),
        layout="windows",
        length=100,
        shift=1,
        batch_size=32,
    ),
    model=RNNConfig(cell="gru", features=128, layers=2, input_dropout=0.2, dropout=0.2, variational=True),
    optimizer=AdamConfig(learning_rate=1e-3),
    train=TrainConfig(epochs=1, log_every=500, evaluate_every=5000, checkpoint_every=5000),
)
