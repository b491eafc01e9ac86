"""Whether a picture of 1920 x 1080 shows a hand: one convolution and one linear unit.

    python3 train.py configs/hand_detector.py

A convolution of 16 filters of 5 x 5 with stride 5 and no bias has 1,200 parameters, the unit behind its 216 x 384 x 16
numbers 1,327,104 (`jaxseq summary configs/hand_detector.py`). Pictures are made up. Not measured to its end yet.
"""

from jaxseq.config import (
    AdamConfig,
    DetectorConfig,
    ExperimentConfig,
    HandsConfig,
    RecognitionConfig,
    TrainConfig,
)

config = ExperimentConfig(
    name="hand_detector",
    task=RecognitionConfig(),
    data=HandsConfig(examples=4_000, held_out=400, batch_size=8),
    model=DetectorConfig(filters=(16,), kernel=5, stride=5),
    optimizer=AdamConfig(learning_rate=1e-4, schedule="cosine"),
    train=TrainConfig(epochs=1, log_every=50),
)
