import numpy as np
import pytest

from neurodecode.numerics.lag import (
    Part,
    compare_lags,
    make_shifted_regressors,
    score_lags,
    sum_parts,
)
from neurodecode.numerics.simulation_time import compute_hrf, make_ar1_noise

SHIFTS = np.arange(-12, 12.1, 1.0)
NONE = 12


def test_regressors_are_the_hrf_at_each_onset_moved():
    times = np.arange(100) * 2.0
    onsets, conditions = np.array([10.0, 50.3, 120.7]), np.array([0, 1, 0])
    for duration in (0.0, 12.0):
        made = make_shifted_regressors(
            onsets, np.full(3, duration), conditions, times, np.array([0.0, -5.0]), n_conditions=2
        )
        for number, shift in enumerate((0.0, -5.0)):
            for condition in (0, 1):
                own = onsets[conditions == condition] + shift
                exact = sum(compute_hrf(times - t, duration_s=duration) for t in own)
                exact = exact * (duration or 1.0)
                worst = np.abs(made[number, :, condition] - exact).max()
                assert worst < 0.02 * exact.max()


def test_without_an_hrf_they_are_boxcars():
    times = np.arange(20) * 1.0
    made = make_shifted_regressors(
        np.array([5.0]),
        np.array([4.0]),
        np.array([0]),
        times,
        np.zeros(1),
        n_conditions=1,
        hrf=False,
    )
    np.testing.assert_allclose(made[0, :, 0], (times >= 5) & (times < 9))


def test_r_is_that_of_least_squares_on_the_other_parts():
    rng = np.random.default_rng(0)
    parts = [Part(rng.normal(size=(1, 40, 3)), rng.normal(size=(40, 6))) for _ in range(3)]
    found = score_lags(sum_parts(parts), n_best=6)
    for out in range(3):
        X = np.concatenate([p.X[0] - p.X[0].mean(0) for k, p in enumerate(parts) if k != out])
        Y = np.concatenate([p.Y - p.Y.mean(0) for k, p in enumerate(parts) if k != out])
        penalty = 1e-3 * np.trace(X.T @ X) / 3 * np.eye(3)
        predicted = parts[out].X[0] @ np.linalg.solve(X.T @ X + penalty, X.T @ Y)
        r = [np.corrcoef(predicted[:, v], parts[out].Y[:, v])[0, 1] for v in range(6)]
        assert found[out, 0] == pytest.approx(np.tanh(np.arctanh(r).mean()), abs=1e-9)


def simulate(lag_s, seed, n_runs=6, n_voxels=40, effect=1.0):
    """Return parts whose responses come ``lag_s`` later than the events say."""
    rng = np.random.default_rng(seed)
    times, parts = np.arange(120) * 2.0, []
    weights = effect * rng.normal(size=(2, n_voxels))
    for _ in range(n_runs):
        onsets = np.sort(rng.uniform(5, 220, 24))
        listed = make_shifted_regressors(
            onsets, np.zeros(24), np.arange(24) % 2, times, SHIFTS, n_conditions=2
        )
        true = make_shifted_regressors(
            onsets, np.zeros(24), np.arange(24) % 2, times, np.array([lag_s]), n_conditions=2
        )[0]
        parts.append(Part(listed, true @ weights + make_ar1_noise(120, n_voxels, 0.4, rng)))
    return parts


def compare(parts, n_bootstrap):
    return compare_lags(
        sum_parts(parts), SHIFTS, n_best=20, tolerance_s=3.0, n_bootstrap=n_bootstrap, seed=0
    )


@pytest.mark.parametrize("lag_s", [-6.0, 0.0, 4.0])
def test_a_planted_lag_is_found_with_an_interval_that_holds_it(lag_s):
    lag = compare(simulate(lag_s, seed=3), 500)
    assert lag.best_s == pytest.approx(lag_s, abs=1.0)
    assert lag.low_s <= lag_s <= lag.high_s
    assert (lag.p_gain < 0.05) == (lag_s != 0)
    assert lag.p_response < 0.05


def test_of_nothing_no_lag_is_claimed():
    """The claims that a refusal needs, over 40 recordings without any response."""
    claims, responses = 0, 0
    for seed in range(40):
        lag = compare(simulate(0.0, seed, effect=0.0), 20)
        responses += lag.p_response <= 0.05
        claims += lag.p_response <= 0.05 and lag.p_gain <= 0.05
    assert responses <= 6
    assert claims <= 4
