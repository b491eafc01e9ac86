"""What an emoji is called, in English and in Korean, from pictures of 32 x 32.

    python3 train.py configs/emoji_captions.py

3,786 pictures with both captions, in data/emoji_captions/; combinations of a gesture and a tone of skin that training
never sees together are measured by themselves ("unseen"), beside some that it has seen. Not measured to its end yet.
"""

from jaxseq.config import (
    AdamConfig,
    CaptionerConfig,
    CaptioningConfig,
    CaptionsConfig,
    ExperimentConfig,
    TrainConfig,
)

config = ExperimentConfig(
    name="emoji_captions",
    task=CaptioningConfig(longest=60, beam=5, label_smoothing=0.1),
    data=CaptionsConfig(
        source="data/emoji_captions/images.zip",
        captions="data/emoji_captions/captions.tsv",
        languages=("english", "korean"),
        splitter="whitespace",
        combinations="english",
        split=(0.8, 0.1, 0.1),
        batch_size=64,
        lengths=3,
    ),
    model=CaptionerConfig(
        filters=(32, 64, 96, 96), poolings=2, features=256, embedding=128, picture_dropout=0.2, output_dropout=0.3
    ),
    optimizer=AdamConfig(learning_rate=2e-3, schedule="cosine", final_fraction=0.02, warmup_steps=100, clip_norm=1.0),
    train=TrainConfig(epochs=20, metric="chrf", log_every=50),
)
