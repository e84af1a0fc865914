import numpy as np
import pytest

from neurodecode.core.raw import list_data_roots
from neurodecode.numerics.inter_subject import (
    average_agreement,
    correlate_with_others,
    expect_agreement,
)


def plant_subjects(gain, own, noise, n_samples, n_voxels, seed=0):
    """Subjects with a shared signal, a signal of their own, and noise."""
    rng = np.random.default_rng(seed)
    shape = (len(gain), n_samples, n_voxels)
    shared = rng.standard_normal(shape[1:])
    rest = np.sqrt(own)[:, None, None] * rng.standard_normal(shape)
    rest += np.sqrt(noise)[:, None, None] * rng.standard_normal(shape)
    return np.asarray(gain)[:, None, None] * shared + rest


CASES = [
    (np.ones(2), np.zeros(2), np.ones(2)),
    (np.ones(5), np.full(5, 0.5), np.full(5, 2.0)),
    (
        np.array([1.0, 0.5, 2.0, 0.2]),
        np.array([0.0, 1.0, 0.5, 0.5]),
        np.array([1.0, 2.0, 0.5, 3.0]),
    ),
]


@pytest.mark.parametrize(("gain", "own", "noise"), CASES)
@pytest.mark.parametrize("n_samples", [100, 1000])
def test_planted_agreement_is_recovered_and_covered(gain, own, noise, n_samples):
    truth = expect_agreement(gain, own, noise)
    n_voxels = 2000 if n_samples == 100 else 400
    data = plant_subjects(gain, own, noise, n_samples, n_voxels, seed=1)
    found = correlate_with_others(data)
    if n_samples == 1000:
        np.testing.assert_allclose(found.r.mean(axis=1), truth, atol=0.005)
    mean, bounds = average_agreement(found, np.arange(n_samples))
    wanted = np.tanh(np.arctanh(truth).mean())
    assert abs(mean.mean() - wanted) < 0.006
    assert 0.93 <= ((bounds.low <= wanted) & (wanted <= bounds.high)).mean() <= 0.97


def test_it_is_no_noise_ceiling():
    """Signal of a subject's own: the ceiling of r is 0.82, what subjects share is 0.41 at most."""
    gain, own, noise = np.full(50, 0.5), np.full(50, 0.75), np.full(50, 0.5)
    ceiling = np.sqrt((gain**2 + own) / (gain**2 + own + noise))
    assert ceiling[0] == pytest.approx(0.816, abs=1e-3)
    assert expect_agreement(gain, own, noise)[0] == pytest.approx(0.39, abs=0.02)
    few = expect_agreement(gain[:2], own[:2], noise[:2])[0]
    assert few == pytest.approx(0.25 / 1.5)


def test_influence_is_what_leaving_a_sample_out_changes():
    data = plant_subjects(np.ones(3), np.ones(3), np.ones(3), 40, 4, seed=2)
    found = correlate_with_others(data)
    for left_out in (0, 21):
        without = correlate_with_others(np.delete(data, left_out, axis=1)).r
        change = np.arctanh(found.r) - np.arctanh(without)
        np.testing.assert_allclose(found.influence[:, left_out], change, atol=1e-9)


def test_constant_voxels_have_no_agreement():
    data = plant_subjects(np.ones(3), np.ones(3), np.ones(3), 40, 4, seed=3)
    data[1, :, 2] = 5.0
    found = correlate_with_others(data)
    assert np.isnan(found.r[1, 2]) and np.isfinite(found.r[0, 2])
    mean, bounds = average_agreement(found, np.arange(40))
    assert np.isnan(mean[2]) and np.isnan(bounds.low[2]) and np.isfinite(mean[[0, 1, 3]]).all()


@pytest.mark.real_data
def test_people_listening_to_alice_agree_in_temporal_cortex():
    """Brennan et al. 2016: 27 people, 6 regions; intervals leave out 30 s in turn."""
    folders = [root / "alice_fmri/6mm" for root in list_data_roots()]
    files = [file for folder in folders for file in sorted(folder.glob("s*-timecourses.txt"))]
    if not files:
        pytest.skip("real_data: alice_fmri is in none of the data folders")
    subjects = [v for f in files if np.ptp(v := np.loadtxt(f)) > 0]  # s33 is zeros
    data = np.stack(subjects)
    assert data.shape == (27, 362, 6)
    mean, bounds = average_agreement(correlate_with_others(data), np.arange(362) // 15)
    # LATL RATL LPTL LIPL LPreM LIFG
    np.testing.assert_allclose(mean[[0, 2, 3]], [0.32, 0.38, 0.275], atol=0.01)
    assert (bounds.low > 0.05).all() and (bounds.high < 0.5).all()
    assert mean.argmax() == 2
