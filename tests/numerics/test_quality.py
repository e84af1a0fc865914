import numpy as np
import pytest

from neurodecode.numerics.quality import (
    compute_displacement,
    compute_dvars,
    compute_tsnr,
    correlate_repeats,
    count_outliers,
    find_lifeless,
)
from neurodecode.numerics.simulation_time import make_ar1_noise


def test_displacement_is_powers_sum_with_arcs():
    motion = np.cumsum(np.random.default_rng(0).normal(scale=0.01, size=(20, 6)), axis=0)
    expected = [0.0]
    for k in range(1, 20):
        step = [abs(motion[k, c] - motion[k - 1, c]) * (50 if c > 2 else 1) for c in range(6)]
        expected.append(sum(step))
    np.testing.assert_allclose(compute_displacement(motion), expected)
    quarter = np.zeros((2, 6))
    quarter[1, 3] = np.pi / 2
    assert compute_displacement(quarter)[1] == pytest.approx(2 * np.pi * 50 / 4)


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_standardised_dvars_of_noise_is_one_whatever_its_autocorrelation(rho):
    noise = make_ar1_noise(400, 300, rho, np.random.default_rng(1)) * np.linspace(1, 3, 300) + 500
    dvars, standardised = compute_dvars(noise)
    assert dvars[0] == 0
    assert dvars[7] == pytest.approx(np.sqrt(((noise[7] - noise[6]) ** 2).mean()), rel=1e-5)
    # Nichols divides a root mean square by a mean over voxels of unequal sigma, hence above one
    unequal = np.sqrt((np.linspace(1, 3, 300) ** 2).mean()) / 2
    assert np.median(standardised[1:]) == pytest.approx(unequal, abs=0.03)
    noise[100] += 20
    assert compute_dvars(noise)[1][[100, 101]].min() > 5


def test_outliers_are_counted_as_afni_does():
    from scipy.stats import norm

    noise = np.random.default_rng(2).normal(size=(200, 500))
    assert count_outliers(noise).mean() < 1e-3
    noise[50, :200] += 12
    share = count_outliers(noise)
    assert share[50] == pytest.approx(0.4, abs=0.01)
    centre = np.median(noise[:, 0])
    mad = np.median(np.abs(noise[:, 0] - centre))
    limit = np.sqrt(np.pi / 2) * norm.ppf(1 - 0.001 / 200) * mad
    one = count_outliers(noise[:, :1])
    np.testing.assert_array_equal(one, (np.abs(noise[:, 0] - centre) > limit).astype(float))


def test_planted_tsnr_and_reliability_are_recovered():
    rng = np.random.default_rng(3)
    assert compute_tsnr(rng.normal(80, 2, size=(400, 300))) == pytest.approx(40, rel=0.02)
    assert np.isnan(compute_tsnr(rng.normal(0, 1, size=(50, 30))))
    signal = rng.normal(size=(300, 200))
    own, others = (signal + rng.normal(size=signal.shape) for _ in range(2))
    assert correlate_repeats(own, others) == pytest.approx(0.5, abs=0.03)
    assert np.isnan(correlate_repeats(own[:2], others[:2]))


def test_scans_without_life_are_found():
    scans = np.random.default_rng(4).normal(size=(8, 5))
    scans[2], scans[5], scans[7] = 0.0, 3.0, scans[6]
    assert np.flatnonzero(find_lifeless(scans)).tolist() == [2, 5, 7]
