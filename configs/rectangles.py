"""Wide rectangles and tall ones by their four corners, told apart by 13 parameters.

    python3 train.py configs/rectangles.py

A linear layer 2 -> 3 with a leaky ReLU and 3 -> 1 on each corner, and 4 -> 1 on what comes out, without biases. Corners
come from any of the four on and either way round. Not measured to its end yet.
"""

from jaxseq.config import (
    AdamConfig,
    CornersConfig,
    ExperimentConfig,
    RecognitionConfig,
    RectanglesConfig,
    TrainConfig,
)

config = ExperimentConfig(
    name="rectangles",
    task=RecognitionConfig(),
    data=RectanglesConfig(examples=10_000, held_out=2_000, batch_size=64),
    model=CornersConfig(points=(3, 1)),
    optimizer=AdamConfig(learning_rate=0.1, schedule="cosine", final_fraction=0.1),
    train=TrainConfig(steps=6000, log_every=500, evaluate_every=3000, checkpoint_every=3000, steps_per_dispatch=100),
)
