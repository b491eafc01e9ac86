"""The LSTM that cuDNN is given for comparison, by JAX's reference for it."""

import numpy as np

from benchmarks import cudnn_lstm


def test_the_weights_handed_to_cudnn_are_those_of_the_same_lstm():
    x = np.random.default_rng(0).standard_normal((3, 7, 5), np.float32)
    assert cudnn_lstm.furthest(x, 4, reference=True) < 1e-6


def test_without_a_gpu_values_are_compared_and_nothing_is_timed(capsys):
    assert cudnn_lstm.main(["--sizes", "2x3x4", "--reference"]) == 0
    said = capsys.readouterr().out
    assert "2 x 3 x 4: outputs differ by" in said
    assert "ms" not in said
