"""Korean film reviews by the encoder of configs/nsmc_bert.py, tuned with few of the labels.

    python3 train.py configs/nsmc_bert_tuned.py

after what stands in configs/nsmc_bert.py, whose export it starts from. The data are the Naver sentiment movie corpus,
looked for in data/nsmc/; `--data.examples 10000` or 0, for all, takes more of the labels. The same network from
scratch, with the same tokenizer:

    python3 train.py configs/nsmc_bert_tuned.py --name nsmc_bert_scratch --task.weights "" \\
        --data.tokenizer-file nsmc_bert/tokenizer.json

The mean over all tokens, dropout, one logit; everything is trained. The checkpoint is chosen by the accuracy on 3,000
reviews beside those (`data.validation`).

Accuracy on the 50,000 reviews to test on, mean and deviation over seeds 0 to 2:

    labels                        tuned            from scratch
    1,000 (10 epochs)             76.12 ± 0.33 %   68.19 ± 0.63 %
    10,000 (--train.epochs 5)     81.47 ± 0.18 %   79.56 ± 0.14 %
    147,000 (--train.epochs 1)    85.24 ± 0.08 %   84.66 ± 0.03 %

4, 5 and 10 minutes on one core. The more labels, the less pretraining adds.
"""

from jaxseq.config import (
    AdamWConfig,
    ClassificationConfig,
    EncoderConfig,
    ExperimentConfig,
    LabelledConfig,
    TrainConfig,
)

config = ExperimentConfig(
    name="nsmc_bert_tuned",
    task=ClassificationConfig(weights="nsmc_bert", dropout=0.1),
    data=LabelledConfig(
        source="data/nsmc/ratings_*.txt*",
        text_column="document",
        validation=0.02,
        examples=1_000,
        tokenizer="wordpiece",
        delimit=True,
        length=64,
        lengths=4,
        batch_size=32,
    ),
    model=EncoderConfig(features=256, layers=3, heads=4, dropout=0.1),
    optimizer=AdamWConfig(learning_rate=2e-4, schedule="cosine", warmup_steps=100, weight_decay=0.01, clip_norm=1.0),
    train=TrainConfig(epochs=10, log_every=20, metric="accuracy"),
)
