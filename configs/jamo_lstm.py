"""Korean film reviews letter by letter: an LSTM over Hangul taken apart into jamo.

    python3 train.py configs/jamo_lstm.py

The text is a fifth of the reviews of the Naver sentiment movie corpus (github.com/e9t/nsmc), a review a line, 5,062,486
characters, looked for in data/nsmc/. Syllables become compatibility jamo, each followed by the mark ᴥ; embedding 128,
LSTM 128, 100 rows of 300 symbols a batch, the carry kept, Adam, a checkpoint every epoch. The sample is put together to
syllables again. The original of this experiment took 364 steps over 11 million symbols to a training loss of 2.4221.

13,864,509 symbols, 436 distinct; an epoch is 415 steps. 3 epochs took 3 min 37 s on 2 cores: training loss 1.987 after
360 steps; validation loss 1.922, 1.777 and 1.660 after the epochs, so 2.396 bits per symbol.
"""

from jaxseq.config import (
    AdamConfig,
    CorpusConfig,
    ExperimentConfig,
    LanguageModelingConfig,
    RNNConfig,
    TrainConfig,
)

config = ExperimentConfig(
    name="jamo_lstm",
    task=LanguageModelingConfig(prompt="이 영화는", sample_length=1000, temperature=0.7),
    data=CorpusConfig(
        source="data/nsmc/nsmc_reviews_lm.txt.xz",
        tokenizer="jamo",
        split=(0.9, 0.05, 0.05),
        layout="rows",
        length=300,
        batch_size=100,
    ),
    model=RNNConfig(cell="lstm", features=128, embedding=128),
    optimizer=AdamConfig(learning_rate=1e-3),
    train=TrainConfig(epochs=3, log_every=20),
)
