"""Film reviews from few labels: a bag of words that starts from the vectors of a language model.

    python3 train.py configs/bag_lm.py && jaxseq export runs/bag_lm vectors.npz
    python3 train.py configs/bag_transfer.py

The data are the Large Movie Review Dataset (Maas et al. 2011; ai.stanford.edu/~amaas/data/sentiment), looked for in
data/aclImdb/: 1,000 of the reviews to train on, `--data.examples 100` for fewer, and 25,000 to test. The words are
those of the vectors; `--task.freeze-vectors` leaves these as they are, and with `--task.vectors "" --task.vocabulary
texts` all is learned from the reviews. All three at 100, 1,000 and 20,000 reviews: `python3 -m benchmarks.transfer`.

Test accuracy with 1,000 reviews over seeds 0, 1 and 2: 81.16 %, standard deviation 0.75, by the best of 15 evaluations
on the 2,500 reviews of validation; 40 s each. Learned from the reviews alone: 81.78 %, 0.79. The vectors as they are:
57.62 %, 0.66. docs/classification.md has the whole table.
"""

from jaxseq.config import AdamConfig, BagConfig, ClassificationConfig, ExperimentConfig, LabelledConfig, TrainConfig

config = ExperimentConfig(
    name="bag_transfer",
    task=ClassificationConfig(pooling=("mean",), hidden=8, vectors="vectors.npz", vocabulary="vectors"),
    data=LabelledConfig(
        source="data/aclImdb/aclImdb*",
        normalize=("breaks_to_spaces", "lowercase"),
        splitter="words",
        max_words=2_000,
        examples=1_000,
        length=500,
        lengths=6,
    ),
    model=BagConfig(features=8),
    optimizer=AdamConfig(learning_rate=3e-3),
    train=TrainConfig(steps=1_500, log_every=100, evaluate_every=100),
)
