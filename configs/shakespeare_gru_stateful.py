"""The network of shakespeare_gru on contiguous rows, the carry kept from batch to batch.

    python3 train.py configs/shakespeare_gru_stateful.py
    python3 train.py configs/shakespeare_gru_stateful.py --data.batch-size 1 --name shakespeare_gru_stateful_1

The text is tiny Shakespeare, 1,115,394 characters (github.com/karpathy/char-rnn, data/tinyshakespeare/input.txt),
looked for in data/; `--data.source tfds:tiny_shakespeare:train+validation+test` fetches it.

32 rows (or 1), each read in order, 100 characters a batch, no shuffling; the carry is reset at the start of an epoch
only. What Keras calls `stateful=True`, where the batch size of training is that of sampling too: here samples are made
at batch 1 with the same parameters.

30 epochs on 32 rows, 9,390 steps, took 4 min 22 s on 2 cores: validation loss 1.5818, at best 1.5817, 2.282 bits per
character. On one row 3 epochs (`--train.epochs 3`), 30,114 steps, took 1 min 54 s: 1.6516.
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
    name="shakespeare_gru_stateful",
    task=LanguageModelingConfig(prompt="to be, or not to be", sample_length=400, temperature=0.5),
    data=CorpusConfig(
        source="data/tinyshakespeare/input.txt",
        normalize=("lowercase",),
        split=(0.9, 0.1, 0.0),
        layout="rows",
        length=100,
        batch_size=32,
    ),
    model=RNNConfig(cell="gru", features=128, layers=2, input_dropout=0.2, dropout=0.2, variational=True),
    optimizer=AdamConfig(learning_rate=1e-3),
    train=TrainConfig(epochs=30, log_every=100),
)
