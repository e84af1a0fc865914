import numpy as np
import pytest

from neurodecode.numerics.ceiling_intervals import jackknife, step_up
from neurodecode.numerics.noise_ceilings import estimate_reliability
from neurodecode.numerics.repeat_planning import plan_repeats, predict_interval
from tests.numerics.ceiling_data import plant_repeats


def test_the_repeats_planned_reach_the_ceiling():
    for rho in (0.05, 0.3, 0.8):
        for ceiling in (0.2, 0.5, 0.9):
            k = plan_repeats(np.array(rho), ceiling)
            assert step_up(np.array(rho), float(k)) == pytest.approx(ceiling)
    ncsnr = 0.7
    k = float(plan_repeats(np.array(ncsnr**2 / (1 + ncsnr**2)), 0.6))
    assert ncsnr**2 / (ncsnr**2 + 1 / k) == pytest.approx(0.6)
    assert plan_repeats(np.array([-0.1, 0.0, 1.0, np.nan]), 0.5).tolist()[:3] == [np.inf, np.inf, 0]


def test_the_interval_predicted_is_as_wide_as_those_measured():
    rho, n_stimuli, n_repeats = 0.2, 150, 4
    low, high = predict_interval(rho, n_stimuli, n_repeats)
    data, stimulus = plant_repeats(rho, n_repeats, n_stimuli, 1000, seed=1)
    found = estimate_reliability(data, stimulus, "ncsnr")
    bounds = jackknife(found.rho, found.influence, n_repeats)
    width = np.median(step_up(bounds.high, n_repeats) - step_up(bounds.low, n_repeats))
    assert high - low == pytest.approx(width, rel=0.05)
    assert low < step_up(np.array(rho), n_repeats) < high
