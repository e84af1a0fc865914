import numpy as np
import pytest
from scipy.signal import lfilter
from sklearn.linear_model import Ridge

from neurodecode.core.errors import DataError
from neurodecode.numerics.autocorrelation import Memory, find_segments, measure_memory
from neurodecode.numerics.null_limits import (
    check_null,
    choose_block_rows,
    choose_null,
    find_fault,
)
from neurodecode.numerics.nulls import (
    Null,
    draw_blocks,
    draw_phases,
    permute_blocks,
    shift_circularly,
    turn_phases,
)
from neurodecode.numerics.nulls_refit import permute_responses, refit_null
from neurodecode.numerics.statistics import count_p
from neurodecode.numerics.voxel_scores import HeldOut, score_null, score_voxels
from neurodecode.numerics.voxel_test import compute_voxel_test

RNG = np.random.default_rng


def make_ar1(n, n_voxels, rho, rng):
    noise = rng.normal(size=(n, n_voxels))
    noise[1:] *= np.sqrt(1 - rho**2)
    return lfilter([1], [1, -rho], noise, axis=0)


def plant(n_voxels, rho, n_rows=150, n_runs=2, seed=0, r=0.0):
    rng = RNG(seed)
    n = n_rows * n_runs
    x, y = (
        np.concatenate([make_ar1(n_rows, n_voxels, rho, rng) for _ in range(n_runs)])
        for _ in range(2)
    )
    parts = np.repeat(np.arange(n_runs), n_rows)
    segments = [np.flatnonzero(parts == k) for k in range(n_runs)]
    return HeldOut(x, r * x + np.sqrt(1 - r**2) * y, parts, np.arange(n), segments)


# ------------------------------------------------ products equal those of moved predictions


def test_block_products_equal_those_of_moved_rows():
    x, y = RNG(0).normal(size=(2, 23, 3))
    orders = draw_blocks(23, 5, 6, RNG(1))
    assert orders.shape == (6, 4)  # four blocks of five, three rows left in place
    for order, products in zip(orders, permute_blocks(x, y, orders), strict=True):
        rows = np.concatenate([*(np.arange(5) + 5 * b for b in order), [20, 21, 22]])
        np.testing.assert_allclose(products, (x[rows] * y).sum(axis=0))


def test_shifted_products_equal_those_of_rolled_rows():
    x, y = RNG(0).normal(size=(2, 15, 3))
    for lag, products in zip((0, 1, 14), shift_circularly(x, y, np.array([0, 1, 14])), strict=True):
        np.testing.assert_allclose(products, (np.roll(x, lag, axis=0) * y).sum(axis=0))


@pytest.mark.parametrize("n", [16, 17])
def test_phase_products_equal_those_of_surrogates(n):
    x, y = RNG(0).normal(size=(2, n, 3))
    angles = draw_phases(n, 4, RNG(1))
    for turn, products in zip(angles, turn_phases(x, y, angles), strict=True):
        surrogate = np.fft.irfft(np.fft.rfft(x, axis=0) * np.exp(1j * turn)[:, None], n, axis=0)
        np.testing.assert_allclose(products, (surrogate * y).sum(axis=0))
        # a surrogate keeps mean and spectrum, so that the sums of a part stay as they are
        np.testing.assert_allclose(surrogate.mean(axis=0), x.mean(axis=0))
        np.testing.assert_allclose((surrogate**2).sum(axis=0), (x**2).sum(axis=0))


@pytest.mark.parametrize("metric", ["r", "r2"])
def test_null_scores_equal_scores_of_moved_predictions(metric):
    held = plant(4, 0.5, n_rows=20, n_runs=3)
    null = Null("blocks", 5, seed=3, block_rows=4)
    scores = score_null(held, metric, null)
    for i in range(5):
        moved = held.predicted.copy()
        for number, rows in enumerate(held.segments):
            order = draw_blocks(20, 4, 5, RNG([3, number]))[i]
            moved[rows] = held.predicted[rows].reshape(5, 4, -1)[order].reshape(20, -1)
        again = HeldOut(moved, held.measured, held.parts, held.units, held.segments)
        np.testing.assert_allclose(scores[i], score_voxels(again, metric))


def test_draws_are_the_same_for_all_voxels_however_they_are_cut():
    held = plant(6, 0.5, n_rows=40)
    for kind in ("phases", "blocks", "circular_shift", "exchange"):
        null = Null(kind, 20, seed=1, block_rows=5)
        together = score_null(held, "r", null)
        apart = np.hstack([score_null(held.take_voxels(slice(v, v + 2)), "r", null)
                           for v in (0, 2, 4)])  # fmt: skip
        np.testing.assert_allclose(together, apart, atol=1e-12)


def test_voxels_not_selected_in_a_part_are_scored_in_the_others():
    held = plant(3, 0.5, n_rows=60)
    predicted, measured = held.predicted.copy(), held.measured.copy()
    predicted[:60, 0] = measured[:60, 0] = np.nan
    measured[:, 1] = 2.0
    again = HeldOut(predicted, measured, held.parts, held.units, held.segments)
    for metric in ("r", "r2"):
        scores = score_null(again, metric, Null("phases", 50))
        assert np.isfinite(scores[:, [0, 2]]).all()
        assert np.isnan(scores[:, 1]).all()


# ----------------------------------------------------------------------- false positives, power


@pytest.mark.parametrize("kind", ["phases", "blocks", "circular_shift"])
def test_what_is_offered_finds_five_per_cent_and_rows_do_not(kind):
    rates, rows = [], []
    for seed in range(3):
        held = plant(1000, 0.7, seed=seed)
        memory = measure_memory(held.predicted, held.measured, held.segments)
        block_rows = choose_block_rows(memory)
        lengths = [len(s) for s in held.segments]
        check_null(kind, memory, lengths, block_rows, 0, "test")
        observed = score_voxels(held, "r")
        null = Null(kind, 199, seed, block_rows)
        rates.append((count_p(score_null(held, "r", null), observed) <= 0.05).mean())
        if kind == "phases":
            moved = Null("exchange", 199, seed)
            rows.append((count_p(score_null(held, "r", moved), observed) <= 0.05).mean())
    assert 0.03 <= np.mean(rates) <= 0.065 + 0.012  # 3,000 data sets: three standard errors
    assert not rows or np.mean(rows) > 0.12


def test_shifts_that_leave_out_the_small_ones_find_too_much_and_are_refused():
    held = plant(2000, 0.7, n_runs=1)
    null = Null("circular_shift", 199, 0, gap_rows=10)
    rate = (count_p(score_null(held, "r", null), score_voxels(held, "r")) <= 0.05).mean()
    assert rate > 0.065
    memory = measure_memory(held.predicted, held.measured, held.segments)
    assert "left out" in find_fault("circular_shift", memory, [150], 1, gap_rows=10)
    assert not find_fault("circular_shift", memory, [150], 1)


def test_planted_correlations_are_found():
    held = plant(200, 0.5, r=0.25)
    for kind in ("phases", "blocks", "circular_shift"):
        found = compute_voxel_test([(slice(0, 200), held)], 200, "r", Null(kind, 199, 0, 10))
        assert (found.p < 0.05).mean() > 0.9


def test_maximum_over_voxels_holds_the_family():
    wrong = 0
    for seed in range(40):
        held = plant(50, 0.5, n_rows=80, seed=seed)
        null = Null("phases", 99, seed)
        found = compute_voxel_test([(slice(0, 20), held.take_voxels(slice(0, 20))),
                                    (slice(20, 50), held.take_voxels(slice(20, 50)))],
                                   50, "r", null)  # fmt: skip
        wrong += (found.p_max <= 0.05).any()
        assert found.maxima.max() == pytest.approx(score_null(held, "r", null).max())
    assert wrong <= 6  # 2 expected


def test_spikes_on_both_sides_break_phases_and_are_seen():
    wrong = {"phases": 0, "circular_shift": 0}
    chosen = []
    for seed in range(60):
        rng = RNG(seed)
        x, y = (
            lfilter([1], [1, -0.5], rng.normal(size=(300, 100))
                    + 8 * (rng.random((300, 100)) < 0.02) * rng.normal(size=(300, 100)), axis=0)
            for _ in range(2)
        )  # fmt: skip
        parts = np.repeat([0, 1], 150)
        segments = [np.arange(150), np.arange(150, 300)]
        held = HeldOut(x, y, parts, np.arange(300), segments)
        for kind in wrong:
            found = compute_voxel_test([(slice(0, 100), held)], 100, "r", Null(kind, 99, seed))
            wrong[kind] += (found.p_max <= 0.05).any()
        memory = measure_memory(x, y, segments)
        chosen.append(choose_null(memory, [150, 150], family_wise=True))
        assert "spikes" in find_fault("phases", memory, [150, 150], 1, family_wise=True)
    assert wrong["phases"] >= 8
    assert wrong["circular_shift"] <= 8  # 3 expected
    assert set(chosen) <= {"blocks", "circular_shift"}
    usual = plant(100, 0.5)
    memory = measure_memory(usual.predicted, usual.measured, usual.segments)
    assert memory.spikes < 0.01


def take_out(design, values):
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def test_drifts_taken_out_of_both_sides_are_counted():
    held = plant(30, 0.5)

    def clean(values, degree):
        design = np.polynomial.legendre.legvander(np.linspace(-1, 1, 150), degree)
        return np.concatenate([take_out(design, values[rows]) for rows in held.segments])

    x, y = held.predicted, held.measured
    count = [
        measure_memory(a, b, held.segments).n_drifts
        for a, b in (
            (x, y), (x, clean(y, 4)), (clean(x, 4), clean(y, 4)), (clean(x, 6), clean(y, 3)),
            (clean(x, 4).astype(np.float32), clean(y, 4).astype(np.float32)),
        )
    ]  # fmt: skip
    assert count == [0, 0, 4, 3, 4]
    cosines = np.cos(np.pi * (np.arange(150)[:, None] + 0.5) * np.arange(6) / 150)
    both = [np.concatenate([take_out(cosines, v[rows]) for rows in held.segments]) for v in (x, y)]
    assert measure_memory(*both, held.segments).n_drifts == 5
    drifting = Memory(tau=4.0, reach=1.0, length=150, n_drifts=5)
    assert "5 drifts taken out" in find_fault("phases", drifting, [150], 10)
    assert not find_fault("phases", Memory(2.0, 1.0, 150, n_drifts=5), [150], 10)
    assert "blocks put them back" in find_fault("blocks", Memory(2.0, 1, 150, 0, 5), [150], 10)


# ---------------------------------------------------------------------------------- where they hold


def test_memory_of_an_autoregression_is_found():
    held = plant(500, 0.6, n_rows=600, n_runs=1)
    memory = measure_memory(held.predicted, held.measured, held.segments, quantile=0.5)
    assert memory.tau == pytest.approx((1 + 0.36) / (1 - 0.36), rel=0.05)  # sum of 0.36^|k|
    # 2 sum k 0.36^k over tau, less what is lost at the first lag that chance makes negative
    expected = 2 * 0.36 / 0.64**2 / ((1 + 0.36) / (1 - 0.36))
    assert memory.reach == pytest.approx(expected, rel=0.25)


def test_segments_end_where_a_scan_is_missing():
    runs, places = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 1, 3, 4, 0, 1])
    found = find_segments(np.array([0, 0, 0, 0, 0, 1]), runs, places)
    assert [rows.tolist() for rows in found] == [[0, 1], [2, 3], [4], [5]]


def test_nulls_are_refused_where_they_do_not_hold():
    slow = Memory(tau=12.0, reach=9.0, length=150)
    assert choose_null(slow, [150]) is None
    for kind in ("phases", "circular_shift", "blocks"):
        with pytest.raises(DataError, match=r"count as 12\.5 independent"):
            check_null(kind, slow, [150], 90, 0, "here")
    middling = Memory(tau=5.0, reach=1.0, length=150)
    assert choose_null(middling, [150]) == "phases"
    assert choose_null(middling, [150], family_wise=True) is None
    assert "family-wise correction: 40" in find_fault(
        "phases", middling, [150], 10, family_wise=True
    )
    usual = Memory(tau=2.0, reach=1.0, length=150)
    assert choose_null(usual, [150]) == "phases"
    check_null("blocks", usual, [150], 10, 0, "here")
    with pytest.raises(DataError, match=r"lose 20% .* blocks of 10 scans"):
        check_null("blocks", usual, [150], 5, 0, "here")
    with pytest.raises(DataError, match=r"hold 3.0 blocks"):
        check_null("blocks", usual, [150], 50, 0, "here")
    with pytest.raises(DataError, match="family-wise correction: 2%"):
        check_null("blocks", usual, [150], 10, 0, "here", family_wise=True)
    with pytest.raises(DataError, match="scans follow each other"):
        check_null("exchange", usual, [150], 1, 0, "here")


def test_permutations_are_counted():
    segments = [np.arange(20), np.arange(20, 30)]
    assert Null("blocks", 9, block_rows=5).count_distinct(segments, None) == 24 * 2
    assert Null("circular_shift", 9).count_distinct(segments, None) == 200
    assert Null("phases", 9).count_distinct(segments, None) == np.inf
    assert Null("exchange", 9).count_distinct([np.arange(4)], np.array([0, 0, 1, 1])) == 2


# ------------------------------------------------------------------------------------ refitted null


@pytest.mark.parametrize("kind", ["blocks", "phases"])
def test_refits_equal_those_of_scikit_learn(kind):
    rng = RNG(0)
    X, Y = rng.normal(size=(90, 4)), rng.normal(size=(90, 5))
    runs = np.repeat(np.arange(3), 30)
    segments = [np.flatnonzero(runs == k) for k in range(3)]
    folds = [(np.flatnonzero(runs != k), np.flatnonzero(runs == k)) for k in range(3)]
    alphas = np.array([1.0, 10.0, 1.0, 300.0, 0.0])
    X += 3.0  # features and responses are centred on the training rows
    options = {"kind": kind, "block_rows": 5, "n_permutations": 4}
    r, r2 = (refit_null(X, Y, folds, alphas, segments, metric=m, **options) for m in ("r", "r2"))
    for i, moved in enumerate(permute_responses(Y, segments, kind, 5, 4, 0)):
        predicted = np.concatenate(
            [Ridge(alpha=alphas).fit(X[a], moved[a]).predict(X[b]) for a, b in folds]
        )
        held = HeldOut(predicted, moved, runs, np.arange(90))
        np.testing.assert_allclose(r[i], score_voxels(held, "r"), atol=1e-10)
        np.testing.assert_allclose(r2[i], score_voxels(held, "r2"), atol=1e-10)
        np.testing.assert_allclose(moved.mean(axis=0), Y.mean(axis=0), atol=1e-12)
        assert not np.allclose(moved, Y)


def test_the_refitted_null_knows_the_bias_of_pooled_folds():
    rng = RNG(0)
    X, Y = rng.normal(size=(60, 3)), rng.normal(size=(60, 200))
    fold = np.arange(60) // 6
    folds = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(10)]
    null = refit_null(
        X, Y, folds, np.full(200, 1e4), [np.arange(60)], block_rows=3, n_permutations=20,
        parts=np.zeros(60, int),
    )  # fmt: skip
    assert null.mean() < -0.15  # predictions of the training mean lean away from the test rows
    predicted = np.concatenate([Ridge(alpha=1e4).fit(X[a], Y[a]).predict(X[b]) for a, b in folds])
    held = HeldOut(predicted, Y, np.zeros(60, int), np.arange(60))
    assert score_voxels(held, "r").mean() == pytest.approx(null.mean(), abs=0.03)


@pytest.mark.parametrize("kind", ["blocks", "phases"])
def test_refitted_nulls_find_five_per_cent_of_nothing_and_what_is_planted(kind):
    p, planted = [], []
    for seed in range(4):
        rng = RNG(seed)
        X = np.concatenate([make_ar1(100, 5, 0.5, rng) for _ in range(3)])
        Y = np.concatenate([make_ar1(100, 250, 0.5, rng) for _ in range(3)])
        Y[:, 200:] += 0.6 * X[:, :1]
        runs = np.repeat(np.arange(3), 100)
        segments = [np.flatnonzero(runs == k) for k in range(3)]
        folds = [(np.flatnonzero(runs != k), np.flatnonzero(runs == k)) for k in range(3)]
        null = refit_null(X, Y, folds, np.full(250, 10.0), segments, kind=kind, block_rows=8,
                          n_permutations=99, seed=seed)  # fmt: skip
        predicted = np.concatenate([Ridge(alpha=10.0).fit(X[a], Y[a]).predict(X[b])
                                    for a, b in folds])  # fmt: skip
        observed = score_voxels(HeldOut(predicted, Y, runs, np.arange(300)), "r")
        found = count_p(null, observed) <= 0.05
        p.append(found[:200].mean())
        planted.append(found[200:].mean())
    assert 0.02 <= np.mean(p) <= 0.085  # 800 voxels that share features, four draws of 99
    assert np.mean(planted) > 0.95


def test_refits_refuse_rows_that_no_segment_holds():
    X, folds = np.zeros((6, 1)), [(np.arange(3), np.arange(3, 6))]
    with pytest.raises(DataError, match="2 rows of the folds lie in no segment"):
        refit_null(X, X, folds, np.ones(1), [np.arange(4)])
    with pytest.raises(DataError, match="tested in several folds"):
        refit_null(X, X, [*folds, *folds], np.ones(1), [np.arange(6)])
    with pytest.raises(DataError, match="unknown kind 'rows'"):
        refit_null(X, X, folds, np.ones(1), [np.arange(6)], kind="rows")
