"""Handwritten digits through a code of 64 numbers and back up by max-unpooling, or in other ways.

    python3 train.py configs/mnist_autoencoder_unpool.py

Otherwise as mnist_autoencoder. Not measured to its end yet but for a code of 128 numbers (`--model.filters 16 8 8
--model.upsampling nearest --model.decoder-padding same same valid`): a loss of 0.1038 on the 10,000 test digits after
50 epochs (published, with batches of half the size and 5,000 digits more to train on: 0.094).
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
    name="mnist_autoencoder_unpool",
    task=AutoencodingConfig(),
    data=DigitsConfig(source="data/mnist", batch_size=256),
    model=AutoencoderConfig(filters=(16, 8, 4), upsampling="unpool", decoder_padding=("same",)),
    optimizer=AdadeltaConfig(learning_rate=1.0, decay=0.95, eps=1e-7),
    train=TrainConfig(epochs=50, log_every=0),
)
