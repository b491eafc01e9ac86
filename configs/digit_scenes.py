"""What a made scene of handwritten digits shows, in English and in Korean: "a seven above a small three".

    python3 train.py configs/digit_scenes.py

Two digits of MNIST, in data/mnist/, in a picture; a convolutional encoder to a grid, a GRU with additive attention over
it (Xu et al. 2015). Where each digit lies is known, so that a run measures what a word looked at. Not measured to its
end yet.
"""

from jaxseq.config import (
    AdamConfig,
    CaptionerConfig,
    CaptioningConfig,
    DigitScenesConfig,
    ExperimentConfig,
    TrainConfig,
)

config = ExperimentConfig(
    name="digit_scenes",
    task=CaptioningConfig(longest=16, beam=3),
    data=DigitScenesConfig(digits=2, batch_size=16, lengths=1, examples=40_000),
    model=CaptionerConfig(filters=(16, 32, 64, 64), poolings=2, features=128, embedding=64, cell="gru"),
    optimizer=AdamConfig(learning_rate=2e-3, schedule="cosine", final_fraction=0.02, warmup_steps=100, clip_norm=1.0),
    train=TrainConfig(epochs=5, metric="exact", log_every=500, evaluate_every=0),
)
