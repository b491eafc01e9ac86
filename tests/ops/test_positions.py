import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.ops.positions import angles, rotary_factors, rotate, sinusoidal


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


def test_angles_stay_exact_where_float32_products_do_not():
    far = 123_456_789
    assert abs(float(angles(jnp.array(far), 1)[0]) - far % (2 * np.pi)) < 0.2  # the frequency itself, to 2**-33 turns
    step = np.diff(np.asarray(angles(jnp.array([far, far + 1]), 1), np.float64)[:, 0])
    np.testing.assert_allclose(step, 1.0, atol=1e-6)
