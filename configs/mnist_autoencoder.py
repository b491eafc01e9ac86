"""Handwritten digits through a code of 64 numbers and back: convolutions, max-pooling and nearest upsampling.

    python3 train.py configs/mnist_autoencoder.py

MNIST, in data/mnist/, of which 5,000 digits are kept for validation; 16, 8 and 4 filters of 3 x 3, three max-poolings,
50 epochs of Adadelta with batches of 256. Not measured to its end yet.
"""

from jaxseq.config import (
    AdadeltaConfig,
    AutoencoderConfig,
    AutoencodingConfig,
    DigitsConfig,
    ExperimentConfig,
    TrainConfig,
)

config = ExperimentConfig(
    name="mnist_autoencoder",
    task=AutoencodingConfig(),
    data=DigitsConfig(source="data/mnist", batch_size=256),
    model=AutoencoderConfig(filters=(16, 8, 4), decoder_padding=("same", "same", "valid")),
    optimizer=AdadeltaConfig(learning_rate=1.0, decay=0.95, eps=1e-7),
    train=TrainConfig(epochs=50, log_every=0),
)
