"""How long a recurrent layer takes on a GPU, forward and back, beside cuDNN's.

    python -m benchmarks.cudnn_lstm
    python -m benchmarks.cudnn_lstm --sizes 100x300x128 --rounds 3
    python -m benchmarks.cudnn_lstm --reference

One layer over [batch, time, features] float32, the gradient of the sum of its outputs by input, weights and first
state. "lstm" and "gru" are jaxseq's layers (`jaxseq.nn`), "lstm-cudnn" is cuDNN's LSTM as `jax.experimental.rnn` calls
it, on the same weights, and "torch-lstm" and "torch-gru" are PyTorch's layers, which call cuDNN as well. All take
turns; the median of the rounds in ms, and ours over theirs. Before that outputs are compared; without a GPU, or with
`--reference`, that is all, and JAX's reference in plain operations stands in for cuDNN.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import rnn

from jaxseq.nn import GRU, LSTM

SIZES = ("100x300x128", "32x100x128", "64x20x1024", "20x35x200")
"""Those of jamo_lstm, shakespeare_gru, lyrics_lstm and wikitext2_words: batch, time, features."""
CALLS = 20
"""Of a contestant in a round."""
TOLERANCE = 2e-3
"""Between outputs: matrix products may be TF32 on a GPU."""

Call = Callable[[], Any]
"""Works once, and gives what can be waited for."""


def cudnn_weights(params: dict[str, Any]) -> jax.Array:
    """The one flat array that cuDNN takes, from the parameters of a `jaxseq.nn.LSTM`: both kernels, output features
    first, then two biases, of which ours is the first and the second is zero."""
    bias = params["bias"]
    parts = (params["input_kernel"].T, params["recurrent_kernel"].T, bias, jnp.zeros_like(bias))
    return jnp.concatenate([part.ravel() for part in parts])


def cudnn_lstm(x: jax.Array, params: dict[str, Any], *, reference: bool) -> jax.Array:
    """Outputs [b, t, f] of cuDNN's LSTM on x [b, t, d], from zero states."""
    batch, length, width = x.shape
    features = params["recurrent_kernel"].shape[0]
    zeros = jnp.zeros((1, batch, features), jnp.float32)
    lengths = jnp.full(batch, length, jnp.int32)
    weights = cudnn_weights(params)
    sizes = (width, features, 1)
    if reference:
        parts = rnn.unpack_lstm_weights(weights, *sizes, False)
        return rnn.lstm_ref(x, zeros, zeros, *parts, lengths, *sizes, 0.0, False)[0]
    return rnn.lstm(x, zeros, zeros, weights, lengths, *sizes, 0.0, False)[0]


def differentiated(layer: Callable[[Any, jax.Array], jax.Array], params: Any, x: jax.Array) -> Call:
    """The gradient of the sum of outputs, compiled."""
    gradient = jax.jit(jax.grad(lambda params, x: layer(params, x).sum(), argnums=(0, 1)))
    return lambda: gradient(params, x)


def torch_call(kind: str, x: np.ndarray, features: int) -> Call | None:
    """The same by PyTorch on the GPU; None where there is no such PyTorch."""
    try:
        import torch
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    torch.set_float32_matmul_precision("high")
    module = getattr(torch.nn, kind.upper())(x.shape[-1], features, batch_first=True).cuda()
    given = torch.from_numpy(x).cuda().requires_grad_()

    def call() -> Any:
        module.zero_grad(set_to_none=True)
        given.grad = None
        module(given)[0].sum().backward()
        torch.cuda.synchronize()

    return call


def contestants(x: np.ndarray, features: int) -> dict[str, Call]:
    """By name, ours first."""
    found: dict[str, Call | None] = {}
    inputs = jnp.asarray(x)
    for kind, layer in (("lstm", LSTM(features)), ("gru", GRU(features))):
        params = layer.init(jax.random.key(0), inputs)
        found[kind] = differentiated(lambda params, x, layer=layer: layer.apply(params, x)[0], params, inputs)
        if kind == "lstm":
            own = params["params"]
            found["lstm-cudnn"] = differentiated(lambda params, x: cudnn_lstm(x, params, reference=False), own, inputs)
        found[f"torch-{kind}"] = torch_call(kind, x, features)
    return {name: call for name, call in found.items() if call is not None}


def furthest(x: np.ndarray, features: int, *, reference: bool) -> float:
    """The largest difference between outputs of our LSTM and cuDNN's on the same weights."""
    inputs, layer = jnp.asarray(x), LSTM(features)
    params = layer.init(jax.random.key(1), inputs)
    params["params"]["bias"] = jax.random.normal(jax.random.key(2), params["params"]["bias"].shape)
    ours = jax.jit(lambda params, x: layer.apply(params, x)[0])(params, inputs)
    theirs = jax.jit(lambda params, x: cudnn_lstm(x, params, reference=reference))(params["params"], inputs)
    return float(jnp.abs(ours - theirs).max())


def seconds(call: Call) -> float:
    """Of one call, the mean of some."""
    start = time.perf_counter()
    for _ in range(CALLS):
        result = call()
    jax.block_until_ready(result)
    return (time.perf_counter() - start) / CALLS


def measure(size: tuple[int, int, int], *, rounds: int) -> list[str]:
    """A line for each contestant."""
    batch, length, features = size
    x = np.random.default_rng(0).standard_normal((batch, length, features), np.float32)
    field = contestants(x, features)
    for call in field.values():  # compiles, and warms up
        seconds(call)
    times: dict[str, list[float]] = {name: [] for name in field}
    names = list(field)
    for at in range(rounds):
        for name in names[at % len(names) :] + names[: at % len(names)]:
            times[name].append(seconds(field[name]))
    lines = []
    for name, values in times.items():
        ours = times["gru" if name.endswith("gru") else "lstm"]
        ratio = statistics.median(a / b for a, b in zip(ours, values, strict=True))
        lines.append(f"{name:12} {statistics.median(values) * 1e3:8.3f} ms   ours / this {ratio:.3f}")
    return lines


def parsed_size(text: str) -> tuple[int, int, int]:
    """Batch, time and features, as "100x300x128"."""
    batch, length, features = map(int, text.split("x"))
    return batch, length, features


def main(argv: Sequence[str] | None = None) -> int:
    """Compares and times; returns the exit code, 1 where outputs differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=parsed_size, default=[parsed_size(size) for size in SIZES])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--reference", action="store_true", help="compare with JAX's reference, and time nothing")
    arguments = parser.parse_args(argv)
    reference = arguments.reference or jax.default_backend() != "gpu"
    for size in arguments.sizes:
        batch, length, features = size
        x = np.random.default_rng(0).standard_normal((batch, length, features), np.float32)
        apart = furthest(x, features, reference=reference)
        print(f"{batch} x {length} x {features}: outputs differ by {apart:.1e} at the most", flush=True)
        if not apart < TOLERANCE:
            print("these are not the same LSTM", file=sys.stderr)
            return 1
        if not reference:
            print("\n".join(measure(size, rounds=arguments.rounds)), flush=True)
    if reference:
        print("there is no GPU here, or the reference was asked for: nothing is timed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
