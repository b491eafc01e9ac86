"""Verse a line at a time: two LSTM layers over words, each line from its start to its end.

    python3 train.py configs/lyrics_lstm.py

The data are a folder of text files, a line a sentence: here tiny Shakespeare (github.com/karpathy/char-rnn,
data/tinyshakespeare/input.txt), looked for in data/tinyshakespeare/; `--data.source FOLDER` reads another. Lines are
lower-cased, "?", ".", "!", "," and "¿" stand apart, everything else but letters is dropped; lines that are empty or end
in a colon are left out. 7,000 words with <unk>, <start> and <end>, and padding: a table of 7,001 rows. A line is read
up to 20 tokens.

    python3 sample.py runs/lyrics_lstm --prompt "i love" --greedy

After 5 epochs, 420 steps, validation loss 5.2455 a word, perplexity 189.7; at 1,370 tokens a second on 2 cores that is
13 min. Counting padding in, as means over padded batches do, it comes to 2.63: half of the cells are padding, which is
soon predicted without doubt. The well-known 2.2 of this model is a loss of that kind, in training, on other verse.
"""

from jaxseq.config import AdamConfig, ExperimentConfig, LanguageModelingConfig, LinesConfig, RNNConfig, TrainConfig

config = ExperimentConfig(
    name="lyrics_lstm",
    task=LanguageModelingConfig(prompt="i love", sample_length=20, temperature=0.8),
    data=LinesConfig(
        source="data/tinyshakespeare",
        normalize=("lowercase", "spaced_punctuation"),
        tokenizer="word",
        splitter="whitespace",
        max_words=6_997,
        headings=False,
        split=(0.9, 0.1, 0.0),
        length=20,
        batch_size=256,
    ),
    model=RNNConfig(cell="lstm", features=1024, layers=2, embedding=256),
    optimizer=AdamConfig(learning_rate=1e-3),
    train=TrainConfig(epochs=5, log_every=20, devices=1),
)
