"""How wide a model is to be that has a given number of parameters, whatever its vocabulary."""

_WIDEST = 2048
_MOST_APART = 8
"""How much an embedding may be narrower or wider than the state behind it."""
_NEAR = 0.005
"""Share of the number of parameters that is as good as none."""


def classifier_parameters(vocabulary: int, embedding: int, state: int) -> int:
    """Of an embedding, an LSTM each way, and one logit of their outputs' maximum and mean."""
    return vocabulary * embedding + 2 * _lstm(embedding, state) + 4 * state + 1


def language_model_parameters(vocabulary: int, width: int) -> int:
    """Of an embedding, which is the output layer too, and an LSTM as wide."""
    return vocabulary * width + _lstm(width, width)


def classifier_widths(vocabulary: int, *, parameters: int) -> tuple[int, int]:
    """Those of embedding and state whose classifier has nearly so many parameters: as alike as that allows."""

    def key(widths: tuple[int, int]) -> tuple[bool, int, int]:
        off = abs(classifier_parameters(vocabulary, *widths) - parameters)
        return off > _NEAR * parameters, abs(widths[0] - widths[1]), off

    apart = range(-_MOST_APART, _MOST_APART + 1)
    return min(((state + more, state) for state in range(1, _WIDEST) for more in apart if state + more > 0), key=key)


def language_model_width(vocabulary: int, *, parameters: int) -> int:
    """That whose language model has nearest to so many parameters."""
    return min(range(1, _WIDEST), key=lambda width: abs(language_model_parameters(vocabulary, width) - parameters))


def _lstm(inputs: int, state: int) -> int:
    """Four gates with one bias each."""
    return 4 * state * (inputs + state + 1)
