"""numerics.confounds against planted confounds and nilearn.signal.clean."""

import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.numerics.confounds import (
    interpolate_scans,
    make_projection,
)
from neurodecode.numerics.drift import make_cosines, make_fast_cosines, make_polynomials

N, N_VOXELS, T_R = 120, 7, 2.0
ALL = np.ones(N, bool)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_planted_confounds_and_drift_are_gone_and_the_rest_is_what_it_was(rng):
    regressors = np.concatenate([make_polynomials(N, 2), rng.normal(size=(N, 4))], axis=1)
    clean = rng.normal(size=(N, N_VOXELS))
    clean -= regressors @ np.linalg.lstsq(regressors, clean, rcond=None)[0]
    dirty = clean + 500 + regressors @ rng.normal(scale=100, size=(7, N_VOXELS))
    residuals, mean = make_projection(regressors, ALL, "run").apply(dirty.astype(np.float64))
    np.testing.assert_allclose(residuals, clean, atol=1e-9)
    np.testing.assert_allclose(mean, dirty.mean(axis=0))


@pytest.mark.parametrize("drift", ["linear", "cosine"])
def test_as_nilearn_cleans(rng, drift):
    from nilearn.signal import clean

    signals = (rng.normal(size=(N, N_VOXELS)).cumsum(axis=0) + 1000).astype(np.float64)
    confounds = rng.normal(size=(N, 5)) * [1e-4, 1, 1, 1e3, 1] + [0, 0, 50, 0, 0]
    if drift == "linear":
        own = make_polynomials(N, 1)
        # nilearn detrends signals and confounds alike, then projects: for a straight line and
        # nothing else that is the same as doing it at once
        options = {"detrend": True, "filter": False}
    else:
        own = make_cosines(N, T_R, 128.0)
        options = {"detrend": False, "filter": "cosine", "high_pass": 1 / 128.0, "t_r": T_R}
    projection = make_projection(np.concatenate([own, confounds], axis=1), ALL, "run")
    residuals, _ = projection.apply(signals)
    reference = clean(signals, confounds=confounds, standardize=None, standardize_confounds=True,
                      **options)  # fmt: skip
    reference = reference - reference.mean(axis=0)
    np.testing.assert_allclose(residuals, reference, atol=1e-6 * np.abs(reference).max())


def test_censored_scans_are_left_out_as_in_nilearn(rng):
    from nilearn.signal import clean

    signals = rng.normal(size=(N, N_VOXELS)) + 10
    confounds = rng.normal(size=(N, 3))
    kept = ALL.copy()
    kept[[0, 17, 18, 60]] = False
    signals[~kept] += 1e4  # outliers must not reach the others
    residuals, _ = make_projection(confounds, kept, "run").apply(signals)
    reference = clean(signals, confounds=confounds, sample_mask=np.flatnonzero(kept), detrend=False,
                      standardize=None, standardize_confounds=True, filter=False,
                      extrapolate=False)  # fmt: skip
    reference = reference - reference.mean(axis=0)
    np.testing.assert_allclose(residuals[kept], reference, atol=1e-9)
    assert (np.abs(residuals[~kept]) > 5e3).all()


def test_one_step_after_the_other_brings_back_what_the_first_removed(rng):
    """Lindquist et al. 2019: the reason for doing it jointly."""
    drift = make_cosines(N, T_R, 100.0)
    confounds = rng.normal(size=(N, 2)).cumsum(axis=0)  # slow, like motion
    signals = drift @ rng.normal(size=(drift.shape[1], N_VOXELS)) * 10 + rng.normal(
        size=(N, N_VOXELS)
    )
    first, _ = make_projection(drift, ALL, "run").apply(signals)
    then, _ = make_projection(confounds, ALL, "run").apply(first)
    jointly, _ = make_projection(np.concatenate([drift, confounds], axis=1), ALL, "run").apply(
        signals
    )
    slow = drift[:, 1:] / np.linalg.norm(drift[:, 1:], axis=0)
    assert np.abs(slow.T @ jointly).max() < 1e-9
    assert np.abs(slow.T @ then).max() > 0.1


def test_low_pass_keeps_slow_and_removes_fast():
    times = (np.arange(N) + 0.5) * T_R
    slow, fast = np.cos(2 * np.pi * 0.05 * times), np.cos(2 * np.pi * 0.2 * times)
    basis = make_fast_cosines(N, T_R, 0.1)
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)
    residuals, _ = make_projection(basis, ALL, "run").apply(np.stack([slow, fast], axis=1))
    np.testing.assert_allclose(residuals[:, 0], slow - slow.mean(), atol=1e-9)
    np.testing.assert_allclose(residuals[:, 1], 0, atol=1e-9)


def test_columns_that_repeat_or_vanish_do_no_harm(rng):
    one = rng.normal(size=(N, 1))
    signals = rng.normal(size=(N, N_VOXELS))
    many = np.concatenate([one, 2 * one + 3, np.zeros((N, 2)), np.full((N, 1), 7.0)], axis=1)
    projection = make_projection(many, ALL, "run")
    assert projection.basis.shape == (N, 1)
    np.testing.assert_allclose(
        projection.apply(signals)[0], make_projection(one, ALL, "run").apply(signals)[0], atol=1e-10
    )
    assert make_projection(np.zeros((N, 0)), ALL, "run").n_free == N - 1


def test_too_many_regressors_are_refused(rng):
    with pytest.raises(DataError, match=r"run-1: 118 regressors .* leaves 1 degrees of freedom"):
        make_projection(rng.normal(size=(N, 118)), ALL, "run-1")
    kept = np.arange(N) < 20
    with pytest.raises(DataError, match="20 scans"):
        make_projection(rng.normal(size=(N, 17)), kept, "run")
    assert make_projection(rng.normal(size=(N, 16)), kept, "run").n_free == 3


def test_a_large_mean_in_single_precision_costs_no_digits(rng):
    noise = rng.normal(size=(N, N_VOXELS))
    regressors = rng.normal(size=(N, 2)) + 1e6
    residuals, _ = make_projection(regressors, ALL, "run").apply((noise + 1e4).astype(np.float32))
    expected, _ = make_projection(regressors - 1e6, ALL, "run").apply(noise)
    np.testing.assert_allclose(residuals, expected, atol=2e-3)  # what float32 holds of 1e4


def test_interpolation_is_straight_and_level_at_the_ends(rng):
    times = np.arange(10) * T_R
    line = (3 * times + 1)[:, None]
    kept = np.ones(10, bool)
    kept[[0, 3, 4, 9]] = False
    broken = line.copy()
    broken[~kept] = -99
    out = interpolate_scans(broken, kept, times)
    np.testing.assert_allclose(out[1:9], line[1:9])
    assert out[0, 0] == line[1, 0]
    assert out[9, 0] == line[8, 0]
