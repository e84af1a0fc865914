import numpy as np
import pytest
from scipy.fft import dct
from scipy.stats import gamma

from neurodecode.numerics import simulation_time as sim


def test_canonical_hrf_is_the_published_formula():
    t = np.linspace(0, 32, 500)
    published = gamma.pdf(t, 6) - gamma.pdf(t, 16) / 6
    np.testing.assert_allclose(
        sim.compute_hrf(t), published / published.max(), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("peak_s", [3.0, 5.0, 7.3])
def test_hrf_peaks_when_stated(peak_s):
    t = np.arange(0, 32, 0.01)
    assert t[sim.compute_hrf(t, peak_s=peak_s).argmax()] == pytest.approx(peak_s, abs=0.1)


def test_a_lasting_stimulus_is_the_mean_over_its_duration():
    t = np.arange(-5, 30, 0.5)
    start = (np.arange(2000) + 0.5) / 2000 * 3
    mean = sim.compute_hrf(t[:, None] - start).mean(axis=1)
    np.testing.assert_allclose(sim.compute_hrf(t, duration_s=3.0), mean, atol=1e-5)
    assert not sim.compute_hrf(t[t <= 0], duration_s=3.0).any()


def test_bold_is_a_convolution_and_each_vertex_has_its_peak():
    rng = np.random.default_rng(0)
    onsets, step = np.array([2.0, 7.0, 13.5]), 0.01
    amplitudes, peaks = rng.standard_normal((3, 2)), np.array([4.0, 6.0])
    fine = np.arange(0, 40, step)
    scans = np.arange(0, 40, 2.0)
    bold = sim.simulate_bold(amplitudes, onsets, scans, peaks)
    for v in range(2):
        sticks = np.zeros(len(fine))
        sticks[np.round(onsets / step).astype(int)] = amplitudes[:, v]
        whole = np.convolve(sticks, sim.compute_hrf(fine, peak_s=peaks[v]))
        expected = whole[np.round(scans / step).astype(int)]
        np.testing.assert_allclose(bold[:, v], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("n_images", "n_repeats", "n_runs"), [(10, 2, 4), (3, 3, 7), (25, 3, 3), (2, 2, 4), (40, 1, 6)]
)
@pytest.mark.parametrize("within", [False, True])
def test_order_shows_each_image_as_often_as_asked(n_images, n_repeats, n_runs, within):
    runs = sim.order_presentations(n_images, n_repeats, n_runs, np.random.default_rng(0), within)
    assert len(runs) == n_runs
    lengths = [len(run) for run in runs]
    assert min(lengths) > 0
    assert max(lengths) - min(lengths) <= 1
    assert (np.bincount(np.concatenate(runs), minlength=n_images) == n_repeats).all()
    if not within:
        assert all(len(set(run.tolist())) == len(run) for run in runs)


def test_ar1_noise_has_variance_one_and_its_autocorrelation():
    noise = sim.make_ar1_noise(400, 500, 0.6, np.random.default_rng(0)).astype(np.float64)
    np.testing.assert_allclose(noise[0].var(), 1, atol=0.2)  # stationary from the start
    np.testing.assert_allclose(noise.var(), 1, atol=0.02)
    for lag in (1, 2, 3):
        assert (noise[lag:] * noise[:-lag]).mean() == pytest.approx(0.6**lag, abs=0.02)


def test_drift_is_slow_and_of_variance_one():
    drift = sim.make_drift(200, 2000, np.random.default_rng(0))
    np.testing.assert_allclose(drift.mean(axis=0), 0, atol=1e-5)
    assert drift.var(axis=0).mean() == pytest.approx(1, abs=0.05)
    power = (dct(drift, axis=0) ** 2).mean(axis=1)
    np.testing.assert_allclose(power[1:4] / power.sum(), 1 / 3, atol=0.03)
