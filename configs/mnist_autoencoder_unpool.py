"""Handwritten digits through a code of 64 numbers and back up by max-unpooling, or in other ways.

    python3 train.py configs/mnist_autoencoder_unpool.py

Otherwise as mnist_autoencoder, in 6 min 40 s of one core. Cross-entropy of the 10,000 digits to test, in nats a pixel
(seed 0): 0.0766, from code and places (docs/autoencoders.md). By a bed of nails, `--model.upsampling
nails --model.decoder-padding same same valid`, 0.1255. From noise, `--task.noise 0.5 --model.filters 16 8 8
--model.upsampling nearest --model.decoder-padding same same valid`, with a code of 128 numbers, 0.1252.
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
