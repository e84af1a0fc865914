"""Banded ridge against himalaya, against scoring everything plainly, and with planted weights."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from neurodecode.core.device import limit_threads
from neurodecode.core.errors import DataError
from neurodecode.numerics import banded_ridge, banded_ridge_search
from neurodecode.numerics.band_weights import make_band_weights
from neurodecode.numerics.banded_ridge import fit_banded_ridge_cv, predict_bands
from neurodecode.numerics.banded_ridge_problem import PrimalBands
from neurodecode.numerics.banded_ridge_refine import evaluate_deltas, list_splits
from neurodecode.numerics.inner_folds import assign_folds
from neurodecode.numerics.ridge import predict_ridge
from neurodecode.numerics.ridge_grid import RidgeOptions
from neurodecode.numerics.ridge_problem import collect_parts

SIZES = (7, 12, 5)
BANDS = [(0, 7), (7, 19), (19, 24)]
ALPHAS = np.logspace(-1, 4, 11)


def make_problem(n=120, n_targets=30, noise=1.0, dtype=np.float64, sizes=SIZES, seed=0):
    """Targets of every mixture of bands: of one, of two, of all, of none."""
    rng = np.random.default_rng(seed)
    scales = np.repeat((1.0, 0.3, 2.0), sizes)
    X = rng.standard_normal((n, sum(sizes))) * scales + rng.standard_normal(sum(sizes))
    W = rng.standard_normal((sum(sizes), n_targets))
    for b, (last, size) in enumerate(zip(np.cumsum(sizes), sizes, strict=True)):
        W[last - size : last, (np.arange(n_targets) >> b) % 2 == 1] = 0
    signal = X @ W
    Y = signal + noise * max(1e-9, signal.std()) * rng.standard_normal(signal.shape) + 5
    return X.astype(dtype), Y.astype(dtype), assign_folds(np.arange(n), 4, 0)


def score_plainly(X, Y, bands, folds, weights, alpha, scoring, fit_intercept=True):
    """The score of one candidate and alpha by the normal equations and predictions."""
    root = np.sqrt(np.repeat(weights, [b - a for a, b in bands]))
    scores = []
    for k in np.unique(folds):
        train, test = folds != k, folds == k
        Z, y = X[train] * root, Y[train]
        mean, y_mean = (v.mean(axis=0) if fit_intercept else 0.0 for v in (Z, y))
        system = (Z - mean).T @ (Z - mean) + alpha * np.eye(Z.shape[1])
        found = np.linalg.solve(system, (Z - mean).T @ (y - y_mean))
        predicted, truth = (X[test] * root - mean) @ found + y_mean, Y[test]
        centred = truth - truth.mean(axis=0)
        if scoring == "r2":
            scores.append(1 - ((truth - predicted) ** 2).sum(axis=0) / (centred**2).sum(axis=0))
        else:
            guess = predicted - predicted.mean(axis=0)
            length = np.sqrt((guess**2).sum(axis=0) * (centred**2).sum(axis=0))
            scores.append((guess * centred).sum(axis=0) / np.where(length > 0, length, 1))
    return np.mean(scores, axis=0)


def search_plainly(X, Y, bands, folds, candidates, scoring, fit_intercept=True):
    every = np.array(
        [
            [score_plainly(X, Y, bands, folds, w, a, scoring, fit_intercept) for a in ALPHAS]
            for w in candidates
        ]
    )
    return every.reshape(-1, Y.shape[1]).max(axis=0), every


@pytest.mark.parametrize("scoring", ["r2", "correlation"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("solver", ["primal", "kernel"])
def test_choice_is_that_of_scoring_everything(scoring, fit_intercept, solver):
    X, Y, folds = make_problem()
    candidates = make_band_weights(3, 14, seed=1)
    options = RidgeOptions(scoring=scoring, fit_intercept=fit_intercept, solver=solver)
    fit = fit_banded_ridge_cv(X, Y, BANDS, folds, candidates, ALPHAS, options)
    best, every = search_plainly(X, Y, BANDS, folds, candidates, scoring, fit_intercept)
    np.testing.assert_allclose(fit.scores, best, atol=1e-8)
    log_deltas = np.exp(fit.deltas)
    for t in range(Y.shape[1]):  # the deltas are those of the best score, and so are the weights
        m, a = np.unravel_index(every[:, :, t].argmax(), every.shape[:2])
        np.testing.assert_allclose(log_deltas[:, t], candidates[m] / ALPHAS[a], rtol=1e-9)
        root = np.sqrt(np.repeat(log_deltas[:, t], SIZES))
        model = Ridge(1.0, fit_intercept=fit_intercept).fit(X * root, Y[:, t])
        np.testing.assert_allclose(fit.weights[:, t], model.coef_ * root, atol=1e-7)
        np.testing.assert_allclose(fit.intercept[t], model.intercept_, atol=1e-6)


def test_float32_loses_no_score_in_the_choice():
    X, Y, folds = make_problem(n=200, n_targets=64, dtype=np.float32)
    candidates = make_band_weights(3, 30, seed=2)
    fit = fit_banded_ridge_cv(X, Y, BANDS, folds, candidates, ALPHAS)
    wide = [a.astype(np.float64) for a in (X, Y)]
    best, every = search_plainly(*wide, BANDS, folds, candidates, "r2")
    for t in range(Y.shape[1]):
        of_ours = np.exp(fit.deltas[:, t])[:, None, None]
        given = (candidates.T[:, :, None] / ALPHAS) - of_ours
        m, a = np.unravel_index(np.abs(given).sum(axis=0).argmin(), every.shape[:2])
        assert best[t] - every[m, a, t] < 1e-6
    np.testing.assert_allclose(fit.scores, best, atol=1e-5)


def test_equals_himalaya_on_the_same_candidates():
    backend = pytest.importorskip("himalaya.backend").set_backend("numpy")
    from himalaya.ridge import GroupRidgeCV
    from himalaya.scoring import r2_score

    X, Y, folds = make_problem(n=150, n_targets=40)
    candidates = make_band_weights(3, 20, seed=3)[4:]  # himalaya divides by a weight of zero
    pairs = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(4)]
    params = {"n_iter": candidates, "alphas": ALPHAS, "score_func": r2_score,
              "progress_bar": False, "warn": False}  # fmt: skip
    theirs = GroupRidgeCV(groups="input", solver_params=params, cv=pairs, fit_intercept=True)
    theirs.fit([X[:, a:b] for a, b in BANDS], Y)
    ours = fit_banded_ridge_cv(X, Y, BANDS, folds, candidates, ALPHAS)
    assert backend.name == "numpy"
    np.testing.assert_allclose(ours.deltas, theirs.deltas_, atol=1e-6)
    np.testing.assert_allclose(ours.scores, theirs.cv_scores_.max(axis=0), atol=1e-6)
    np.testing.assert_allclose(ours.weights, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept, theirs.intercept_, atol=1e-5)


@pytest.mark.parametrize("solver", ["primal", "kernel"])
def test_standardized_features_are_scaled_by_the_training_rows(solver):
    X, Y, folds = make_problem(n=60, n_targets=6)
    validation = np.flatnonzero(folds == 3)
    train = np.where(folds == 3, -1, 0)
    rows = np.flatnonzero(train == 0)
    options = RidgeOptions(standardize=True, solver=solver)
    candidates = make_band_weights(3, 6)
    fit = fit_banded_ridge_cv(
        X, Y, BANDS, train, candidates, ALPHAS, options, validation=validation
    )
    scaled = (X - X[rows].mean(axis=0)) / X[rows].std(axis=0)
    plain = fit_banded_ridge_cv(scaled, Y, BANDS, train, candidates, ALPHAS, validation=validation)
    np.testing.assert_allclose(fit.deltas, plain.deltas)
    np.testing.assert_allclose(fit.weights, plain.weights / X[rows].std(axis=0)[:, None], atol=1e-8)
    truth = Y[rows] - Y[rows].mean(axis=0)
    left = truth - (predict_ridge(X[rows], fit.weights, fit.intercept) - Y[rows].mean(axis=0))
    assert ((left**2).sum(axis=0) < (truth**2).sum(axis=0)).all()


def test_planted_bands_are_found():
    X, Y, folds = make_problem(n=400, noise=0.3)
    fit = fit_banded_ridge_cv(X, Y, BANDS, folds, make_band_weights(3, 60), ALPHAS)
    for b in range(3):
        absent = (np.arange(Y.shape[1]) >> b) % 2 == 1
        some = (np.arange(Y.shape[1]) % 8) != 7  # targets of no band are all noise
        assert fit.band_weights[b, absent & some].mean() < 0.05
        assert fit.band_weights[b, ~absent].mean() > 0.2
    np.testing.assert_allclose(fit.band_weights.sum(axis=0), 1)


def test_blocks_of_targets_change_nothing():
    X, Y, folds = make_problem()
    candidates = make_band_weights(3, 12)
    whole = fit_banded_ridge_cv(X, Y, BANDS, folds, candidates, ALPHAS)
    blocks = fit_banded_ridge_cv(
        X, Y, BANDS, folds, candidates, ALPHAS, RidgeOptions(block_targets=7)
    )
    np.testing.assert_allclose(whole.scores, blocks.scores, atol=1e-12)
    np.testing.assert_allclose(np.exp(whole.deltas), np.exp(blocks.deltas), rtol=1e-12)
    np.testing.assert_allclose(whole.weights, blocks.weights, atol=1e-10)


def test_bytes_do_not_depend_on_threads():
    X, Y, folds = make_problem(dtype=np.float32)
    made = []
    for n_threads in (1, 3):
        with limit_threads(n_threads):
            made.append(fit_banded_ridge_cv(X, Y, BANDS, folds, make_band_weights(3, 12), ALPHAS))
    np.testing.assert_array_equal(made[0].deltas, made[1].deltas)
    np.testing.assert_array_equal(made[0].scores, made[1].scores)


def test_most_pairs_are_never_scored(monkeypatch):
    """What makes the search fast is that a bound rules most of it out."""
    X, Y, folds = make_problem(n=300, n_targets=60, noise=0.5)
    n_scored, score = [], banded_ridge_search.score_alphas

    def count(held_out, train, test, alphas, scoring):
        n_scored.append(len(alphas) * len(train.mean))
        return score(held_out, train, test, alphas, scoring)

    monkeypatch.setattr(banded_ridge_search, "score_alphas", count)
    fit_banded_ridge_cv(X, Y, BANDS, folds, make_band_weights(3, 40), ALPHAS)
    assert sum(n_scored) < 0.12 * 40 * len(ALPHAS) * 60 * 4


@pytest.mark.parametrize("scoring", ["r2", "correlation"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_gradient_is_that_of_differences(scoring, fit_intercept):
    X, Y, folds = make_problem(n_targets=5)
    rows = [np.flatnonzero(folds == k) for k in range(4)]
    splits = [(tuple(j for j in range(4) if j != k), k) for k in range(4)]
    problem = PrimalBands(
        collect_parts(X, Y, rows, None), splits, [0, 1, 2, 3], BANDS,
        standardize=False, fit_intercept=fit_intercept,
    )  # fmt: skip
    weights = np.array([0.5, 0.3, 0.2])
    theta = np.log(weights / 20) + np.array([0.3, -0.5, 0.2]) * np.arange(5)[:, None] / 4
    sources = [problem.read_targets(k, slice(0, 5)) for k in range(4)]
    inside = list_splits(problem, weights, sources, np.arange(5))
    score, slope = evaluate_deltas(inside, weights, np.array(SIZES), theta, scoring)
    for t in range(5):
        own = np.exp(theta[t])
        plain = score_plainly(X, Y, BANDS, folds, own, 1.0, scoring, fit_intercept)[t]
        np.testing.assert_allclose(score[t], plain, atol=1e-6)
        for b in range(3):
            high, low = (own * np.exp(step * np.eye(3)[b]) for step in (1e-4, -1e-4))
            there = [
                score_plainly(X, Y, BANDS, folds, w, 1.0, scoring, fit_intercept)[t]
                for w in (high, low)
            ]
            assert abs((there[0] - there[1]) / 2e-4 - slope[t, b]) < 2e-5


@pytest.mark.parametrize(("n", "sizes"), [(120, SIZES), (40, (60, 90, 50))])
@pytest.mark.parametrize("scoring", ["r2", "correlation"])
def test_refinement_gains_and_never_loses(n, sizes, scoring):
    X, Y, folds = make_problem(n=n, sizes=sizes)
    last = np.cumsum(sizes).tolist()
    bands = list(zip([0, *last[:-1]], last, strict=True))
    candidates, options = make_band_weights(3, 5, seed=4), RidgeOptions(scoring=scoring)
    before = fit_banded_ridge_cv(X, Y, bands, folds, candidates, ALPHAS, options)
    after = fit_banded_ridge_cv(X, Y, bands, folds, candidates, ALPHAS, options, refine_steps=8)
    assert (after.scores >= before.scores).all()
    assert (after.scores - before.scores).mean() > 1e-3
    for t in np.flatnonzero(after.scores > before.scores)[:4]:
        own = np.exp(after.deltas[:, t])
        plain = score_plainly(X, Y, bands, folds, own, 1.0, scoring)[t]
        np.testing.assert_allclose(after.scores[t], plain, atol=1e-5)
        root = np.sqrt(np.repeat(own, sizes))
        model = Ridge(1.0).fit(X * root, Y[:, t])
        np.testing.assert_allclose(after.weights[:, t], model.coef_ * root, atol=1e-6)


def test_refinement_of_standardized_features_in_kernel_form(monkeypatch):
    X, Y, folds = make_problem(n=40, sizes=(60, 90, 50))
    bands, candidates = [(0, 60), (60, 150), (150, 200)], make_band_weights(3, 5, seed=4)
    found = [
        fit_banded_ridge_cv(
            X, Y, bands, folds, candidates, ALPHAS, RidgeOptions(standardize=True, solver=solver),
            refine_steps=4,
        )
        for solver in ("kernel", "primal")
    ]  # fmt: skip
    np.testing.assert_allclose(found[0].scores, found[1].scores, atol=1e-6)
    np.testing.assert_allclose(found[0].weights, found[1].weights, atol=1e-5)
    monkeypatch.setattr(banded_ridge, "MOST_REFINED", 100)
    with pytest.raises(DataError, match=r"Allowed: 100 features or fewer\. Scale"):
        fit_banded_ridge_cv(
            X, Y, bands, folds, candidates, ALPHAS, RidgeOptions(standardize=True), refine_steps=4
        )


def test_predictions_by_band_sum_to_the_whole():
    X, Y, folds = make_problem()
    fit = fit_banded_ridge_cv(X, Y, BANDS, folds, make_band_weights(3, 5), ALPHAS)
    alone = predict_bands(X, fit.weights, fit.intercept, fit.x_mean, BANDS)
    np.testing.assert_allclose(
        alone.sum(axis=1), predict_ridge(X, fit.weights, fit.intercept), atol=1e-8
    )
    np.testing.assert_allclose(alone.mean(axis=0)[0], alone.mean(axis=0)[1], atol=1e-8)


def test_grid_is_grown_where_targets_gain_on_its_edge():
    X, Y, folds = make_problem(noise=0.1)
    candidates = make_band_weights(3, 4)
    narrow = np.array([1e3, 1e4])
    stay = fit_banded_ridge_cv(X, Y, BANDS, folds, candidates, narrow)
    assert "is the smallest of the grid, and they still gain there" in stay.warnings[0]
    grown = fit_banded_ridge_cv(
        X, Y, BANDS, folds, candidates, narrow, RidgeOptions(extend_alphas=5)
    )
    assert (grown.scores >= stay.scores).all()
    assert np.median(grown.best_alphas) < 100
    assert not grown.warnings


def test_what_cannot_be_fitted_is_refused():
    X, Y, folds = make_problem(n_targets=3)
    candidates = make_band_weights(3, 3)
    with pytest.raises(DataError, match="follow each other and cover"):
        fit_banded_ridge_cv(X, Y, [(0, 7), (8, 24)], folds, candidates[:, :2], ALPHAS)
    with pytest.raises(DataError, match="one row per candidate and one column per band"):
        fit_banded_ridge_cv(X, Y, BANDS, folds, candidates[:, :2], ALPHAS)
    with pytest.raises(DataError, match="gives no band any weight"):
        fit_banded_ridge_cv(X, Y, BANDS, folds, np.zeros((1, 3)), ALPHAS)
    with pytest.raises(DataError, match="1 inner folds"):
        fit_banded_ridge_cv(X, Y, BANDS, np.zeros(len(X), int), candidates, ALPHAS)
    with pytest.raises(DataError, match="Allowed: positive numbers"):
        fit_banded_ridge_cv(X, Y, BANDS, folds, candidates, [0.0, 1.0])
    constant = np.where(np.arange(3) == 1, 2.0, Y)
    with pytest.raises(DataError, match=r"1 of 3 targets are constant .*\[1\]"):
        fit_banded_ridge_cv(X, constant, BANDS, folds, candidates, ALPHAS)
    fit = fit_banded_ridge_cv(
        X, constant, BANDS, folds, candidates, ALPHAS, RidgeOptions(constant_targets="predict"),
        refine_steps=2,
    )  # fmt: skip
    np.testing.assert_allclose(predict_ridge(X, fit.weights, fit.intercept)[:, 1], 2.0)
    with pytest.raises(DataError, match="NaN or infinite"):
        fit_banded_ridge_cv(np.full_like(X, np.nan), Y, BANDS, folds, candidates, ALPHAS)


def test_candidates_hold_centre_and_corners():
    weights = make_band_weights(3, 40, (0.1, 1.0), seed=5)
    np.testing.assert_allclose(weights[0], 1 / 3)
    np.testing.assert_array_equal(weights[1:4], np.eye(3))
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert weights[4::2].max(axis=1).mean() > weights[5::2].max(axis=1).mean() + 0.1
    np.testing.assert_array_equal(weights, make_band_weights(3, 40, (0.1, 1.0), seed=5))
    assert make_band_weights(1, 40).tolist() == [[1.0]]
    with pytest.raises(DataError, match="positive concentrations"):
        make_band_weights(3, 40, (0.0,))
