"""Whether a picture of 1920 x 1080 shows a hand: one convolution and one linear unit.

    python3 train.py configs/hand_detector.py

A convolution of 16 filters of 5 x 5 with stride 5 and no bias has 1,200 parameters, the unit behind its 216 x 384 x
16 numbers 1,327,104 (`jaxseq summary configs/hand_detector.py`). 4,000 made-up pictures, drawn as they are needed,
take 2 min 30 s of one core. Of 400 others 89.3 ± 1.8 % are told right, over seeds 0 to 2: by colour, for no filter
sees more than 5 x 5 pixels. What other forms cost: docs/convolution-costs.md.
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
