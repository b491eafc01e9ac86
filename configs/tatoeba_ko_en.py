"""Sentences from Korean to English (tatoeba.org; 5,749 pairs of manythings.org/anki), by a bidirectional encoder of
morphemes and a decoder of pieces that looks at it.

    python3 train.py configs/tatoeba_ko_en.py

kor.txt in data/tatoeba/: 5,220 pairs to train on, 247 and 282 to validate and test with, no sentence on two sides. 2.2
million parameters, 20 epochs, about 4 min on one core. sacreBLEU of the test split, lower-cased: 16.14, 16.77, 16.05 by
seeds 0 to 2 (beam 5). There are few texts to learn from: simple sentences come out right, others are made up.

What the source is cut into, all else alike (seed 0, validation, greedy, best of 20 epochs):

    morphemes                                                                12.1 (seeds 1 and 2: 12.9, 11.9)
    jamo (--data.source-tokenizer jamo --data.source-length 200)             10.2
    2,000 byte pairs (--data.source-tokenizer bpe --data.source-pieces 2000) 8.3
"""

from jaxseq.config import AdamConfig, ExperimentConfig, PairsConfig, Seq2SeqConfig, TrainConfig, TranslationConfig

config = ExperimentConfig(
    name="tatoeba_ko_en",
    task=TranslationConfig(label_smoothing=0.1, lowercase=True, longest=60),
    data=PairsConfig(
        source="data/tatoeba/kor.txt",
        source_column="2",
        target_column="1",
        normalize=("lowercase",),
        tokenizer="bpe",
        pieces=2_000,
        source_tokenizer="morpheme",
        source_min_count=2,
        batch_size=32,
        lengths=6,
    ),
    model=Seq2SeqConfig(
        features=256,
        embedding=128,
        bidirectional=True,
        attention="additive",
        use_scale=True,
        input_feeding=True,
        input_dropout=0.4,
        output_dropout=0.4,
    ),
    optimizer=AdamConfig(learning_rate=2e-3, schedule="cosine", final_fraction=0.02, clip_norm=1.0),
    train=TrainConfig(epochs=20, metric="bleu", log_every=100),
)
