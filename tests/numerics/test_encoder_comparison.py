import numpy as np
import pytest
from scipy.signal import lfilter

from neurodecode.numerics.encoder_comparison import (
    Pair,
    bootstrap_differences,
    compute_swap_test,
    draw_swaps,
    swap_units,
)
from neurodecode.numerics.voxel_bootstrap import cut_units
from neurodecode.numerics.voxel_scores import HeldOut, score_voxels


def smooth(noise, rho=0.5):
    return lfilter([1], [1, -rho], noise, axis=0)


def plant(n_voxels=4, gain=0.0, n_rows=100, n_runs=2, seed=0):
    """Return two encoders that see the signal equally well, or the first better by ``gain``."""
    rng = np.random.default_rng(seed)
    n = n_rows * n_runs
    signal = smooth(rng.normal(size=(n, n_voxels)))
    y = signal + smooth(rng.normal(size=(n, n_voxels)))
    noise = [smooth(rng.normal(size=(n, n_voxels))) for _ in range(2)]
    first, second = 3 * ((1 + gain) * signal + noise[0]), signal + noise[1]
    parts = np.repeat(np.arange(n_runs), n_rows)
    segments = [np.flatnonzero(parts == k) for k in range(n_runs)]
    units = cut_units(n, segments, 10)
    return Pair(*(HeldOut(x, y, parts, units, segments) for x in (first, second)))


@pytest.mark.parametrize("metric", ["r", "r2"])
def test_swapped_sums_equal_scores_of_swapped_predictions(metric):
    pair = plant()
    swaps = draw_swaps(20, 7, 0)
    got = swap_units(pair, metric, swaps)
    np.testing.assert_allclose(got[0], pair.compare(metric))
    a, b = pair.first.predicted, pair.second.predicted
    if metric == "r":  # a mixture is of predictions on one scale
        a, b = (
            np.concatenate([(v[r] - v[r].mean(0)) / v[r].std(0) for r in pair.first.segments])
            for v in (a, b)
        )
    for swap, row in zip(swaps, got, strict=True):
        moved = swap[pair.first.units][:, None]
        sides = (np.where(moved, b, a), np.where(moved, a, b))
        one, two = (
            score_voxels(
                HeldOut(x, pair.first.measured, pair.first.parts, pair.first.units), metric
            )
            for x in sides
        )
        np.testing.assert_allclose(row, one - two, atol=1e-10)


def test_equal_encoders_differ_in_five_per_cent_of_the_voxels_and_a_better_one_is_found():
    blocks = [(slice(0, 600), plant(600)), (slice(600, 1500), plant(900, seed=1))]
    found = compute_swap_test(blocks, 1500, "r", draw_swaps(20, 499, 0))
    assert 0.03 <= (found.p <= 0.05).mean() <= 0.075
    assert (found.p_max <= 0.05).mean() < 0.01
    better = compute_swap_test([(slice(0, 200), plant(200, 1.0, n_rows=200))], 200, "r",
                               draw_swaps(40, 499, 0))  # fmt: skip
    assert (better.p <= 0.05).mean() > 0.8
    assert (better.difference > 0).mean() > 0.95


def test_all_swaps_are_made_where_there_are_few():
    swaps = draw_swaps(4, 20, 0)
    assert len(np.unique(swaps, axis=0)) == 16
    assert not swaps[0].any()
    pair = plant(3, n_rows=20)
    found = compute_swap_test([(slice(0, 3), pair)], 3, "r2", swaps)
    assert found.p.min() >= 2 / 16  # swapping all of them is as large


def test_the_interval_of_a_difference_covers_the_truth():
    truth = np.median(plant(4, 0.5, n_rows=40_000).compare("r"))
    assert truth > 0.08
    hits = 0
    for seed in range(60):
        pair = plant(8, 0.5, n_rows=120, n_runs=3, seed=seed)
        interval = bootstrap_differences(
            pair, "r", lambda d: np.array([np.median(d)]), 200, seed, by_part=False
        )
        hits += interval[0][0] <= truth <= interval[0][1]
    assert hits >= 52


def test_voxels_that_a_fold_did_not_select_are_left_out_of_it():
    pair = plant(2)
    predicted, measured = pair.first.predicted.copy(), pair.first.measured.copy()
    predicted[:100, 0] = measured[:100, 0] = np.nan
    gone = HeldOut(predicted, measured, pair.first.parts, pair.first.units)
    other = HeldOut(pair.second.predicted, measured, pair.first.parts, pair.first.units)
    for metric in ("r", "r2"):
        got = swap_units(Pair(gone, other), metric, draw_swaps(20, 5, 0))
        assert np.isfinite(got).all()
        np.testing.assert_allclose(got[0], Pair(gone, other).compare(metric))
