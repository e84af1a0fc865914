import numpy as np
import pytest
from scipy import stats

from neurodecode.numerics.statistics import (
    average_fisher_z,
    bootstrap_mean,
    compute_p,
    control_fdr,
    correct_by_maximum,
    correlate_columns,
    count_orders,
    link_rows,
    list_exchangeable,
    permute_signs,
    shuffle_units,
)


def test_correlations_equal_scipy():
    x, y = np.random.default_rng(0).normal(size=(2, 20, 5))
    expected = [stats.pearsonr(x[:, i], y[:, i]).statistic for i in range(5)]
    np.testing.assert_allclose(correlate_columns(x, y), expected, atol=1e-12)
    x[:, 2] = 0.1
    assert np.isnan(correlate_columns(x, y)[2])


def test_fisher_mean():
    r = np.array([[0.2, 0.9], [0.4, np.nan]])
    expected = [np.tanh((np.arctanh(0.2) + np.arctanh(0.4)) / 2), 0.9]
    np.testing.assert_allclose(average_fisher_z(r), expected)
    assert average_fisher_z(np.ones((2, 1)))[0] > 0.999
    assert np.isnan(average_fisher_z(np.full((2, 1), np.nan)))[0]


def test_rows_are_linked_through_others_and_not_by_blanks():
    source = np.array(["a", "b", "c", "", ""])
    digest = np.array(["1", "1", "2", "2", ""])
    assert link_rows([source, digest]).tolist() == [0, 0, 1, 1, 2]


@pytest.mark.parametrize(("n_units", "per_unit"), [(8, 1), (40, 1), (20, 4)])
def test_interval_covers_the_planted_mean(n_units, per_unit):
    rng = np.random.default_rng(1)
    units = np.repeat(np.arange(n_units), per_unit)
    hits = 0
    for seed in range(300):
        # Rows of one unit share most of their deviation: an interval over rows would be too narrow.
        values = (
            0.7
            + np.repeat(rng.normal(size=n_units), per_unit)
            + 0.2 * rng.normal(size=n_units * per_unit)
        )
        low, high = bootstrap_mean(values, units, n_bootstrap=400, seed=seed)
        hits += low <= 0.7 <= high
    assert 0.91 <= hits / 300 <= 0.99


def test_no_interval_from_one_unit():
    assert np.isnan(bootstrap_mean(np.ones(5), np.zeros(5))).all()


def test_interval_of_many_equals_scipy():
    values = np.random.default_rng(2).exponential(size=300)
    low, high = bootstrap_mean(values, np.arange(300), n_bootstrap=5000)
    ours = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=5000, rng=0)
    np.testing.assert_allclose([low, high], ours.confidence_interval, atol=0.012)


def test_p_values():
    null = np.array([0.1, 0.2, 0.3])
    assert compute_p(null, 0.5) == 0.25
    assert compute_p(null, 0.2) == 0.75
    assert compute_p(null, 0.05, lower_is_better=True) == 0.25
    assert np.isnan(compute_p(np.array([np.nan]), 1.0))


def test_fdr_equals_scipy_and_skips_nan():
    p = np.array([0.01, np.nan, 0.04, 0.2])
    np.testing.assert_allclose(
        control_fdr(p)[[0, 2, 3]], stats.false_discovery_control(p[[0, 2, 3]])
    )
    assert np.isnan(control_fdr(p)[1])


def test_maximum_statistic_counts_the_larger_maxima():
    maxima = np.array([0.1, 0.5, 0.9])
    p = correct_by_maximum(maxima, np.array([0.5, 1.0, np.nan]))
    np.testing.assert_allclose(p[:2], [0.75, 0.25])
    assert np.isnan(p[2])


def test_sign_flips_are_uniform_under_the_null_and_small_otherwise():
    rng = np.random.default_rng(3)
    p = [
        permute_signs(rng.normal(size=20), np.arange(20), n_permutations=199, seed=s)
        for s in range(300)
    ]
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert permute_signs(rng.normal(1, 0.5, 20), np.arange(20)) < 0.001


def test_units_move_whole_and_within_strata():
    units = np.array([0, 0, 1, 1, 2, 3, 4, 4])
    strata = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    seen, places = set(), list_exchangeable(units, strata)
    for seed in range(40):
        order = shuffle_units(places, 8, np.random.default_rng(seed))
        assert sorted(order) == list(range(8))
        assert tuple(order[:4]) in {(0, 1, 2, 3), (2, 3, 0, 1)}
        assert order[6:].tolist() == [6, 7]
        seen.add(tuple(order))
    assert len(seen) == 4 == count_orders(places)
