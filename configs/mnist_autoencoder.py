"""Handwritten digits through a code of 64 numbers and back: convolutions, max-pooling and nearest upsampling.

    python3 train.py configs/mnist_autoencoder.py

MNIST, in data/mnist/, of which 5,000 digits are kept for validation; 16, 8 and 4 filters of 3 x 3, three
max-poolings, 50 epochs of Adadelta with batches of 256, in 4 min 20 s of one core. Cross-entropy of the 10,000 digits
to test, in nats a pixel, over seeds 0 to 2: 0.1176 ± 0.0041; no code can have less than 0.0584. A code of 128 numbers
has 0.0901 ± 0.0006 by Adam:

    python3 train.py configs/mnist_autoencoder.py --model.filters 16 8 8 --data.batch-size 128 --optimizer.kind adam \\
        --optimizer.learning-rate 5e-3 --optimizer.schedule cosine --optimizer.final-fraction 0.01

(published, "Building Autoencoders in Keras", 2016: 0.094 by Adadelta, for which `--model.filters 16 8 8
--data.batch-size 128 --data.validation 0` comes to 0.1003; seed 0). All figures, and other ways back up:
docs/autoencoders.md.
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
