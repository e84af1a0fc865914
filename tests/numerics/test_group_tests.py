import numpy as np
import pytest
from nilearn.mass_univariate import permuted_ols
from scipy import stats

from neurodecode.numerics.group_tests import (
    compute_group_test,
    compute_t_p,
    estimate_prevalence,
    make_sign_flips,
)


def make_values(n_subjects=12, n_voxels=30, shift=0.0, seed=0):
    return shift + np.random.default_rng(seed).normal(size=(n_subjects, n_voxels))


@pytest.mark.parametrize("side", ["greater", "two_sided"])
def test_exact_flips_equal_scipy(side):
    values = make_values(7, 5, 0.4)
    found = compute_group_test(values, alternative=side, n_permutations=200)
    assert found.exact
    assert found.floor == (2 if side == "two_sided" else 1) / 128
    np.testing.assert_allclose(found.t, stats.ttest_1samp(values, 0).statistic)
    for v in range(5):
        theirs = stats.permutation_test(
            (values[:, v],), np.mean, permutation_type="samples", n_resamples=np.inf,
            alternative=side.replace("_", "-"),
        )  # fmt: skip
        assert found.p[v] == pytest.approx(theirs.pvalue)


def test_the_maximum_equals_nilearns():
    values = make_values(12, 20, 0.0, seed=1)
    values[:, :2] += 1.5
    ours = compute_group_test(values, alternative="two_sided", n_permutations=5000)
    theirs = permuted_ols(
        np.ones((12, 1)), values, model_intercept=False, n_perm=5000, verbose=0, random_state=0,
        output_type="dict",
    )  # fmt: skip
    np.testing.assert_allclose(ours.t, theirs["t"][0], rtol=1e-6)
    np.testing.assert_allclose(ours.p_max, 10 ** -theirs["logp_max_t"][0], atol=0.03)


def test_errors_are_held_and_effects_found():
    p = [compute_group_test(make_values(10, 1, seed=s), n_permutations=600).p[0]
         for s in range(400)]  # fmt: skip
    assert 0.025 <= np.mean(np.array(p) <= 0.05) <= 0.085
    family = [
        (compute_group_test(make_values(12, 20, seed=s), n_permutations=300).p_max <= 0.05).any()
        for s in range(200)
    ]
    assert 0.01 <= np.mean(family) <= 0.1
    assert (compute_group_test(make_values(12, 20, 2.5)).p_max < 0.05).all()


def test_subjects_without_a_value_leave_a_voxel_out():
    values = make_values(6, 3, 1.0)
    values[2, 1] = np.nan
    values[:, 2] = 0.5
    found = compute_group_test(values)
    for array in (found.t, found.p, found.p_max, compute_t_p(values)):
        assert np.isfinite(array).tolist() == [True, False, False]
    assert np.isfinite(found.mean).tolist() == [True, False, True]


def test_flips_are_drawn_where_there_are_many():
    signs, exact = make_sign_flips(30, 100, 0)
    assert signs.shape == (101, 30)
    assert not exact
    assert (signs[0] == 1).all()


@pytest.mark.parametrize(("k", "n", "alpha"), [(6, 10, 0.05), (1, 8, 0.2)])
def test_prevalence_is_that_of_the_posterior_by_a_grid(k, n, alpha):
    grid = np.linspace(0, 1, 200_001)
    theta = alpha + (1 - alpha) * grid
    density = theta**k * (1 - theta) ** (n - k)
    cumulative = np.cumsum(density) / density.sum()
    most_likely, bound = estimate_prevalence(np.array([k]), n, alpha)
    assert most_likely[0] == pytest.approx(grid[density.argmax()], abs=1e-4)
    assert bound[0] == pytest.approx(grid[np.searchsorted(cumulative, 0.05)], abs=1e-4)
    assert estimate_prevalence(np.array([0]), 10)[0][0] == 0


def test_the_bound_of_the_prevalence_covers_a_planted_one():
    rng, alpha = np.random.default_rng(0), 0.05
    truth = rng.uniform(size=4000)  # the prior; then the bound lies below it 95 % of the time
    shows = rng.uniform(size=(20, 4000)) < truth + (1 - truth) * alpha
    below = estimate_prevalence(shows.sum(axis=0), 20, alpha)[1] <= truth
    assert 0.94 <= below.mean() <= 0.96
