import numpy as np
import pytest
from scipy import stats

from neurodecode.numerics.statistics import control_fdr, count_p
from neurodecode.numerics.tails import compute_tail_p, fit_pareto, measure_misfit


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.3])
def test_a_planted_pareto_tail_is_found(shape):
    rng = np.random.default_rng(0)
    excess = np.sort(stats.genpareto(shape, scale=2.0).rvs((5000, 20), random_state=rng), axis=0)
    found, scale = fit_pareto(excess)
    np.testing.assert_allclose(found, shape, atol=0.09)
    np.testing.assert_allclose(scale, 2.0, rtol=0.1)


def test_misfit_is_five_per_cent_where_the_tail_is_pareto_and_large_where_not():
    rng = np.random.default_rng(1)
    null = rng.exponential(size=(1000, 400))  # its tail is Pareto of shape 0, exactly
    fitted = compute_tail_p(null, np.full(400, 9.0))[1]
    assert fitted.mean() > 0.95
    steps = np.round(rng.normal(size=(1000, 50)), 1)  # ties: no density
    excess = np.sort(steps, axis=0)[-100:] - np.sort(steps, axis=0)[-101]
    with np.errstate(invalid="ignore", divide="ignore"):
        misfit = measure_misfit(np.maximum(excess, 0), *fit_pareto(excess))
    assert (misfit > 1.0).mean() > 0.9


def test_extrapolation_is_right_for_exponential_tails_and_careful_for_normal_ones():
    rng = np.random.default_rng(2)
    p, _ = compute_tail_p(rng.exponential(size=(1000, 500)), np.full(500, 12.0))
    # shapes below 0 count as 0, those above stay: on average too large rather than too small
    assert np.exp(-12) / 2 < np.median(p) < 20 * np.exp(-12)
    normal = rng.normal(size=(1000, 500))
    p, fitted = compute_tail_p(normal, np.full(500, 5.0))
    truth = stats.norm.sf(5.0)
    assert fitted.mean() > 0.9
    assert (p > truth).mean() > 0.97
    assert np.median(p) < 1e-4  # ten times less than counting can say


def test_counted_where_counting_will_do_or_no_tail_fits():
    rng = np.random.default_rng(3)
    null = rng.normal(size=(1000, 3))
    observed = np.array([0.0, 2.0, np.nan])
    p, fitted = compute_tail_p(null, observed)
    np.testing.assert_allclose(p[:2], count_p(null, observed)[:2])
    assert not fitted.any()
    assert np.isnan(p[2])
    few = rng.normal(size=(100, 2))  # ten above the threshold: too few for a fit
    assert compute_tail_p(few, np.full(2, 9.0))[0].tolist() == [1 / 101] * 2
    constant = np.zeros((1000, 1))
    assert compute_tail_p(constant, np.ones(1))[0].tolist() == [1 / 1001]


def test_fitted_tails_pass_a_correction_that_counting_cannot():
    rng = np.random.default_rng(4)
    n, planted = 20_000, 10
    null = rng.normal(size=(1000, n)).astype(np.float32)
    observed = rng.normal(size=n)
    observed[:planted] = 8.0
    fitted, counted = (
        control_fdr(compute_tail_p(null, observed)[0]),
        control_fdr(count_p(null, observed)),
    )
    assert (fitted[:planted] < 0.05).all()
    assert (fitted[planted:] < 0.05).sum() <= 1  # of 11 found
    assert (counted[:planted] > 0.05).all()
