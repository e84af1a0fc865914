import numpy as np
import pytest

from neurodecode.numerics import simulation_subject as sim


@pytest.mark.parametrize("variability", [0.0, 0.5, 1.0])
def test_subjects_share_what_variability_leaves(variability):
    shared = np.random.default_rng(0).standard_normal(20000)
    a, b = (sim.vary(shared, variability, np.random.default_rng(k)) for k in (1, 2))
    assert a.std() == pytest.approx(1, abs=0.03)
    assert np.corrcoef(a, b)[0, 1] == pytest.approx(1 - variability**2, abs=0.03)


@pytest.mark.parametrize("n", [100, 101])
def test_the_median_ceiling_is_the_one_asked_for(n):
    values = np.random.default_rng(0).standard_normal(n)
    ceilings = sim.spread_ceilings(0.3, 0.5, values)
    assert np.median(ceilings) == pytest.approx(0.3, abs=1e-4)
    assert (np.argsort(ceilings) == np.argsort(values)).all()
    assert np.std(np.log(ceilings / (1 - ceilings))) == pytest.approx(0.5, abs=0.02)
    np.testing.assert_allclose(sim.spread_ceilings(0.3, 0.0, values), 0.3)
    assert not sim.spread_ceilings(0.0, 0.5, values).any()


def test_fields_stay_in_their_half_and_in_sight():
    rng = np.random.default_rng(0)
    centres = rng.uniform(0, 2, (500, 2)) * [1, -1]
    moved = sim.move_fields(centres, 3 * rng.standard_normal((500, 2)), radius_deg=4.0)
    assert (moved[:, 0] >= 0).all()
    assert np.linalg.norm(moved, axis=1).max() <= 4 + 1e-9
    np.testing.assert_allclose(sim.move_fields(centres, np.zeros((500, 2)), 4.0), centres)
