import math
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.ops.positions import angles, rotary_factors, rotate, sinusoidal

PI = Fraction(31415926535897932384626433832795028842, 10**37)


def test_sinusoidal_codes_follow_the_published_formula():
    positions, features = np.arange(500), 10
    phase = positions[:, None] / 10_000.0 ** (np.arange(5) * 2 / features)
    expected = np.concatenate([np.sin(phase), np.cos(phase)], axis=-1)
    np.testing.assert_allclose(sinusoidal(jnp.asarray(positions), features), expected, atol=2e-6)


def test_an_odd_width_has_one_sine_more_than_cosines():
    assert sinusoidal(jnp.arange(3), 5).shape == (3, 5)


def test_rotation_follows_the_published_formula():
    x = np.random.default_rng(0).normal(size=(1, 40, 2, 6)).astype(np.float32)
    phase = np.arange(40)[:, None] / 10_000.0 ** (np.arange(3) / 3)
    pairs = (x[..., :3] + 1j * x[..., 3:]) * np.exp(1j * phase)[None, :, None]
    expected = np.concatenate([pairs.real, pairs.imag], axis=-1)
    np.testing.assert_allclose(rotate(x, rotary_factors(jnp.arange(40)[None], 6)), expected, atol=2e-6)


@settings(deadline=None, max_examples=50)
@given(start=st.integers(0, 2**31 - 200), distance=st.integers(0, 100))
def test_products_of_rotated_heads_depend_on_distance_alone_however_far_the_stream_is(start, distance):
    query, key = np.random.default_rng(0).normal(size=(2, 1, 1, 1, 8)).astype(np.float32)

    def product(position: int) -> float:
        turned = [
            rotate(x, rotary_factors(jnp.array([[at]]), 8)) for x, at in ((query, position + distance), (key, position))
        ]
        return float((turned[0] * turned[1]).sum())

    np.testing.assert_allclose(product(start), product(0), atol=5e-6)


@settings(deadline=None, max_examples=50)
@given(position=st.integers(-(2**31), 2**31 - 1) | st.integers(0, 1_000_000), count=st.sampled_from([1, 3, 32]))
def test_angles_are_exact_at_every_position(position, count):
    have = np.asarray(angles(jnp.array([position], jnp.int32), count), np.float64)[0]
    for i, angle in enumerate(have):
        # Integers in units of 2**-128 of a turn; the power has 53 bits, its sine and cosine are compared.
        frequency = Fraction(10_000.0 ** (-i / count))
        turns = position * frequency / (2 * PI) % 1
        wanted = float(turns) * 2 * math.pi
        assert abs(complex(math.cos(angle), math.sin(angle)) - complex(math.cos(wanted), math.sin(wanted))) < 1e-6


def test_angles_keep_their_steps_where_float32_products_do_not():
    far = 123_456_789
    step = np.diff(np.asarray(angles(jnp.array([far, far + 1]), 1), np.float64)[:, 0])
    np.testing.assert_allclose(step, 1.0, atol=1e-6)


def test_sinusoidal_codes_of_a_million_are_those_of_the_formula():
    position, features = 1_000_000, 128
    phase = np.longdouble(position) / np.longdouble(10_000) ** (np.arange(64) / np.longdouble(64))
    expected = np.concatenate([np.sin(phase), np.cos(phase)]).astype(np.float64)
    np.testing.assert_allclose(sinusoidal(jnp.array([position]), features)[0], expected, atol=1e-6)
