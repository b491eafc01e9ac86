"""Five-grams of words with interpolated modified Kneser-Ney smoothing, on WikiText-2.

    python3 train.py configs/ngram.py

The text is WikiText-2 (Merity et al. 2017), 2,088,628 words and line ends to train on, 33,278 distinct, looked for in
data/wikitext2/: wiki.train.tokens, wiki.valid.tokens and wiki.test.tokens, compressed or not. It is counted at once:
validation perplexity 232.5, test 217.8, in 14 s with all that a run does. docs/ngrams.md has other n. What a neural
model knows beside it, `jaxseq mix runs/ngram runs/wikitext2_words` tells.

    python3 sample.py runs/ngram --prompt "the game was" --next 10
    jaxseq export runs/ngram wikitext2.arpa
"""

from jaxseq.config import CorpusConfig, ExperimentConfig, LanguageModelingConfig, NGramConfig

config = ExperimentConfig(
    name="ngram",
    task=LanguageModelingConfig(prompt="the game was", sample_length=60),
    data=CorpusConfig(
        source="data/wikitext2/wiki.train.tokens*",
        validation_source="data/wikitext2/wiki.valid.tokens*",
        test_source="data/wikitext2/wiki.test.tokens*",
        tokenizer="word",
        split=(1.0, 0.0, 0.0),
        layout="rows",
        length=35,
        batch_size=20,
    ),
    model=NGramConfig(order=5),
)
