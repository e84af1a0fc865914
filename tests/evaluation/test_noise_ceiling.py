import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.evaluation.noise_ceiling import NoiseCeiling
from tests.evaluation.evaluation_data import make_responses


def plant(n_repeats, n_stimuli=150, n_voxels=80, rho=0.5, seed=0):
    rng = np.random.default_rng(seed)
    signal = np.sqrt(rho) * rng.normal(size=(n_stimuli, n_voxels))
    noise = np.sqrt(1 - rho) * rng.normal(size=(n_repeats, n_stimuli, n_voxels))
    ids = np.tile([f"s{i}" for i in range(n_stimuli)], n_repeats)
    return make_responses((signal + noise).reshape(-1, n_voxels), ids), signal


@pytest.mark.parametrize("method", ["ncsnr", "split_half"])
@pytest.mark.parametrize("n_repeats", [2, 3])
def test_planted_ceilings(method, n_repeats):
    responses, signal = plant(n_repeats)
    options = {"method": method, "n_bootstrap": 20}
    single = NoiseCeiling(**options).run(responses)
    assert np.median(single.values) == pytest.approx(0.5, abs=0.03)
    mean = NoiseCeiling(n_averaged=None, **options).run(responses)
    expected = n_repeats * 0.5 / (1 + (n_repeats - 1) * 0.5)
    assert np.median(mean.values) == pytest.approx(expected, abs=0.03)
    # The true model's r² with the mean of the repeats is what the ceiling promises.
    averaged = responses.data.reshape(n_repeats, *signal.shape).mean(axis=0)
    r = [np.corrcoef(signal[:, v], averaged[:, v])[0, 1] for v in range(signal.shape[1])]
    assert np.median(np.square(r)) == pytest.approx(expected, abs=0.03)
    in_r = NoiseCeiling(scale="r", **options).run(responses)
    np.testing.assert_allclose(in_r.values**2, single.values)
    assert single.summary["low"][0] < 0.5 < single.summary["high"][0] + 0.02


def test_noise_has_no_ceiling_and_repeats_are_needed():
    responses, _ = plant(2, rho=0.0)
    assert np.median(NoiseCeiling(n_bootstrap=5).run(responses).values) < 0.05
    with pytest.raises(DataError, match="needs repeats"):
        NoiseCeiling().run(make_responses(np.zeros((5, 2))))
