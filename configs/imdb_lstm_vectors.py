"""Film reviews by trained word vectors, left as they are, an LSTM and a linear layer over all of its steps."""

from jaxseq.config import ClassificationConfig, ExperimentConfig, LabelledConfig, RMSpropConfig, RNNConfig, TrainConfig

config = ExperimentConfig(
    name="imdb_lstm_vectors",
    task=ClassificationConfig(
        pooling=("flatten",),
        dropout=0.2,
        vectors="data/word_vectors/glove.6B.50d.top40000.txt.xz",
        vocabulary="vectors",
        freeze_vectors=True,
    ),
    data=LabelledConfig(
        source="data/aclImdb/aclImdb*",
        normalize=("breaks_to_spaces", "lowercase"),
        splitter="treebank",
        unknown="drop",
        length=400,
        validation=0.2,
        batch_size=32,
    ),
    model=RNNConfig(cell="lstm", features=50, embedding=50),
    optimizer=RMSpropConfig(learning_rate=1e-3),
    train=TrainConfig(epochs=2, log_every=100, metric="accuracy"),
)
