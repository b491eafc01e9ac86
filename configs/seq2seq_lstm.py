"""Image captions from German to English, by an LSTM that reads and one that goes on where it ended (Sutskever et al.
2014): all of a sentence passes through one carry. Sources are read from the last word to the first.

    python3 train.py configs/seq2seq_lstm.py

The captions, pieces and batches of configs/seq2seq_attention.py, 6.2 million parameters, 12 epochs, 34 min on one core
by its speed. sacreBLEU, lower-cased: 22.86 on test_2016_flickr, 17.81 on test_2017_flickr (seed 0, beam 5), where the
decoder that looks at its source has 37.57 and 33.55: what goes through one carry becomes fluent captions of something
else. BLEU of the validation split, greedy, is 10.9, 13.1, 20.1 and 20.9 after 1, 2, 8 and 12 epochs.
"""

from jaxseq.config import AdamConfig, ExperimentConfig, PairsConfig, Seq2SeqConfig, TrainConfig, TranslationConfig

config = ExperimentConfig(
    name="seq2seq_lstm",
    task=TranslationConfig(label_smoothing=0.1, lowercase=True, longest=80),
    data=PairsConfig(
        source="data/multi30k/train.de*",
        target="data/multi30k/train.en*",
        validation_source="data/multi30k/val.de*",
        validation_target="data/multi30k/val.en*",
        test_source="data/multi30k/test_*_flickr.de*",
        test_target="data/multi30k/test_*_flickr.en*",
        split=(1.0, 0.0, 0.0),
        normalize=("lowercase",),
        tokenizer="bpe",
        pieces=4_000,
        joint=True,
        reverse_source=True,
        batch_size=64,
        lengths=6,
    ),
    model=Seq2SeqConfig(features=512, embedding=256, input_dropout=0.3, output_dropout=0.3),
    optimizer=AdamConfig(learning_rate=2e-3, schedule="cosine", final_fraction=0.02, clip_norm=1.0),
    train=TrainConfig(epochs=12, metric="bleu", log_every=100),
)
