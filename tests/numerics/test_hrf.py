import numpy as np
import pytest
from scipy.integrate import quad

from neurodecode.numerics.hrf import (
    GLOVER,
    MODELS,
    SPM,
    compute_impulse_response,
    differentiate_dispersion,
    differentiate_time,
    integrate_response,
    respond_to_events,
)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_an_impulse_response_has_area_one(name):
    hrf = MODELS[name]
    area, _ = quad(
        lambda t: float(compute_impulse_response(np.array([t]), hrf)[0]), 0, 80, limit=200
    )
    assert area == pytest.approx(1, abs=1e-6)
    for end in (3.0, 8.0, 20.0):
        part, _ = quad(lambda t: float(compute_impulse_response(np.array([t]), hrf)[0]), 0, end)
        assert integrate_response(np.array([end]), hrf)[0] == pytest.approx(part, abs=1e-8)


def test_spm_peaks_at_five_seconds_and_undershoots():
    times = np.arange(0, 32, 0.01)
    response = compute_impulse_response(times, SPM)
    assert times[response.argmax()] == pytest.approx(5.0, abs=0.05)
    assert 14 < times[response.argmin()] < 17
    assert compute_impulse_response(times, GLOVER).min() < response.min() < 0


@pytest.mark.parametrize(("name", "theirs"), [("spm", "spm"), ("glover", "glover")])
def test_regressors_are_those_of_nilearn(name, theirs):
    from nilearn.glm.first_level import compute_regressor

    times = np.arange(0, 120, 2.0)
    onsets, durations = np.array([3.3, 20.0, 51.7, 80.1]), np.array([4.0, 1.0, 10.0, 2.5])
    amplitudes = np.array([1.0, 2.0, 0.5, -1.0])
    reference, _ = compute_regressor(
        np.stack([onsets, durations, amplitudes]), theirs, times, oversampling=200, min_onset=-24
    )
    ours = respond_to_events(times, onsets, durations, MODELS[name]) @ amplitudes
    assert np.abs(ours - reference[:, 0]).max() < 0.01 * np.abs(ours).max()


def test_derivatives_are_those_of_nilearn():
    from nilearn.glm.first_level import compute_regressor

    times = np.arange(0, 80, 1.0)
    onsets, durations = np.array([4.0, 30.0]), np.array([3.0, 8.0])
    reference, _ = compute_regressor(
        np.stack([onsets, durations, np.ones(2)]), "spm + derivative + dispersion", times,
        oversampling=100,
    )  # fmt: skip
    functions = (respond_to_events, differentiate_time, differentiate_dispersion)
    ours = [function(times, onsets, durations).sum(axis=1) for function in functions]
    for k in (1, 2):  # nilearn takes out of each what it shares with those before
        before = np.stack(ours[:k], axis=1)
        rest = ours[k] - before @ np.linalg.lstsq(before, ours[k], rcond=None)[0]
        assert np.corrcoef(rest, reference[:, k])[0, 1] > 0.999


def test_an_impulse_is_as_strong_as_a_second():
    times = np.arange(0, 40, 0.5)
    impulse = respond_to_events(times, np.array([2.0]), np.array([0.0]))
    second = respond_to_events(times, np.array([1.5]), np.array([1.0]))
    assert impulse.sum() == pytest.approx(second.sum(), rel=1e-3)
    assert np.abs(impulse - second).max() < 0.02 * impulse.max()


def test_stimulation_itself():
    times = np.array([0.0, 2.0, 4.0, 6.0])
    on = respond_to_events(
        times, np.array([1.0, 2.0, 3.0, 7.0]), np.array([3.0, 2.0, 0.0, 0.0]), None
    )
    assert on.T.tolist() == [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
