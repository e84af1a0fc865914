import numpy as np
import pytest

from neurodecode.numerics.resampling import (
    make_box_weights,
    make_lanczos_weights,
    make_linear_weights,
)


def lanczos_by_definition(old, new, sfreq, lobes):
    weights = np.zeros((len(new), len(old)))
    for i, t in enumerate(new):
        for j, s in enumerate(old):
            x = sfreq * (t - s)
            if x == 0:
                weights[i, j] = 1
            elif abs(x) < lobes:
                weights[i, j] = lobes * np.sin(np.pi * x) * np.sin(np.pi * x / lobes)
                weights[i, j] /= np.pi**2 * x**2
    return weights


def test_lanczos_follows_its_definition():
    rng = np.random.default_rng(0)
    old, new = np.sort(rng.uniform(0, 30, 50)), np.arange(0, 30, 2.0)
    ours = make_lanczos_weights(old, new, 0.4, 3)
    np.testing.assert_allclose(ours, lanczos_by_definition(old, new, 0.4, 3), atol=1e-12)


def test_a_slow_signal_survives_and_a_fast_one_does_not():
    old, new = np.arange(0, 200, 0.1), np.arange(20, 180, 2.0)
    weights = make_lanczos_weights(old, new, 0.5, 3, normalize=True)
    slow, fast = (np.sin(2 * np.pi * f * old) for f in (0.02, 0.9))
    np.testing.assert_allclose(weights @ slow, np.sin(2 * np.pi * 0.02 * new), atol=0.02)
    assert np.abs(weights @ fast).max() < 0.02


def test_two_words_count_twice():
    new = np.arange(5.0)
    once = make_lanczos_weights(np.array([2.0]), new, 1.0) @ np.ones(1)
    twice = make_lanczos_weights(np.array([2.0, 2.0]), new, 1.0) @ np.ones(2)
    np.testing.assert_array_equal(twice, 2 * once)


def test_linear_is_that_of_numpy():
    rng = np.random.default_rng(1)
    old, new = np.sort(rng.uniform(0, 10, 8)), np.linspace(-1, 11, 40)
    values = rng.normal(size=8)
    np.testing.assert_allclose(make_linear_weights(old, new) @ values, np.interp(new, old, values))
    assert make_linear_weights(np.array([3.0]), new).tolist() == [[1.0]] * 40


@pytest.mark.parametrize("normalize", [False, True])
def test_boxes_sum_or_average(normalize):
    old = np.array([0.1, 0.9, 1.0, 1.9, 5.0])
    weights = make_box_weights(old, np.array([0.5, 1.5, 3.5]), 1.0, normalize=normalize)
    counts = weights @ np.ones(5)
    assert counts.tolist() == ([1, 1, 0] if normalize else [2, 2, 0])
