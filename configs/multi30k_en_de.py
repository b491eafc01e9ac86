"""Image captions from English to German, by the Transformer of configs/multi30k_transformer.py the other way round.

    python3 train.py configs/multi30k_en_de.py

sacreBLEU, lower-cased: 38.41 on test_2016_flickr, 30.12 on test_2017_flickr (seed 0, beam 5), after an hour of one
core's time. On Moses tokens (`python3 -m benchmarks.tokenized_bleu`) it is 38.41 on the former too; published for a
Transformer of this size, with the last ten checkpoints averaged, is 41.02 (Wu et al. 2021). BLEU of the validation
split, greedy, is 25.3, 32.8, 35.7 and 36.6 after 1,500, 3,500, 5,000 and 8,000 steps.
"""

from jaxseq.config import (
    AdamConfig,
    ExperimentConfig,
    PairsConfig,
    Seq2SeqTransformerConfig,
    TrainConfig,
    TranslationConfig,
)

config = ExperimentConfig(
    name="multi30k_en_de",
    task=TranslationConfig(label_smoothing=0.1, lowercase=True, longest=80),
    data=PairsConfig(
        source="data/multi30k/train.en*",
        target="data/multi30k/train.de*",
        validation_source="data/multi30k/val.en*",
        validation_target="data/multi30k/val.de*",
        test_source="data/multi30k/test_*_flickr.en*",
        test_target="data/multi30k/test_*_flickr.de*",
        split=(1.0, 0.0, 0.0),
        normalize=("lowercase",),
        tokenizer="bpe",
        pieces=8_000,
        joint=True,
        batch_tokens=4096,
        lengths=8,
    ),
    model=Seq2SeqTransformerConfig(features=128, layers=4, heads=4, mlp_ratio=2, dropout=0.3),
    optimizer=AdamConfig(learning_rate=2e-3, schedule="cosine", final_fraction=0.02, warmup_steps=800, b2=0.98),
    train=TrainConfig(steps=8_000, evaluate_every=500, checkpoint_every=500, metric="bleu"),
)
