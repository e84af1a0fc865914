"""Split scores against himalaya's, inclusion-exclusion against planted parts."""

import numpy as np
import pytest

from neurodecode.numerics.statistics import average_fisher_z, correlate_columns
from neurodecode.numerics.variance_partitioning import (
    bootstrap_regions,
    count_units,
    draw_units,
    find_unique_p,
    list_subsets,
    partition_variance,
    score_subsets,
    split_scores,
    sum_bands,
    sum_errors,
)


def make_bands(n=90, n_voxels=6, n_bands=3):
    rng = np.random.default_rng(0)
    bands = rng.standard_normal((n_bands, n, n_voxels)) * np.array([1, 0.5, 0.2])[:, None, None]
    return bands, bands.sum(axis=0) + rng.standard_normal((n, n_voxels))


def test_one_part_equals_himalaya():
    scoring = pytest.importorskip("himalaya.scoring")
    pytest.importorskip("himalaya.backend").set_backend("numpy")
    bands, y = make_bands()
    y -= y.mean(axis=0)
    parts, units = np.zeros(len(y), int), np.arange(len(y))
    ours = split_scores(sum_bands(bands, y, parts, units, "r2"), "r2")
    np.testing.assert_allclose(ours, scoring.r2_score_split(y, bands), atol=1e-12)
    ours = split_scores(sum_bands(bands, y, parts, units, "r"), "r")
    np.testing.assert_allclose(ours, scoring.correlation_score_split(y, bands), atol=1e-12)


@pytest.mark.parametrize("metric", ["r", "r2"])
def test_shares_sum_to_the_joint_score(metric):
    bands, y = make_bands()
    bands, y = bands + 0.3, y + 5
    parts = np.arange(len(y)) % 4
    y[parts == 2] += 1  # parts with means of their own
    sums = sum_bands(bands, y, parts, np.arange(len(y)) // 3, metric)
    whole, shares = bands.sum(axis=0), split_scores(sums, metric)
    if metric == "r":
        r = [correlate_columns(whole[parts == k], y[parts == k]) for k in range(4)]
        joint = average_fisher_z(np.stack(r))
    else:
        errors = ((y - whole) ** 2).sum(axis=0)
        total = sum(((y[parts == k] - y[parts == k].mean(0)) ** 2).sum(0) for k in range(4))
        joint = 1 - errors / total
    np.testing.assert_allclose(shares.sum(axis=0), joint, atol=1e-10)


def test_shares_of_independent_bands_are_their_variances():
    rng = np.random.default_rng(1)
    n, planted = 20_000, np.array([0.4, 0.1, 0.0])
    bands = rng.standard_normal((3, n, 4)) * np.sqrt(planted)[:, None, None]
    y = bands.sum(axis=0) + np.sqrt(0.5) * rng.standard_normal((n, 4))
    parts = np.arange(n) % 3
    shares = split_scores(sum_bands(bands, y, parts, parts, "r2"), "r2")
    np.testing.assert_allclose(shares, np.repeat(planted[:, None], 4, axis=1), atol=0.02)


def test_voxels_that_never_vary_have_no_shares():
    bands, y = make_bands()
    y[:, 2] = 7.0
    for metric in ("r", "r2"):
        parts = np.arange(len(y)) % 3
        shares = split_scores(sum_bands(bands, y, parts, parts, metric), metric)
        assert np.isnan(shares[:, 2]).all()
        assert np.isfinite(np.delete(shares, 2, axis=1)).all()


@pytest.mark.parametrize("bands", [("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d")])
def test_parts_solve_the_equations(bands):
    """f(S) is the sum of the parts that S touches, whatever the planted parts."""
    rng = np.random.default_rng(2)
    planted = {subset: rng.standard_normal(5) for subset in list_subsets(bands)}
    scores = {
        subset: sum(part for touched, part in planted.items() if touched & subset)
        for subset in list_subsets(bands)
    }
    found = partition_variance(scores, bands)
    for subset, part in planted.items():
        np.testing.assert_allclose(found[subset], part, atol=1e-12)


def test_planted_unique_and_shared_variance_is_found():
    """y = shared + own parts + noise; the best predictor from each subset is known."""
    rng = np.random.default_rng(3)
    n, variance = 30_000, {"a": 0.3, "b": 0.1, "ab": 0.2}
    pieces = {k: np.sqrt(v) * rng.standard_normal((n, 3)) for k, v in variance.items()}
    y = sum(pieces.values()) + np.sqrt(0.4) * rng.standard_normal((n, 3))
    a, b = frozenset("a"), frozenset("b")
    guess = {a: pieces["a"] + pieces["ab"], b: pieces["b"] + pieces["ab"],
             a | b: sum(pieces.values())}  # fmt: skip
    parts = np.arange(n) % 5
    sums = sum_errors(guess, y, parts, np.arange(n) // 10)
    found = partition_variance(score_subsets(sums), ["a", "b"])
    for subset, name in ((a, "a"), (b, "b"), (a | b, "ab")):
        np.testing.assert_allclose(found[subset], variance[name], atol=0.015)


def make_gains(effect, n_units=40, n_voxels=400, seed=0):
    """Errors of units with one band and with both; the second lowers them by an effect."""
    rng = np.random.default_rng(seed)
    y = rng.standard_normal((n_units * 2, n_voxels))
    a, b = frozenset("a"), frozenset("b")
    both = y * effect + 0.3 * rng.standard_normal(y.shape)
    guess = {a: 0.3 * rng.standard_normal(y.shape), b: both, a | b: both}
    units = np.repeat(np.arange(n_units), 2)
    return sum_errors(guess, y, units % 4, units)


def test_p_of_unique_variance_holds_its_rate_and_has_power():
    p = find_unique_p(make_gains(0.0), "b", ["a", "b"], 400, 0)
    assert 0.02 < (p <= 0.05).mean() < 0.08
    assert (find_unique_p(make_gains(0.5), "b", ["a", "b"], 400, 0) <= 0.05).mean() > 0.9


def test_bootstrap_interval_covers_the_truth():
    covered = []
    for seed in range(120):
        sums = make_gains(0.3, n_voxels=1, seed=seed)

        def gain(counts, sums=sums):
            scores = score_subsets(sums, counts)
            return (scores[frozenset("ab")] - scores[frozenset("a")])[None]

        drawn = bootstrap_regions(gain, sums, [np.ones(1, bool)], 300, seed)[:, 0, 0]
        low, high = np.quantile(drawn, [0.025, 0.975])
        # errors: (0.7² + 0.3²) against 1 + 0.3²
        covered.append(low < (1 + 0.09) - (0.49 + 0.09) < high)
    assert 0.88 < np.mean(covered) < 0.99


def test_units_are_drawn_within_parts_or_parts_whole():
    sums = make_gains(0.0)
    for counts in draw_units(sums, 20, 0):
        np.testing.assert_array_equal(np.bincount(sums.part, counts), np.bincount(sums.part))
    assert count_units(sums) == 40
    few = make_gains(0.0, n_units=8)
    assert count_units(few) == 4
    for counts in draw_units(few, 20, 0):
        assert all(len(set(counts[few.part == p])) == 1 for p in range(4))
