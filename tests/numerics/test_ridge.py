"""Ridge on arrays, against scikit-learn, himalaya and brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from neurodecode.core.errors import DataError
from neurodecode.numerics.inner_folds import assign_folds
from neurodecode.numerics.ridge import (
    RidgeOptions,
    fit_ridge,
    fit_ridge_cv,
    predict_nested,
    predict_ridge,
)

ALPHAS = np.logspace(-1, 4, 6)
SHAPES = [(60, 12), (40, 90)]


def make_data(n, p, v=4, seed=0, noise=5.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 3, p) + 3 * rng.standard_normal(p)
    weights = rng.standard_normal((p, v))
    return X, X @ weights + noise * rng.standard_normal((n, v)) + 4, weights


def make_reference(alpha, options):
    model = Ridge(alpha, fit_intercept=options.fit_intercept)
    return make_pipeline(StandardScaler(), model) if options.standardize else model


def score_by_brute_force(X, Y, folds, alphas, options):
    """Fit, predict and score with scikit-learn, per alpha and fold."""
    scores = np.zeros((len(alphas), Y.shape[1]))
    for a, alpha in enumerate(alphas):
        for k in np.unique(folds):
            model = make_reference(alpha, options).fit(X[folds != k], Y[folds != k])
            predicted, true = model.predict(X[folds == k]), Y[folds == k]
            if options.scoring == "r2":
                error = ((true - predicted) ** 2).sum(0)
                scores[a] += 1 - error / ((true - true.mean(0)) ** 2).sum(0)
            else:
                pairs = zip(predicted.T, true.T, strict=True)
                scores[a] += [np.corrcoef(p, t)[0, 1] for p, t in pairs]
    return scores / len(np.unique(folds))


@pytest.mark.parametrize("scoring", ["r2", "correlation"])
@pytest.mark.parametrize(
    ("standardize", "fit_intercept"), [(False, True), (True, True), (False, False)]
)
@pytest.mark.parametrize("solver", ["primal", "kernel"])
@pytest.mark.parametrize("shape", SHAPES)
def test_grid_search_by_brute_force(shape, solver, standardize, fit_intercept, scoring):
    X, Y, _ = make_data(*shape)
    folds = assign_folds(np.arange(len(X)) // 2, 5, seed=0)
    options = RidgeOptions(scoring, True, standardize, fit_intercept, solver)
    fit = fit_ridge_cv(X, Y, folds, ALPHAS, options)
    expected = score_by_brute_force(X, Y, folds, ALPHAS, options)
    np.testing.assert_allclose(fit.scores, expected, atol=1e-9)
    np.testing.assert_array_equal(fit.best_alphas, ALPHAS[expected.argmax(0)])
    for t, alpha in enumerate(fit.best_alphas):
        model = make_reference(alpha, options).fit(X, Y[:, t])
        ours = predict_ridge(X, fit.weights, fit.intercept)[:, t]
        np.testing.assert_allclose(ours, model.predict(X), atol=1e-9)


@pytest.mark.parametrize("alpha", [0.1, 10.0, 1e4])
@pytest.mark.parametrize("shape", SHAPES)
def test_each_alpha_is_that_of_scikit_learn(shape, alpha):
    X, Y, _ = make_data(*shape)
    fit, reference = fit_ridge(X, Y, alpha), Ridge(alpha).fit(X, Y)
    np.testing.assert_allclose(fit.weights.T, reference.coef_, atol=1e-10)
    np.testing.assert_allclose(fit.intercept, reference.intercept_, atol=1e-9)


@pytest.mark.parametrize("shape", [(200, 30), (60, 200)])
def test_agrees_with_himalaya(shape):
    from himalaya.backend import set_backend
    from himalaya.ridge import RidgeCV
    from himalaya.scoring import r2_score

    set_backend("numpy")
    X, Y, _ = make_data(*shape, v=40)
    folds = assign_folds(np.arange(len(X)), 5, seed=0)
    pairs = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(5)]
    # its own default is the squared error, which weighs inner folds by their variance
    options = {"score_func": r2_score, "warn": False}
    reference = RidgeCV(alphas=ALPHAS, cv=pairs, fit_intercept=True, solver_params=options)
    reference.fit(X, Y)
    fit = fit_ridge_cv(X, Y, folds, ALPHAS)
    np.testing.assert_allclose(fit.best_alphas, reference.best_alphas_)
    ours = predict_ridge(X, fit.weights, fit.intercept)
    np.testing.assert_allclose(ours, reference.predict(X), atol=1e-8)


def test_planted_weights_are_recovered():
    X, Y, weights = make_data(2000, 20, noise=0.1)
    folds = assign_folds(np.arange(len(X)), 5, seed=0)
    fit = fit_ridge_cv(X, Y, folds, np.logspace(-2, 4, 7))
    np.testing.assert_allclose(fit.weights, weights, atol=0.02)
    np.testing.assert_allclose(fit.intercept, 4, atol=0.05)


def test_noise_is_not_predicted():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((100, 20)), rng.standard_normal((100, 50))
    fit = fit_ridge_cv(X, Y, assign_folds(np.arange(100), 5, 0), np.logspace(0, 6, 7))
    assert np.median(fit.scores.max(axis=0)) < 0.05
    assert fit.warnings == ()  # their best alpha is the largest, but they gain nothing there


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("solver", ["primal", "kernel"])
@pytest.mark.parametrize("shape", SHAPES)
def test_large_mean_in_float32(shape, solver, standardize):
    X, Y, _ = make_data(*shape)
    X, Y = (X + 1e4).astype(np.float32), (Y - 1e4).astype(np.float32)
    folds = assign_folds(np.arange(len(X)), 4, seed=0)
    options = RidgeOptions(solver=solver, standardize=standardize)
    fit = fit_ridge_cv(X, Y, folds, ALPHAS, options)
    assert fit.weights.dtype == np.float32
    exact = [np.asarray(a, np.float64) for a in (X, Y)]
    exact = [a - np.round(a.mean(0)) for a in exact]  # lossless, and leaves nothing to cancel
    expected = score_by_brute_force(*exact, folds, ALPHAS, options)
    np.testing.assert_allclose(fit.scores, expected, atol=2e-5)
    ours = predict_ridge(X, fit.weights, fit.intercept)
    model = [make_reference(a, options).fit(exact[0], exact[1][:, t]).predict(exact[0])
             for t, a in enumerate(fit.best_alphas)]  # fmt: skip
    predicted = np.stack(model, axis=1) + np.round(np.asarray(Y, np.float64).mean(0))
    # float32 holds numbers around 1e4 to 5e-4
    np.testing.assert_allclose(ours, predicted, atol=1.1e-3)


@pytest.mark.parametrize("unit", [1e-13, 1e9])
def test_units_do_not_matter(unit):
    X, Y, _ = make_data(60, 12)
    folds = assign_folds(np.arange(60), 5, seed=0)
    fit = fit_ridge_cv(X.astype(np.float32), Y.astype(np.float32), folds, ALPHAS)
    scaled = fit_ridge_cv(
        (X * unit).astype(np.float32), (Y * unit).astype(np.float32), folds, ALPHAS * unit**2
    )
    np.testing.assert_allclose(scaled.scores, fit.scores, atol=1e-5)
    np.testing.assert_allclose(scaled.weights, fit.weights, atol=1e-4)


@pytest.mark.parametrize("standardize", [False, True])
def test_blocks_do_not_change_results(standardize):
    X, Y, _ = make_data(80, 10, v=600)
    folds = assign_folds(np.arange(80), 5, seed=0)
    options = RidgeOptions(standardize=standardize)
    whole = fit_ridge_cv(X, Y, folds, ALPHAS, options)
    for form in ("primal", "kernel"):
        small = replace(options, solver=form, block_rows=7, block_targets=13)
        fit = fit_ridge_cv(X, Y, folds, ALPHAS, small)
        np.testing.assert_allclose(fit.scores, whole.scores, atol=1e-11)
        np.testing.assert_allclose(fit.weights, whole.weights, atol=1e-11)
        np.testing.assert_array_equal(fit.best_alphas, whole.best_alphas)


def test_one_alpha_for_all_targets():
    X, Y, _ = make_data(60, 12)
    folds = assign_folds(np.arange(60), 5, seed=0)
    Y = Y * np.linspace(0.01, 10, Y.shape[1])  # targets of large variance decide by R²
    fit = fit_ridge_cv(X, Y, folds, ALPHAS, RidgeOptions(alpha_per_target=False))
    error, square = np.zeros(len(ALPHAS)), 0.0
    for fold in range(5):
        train, test = folds != fold, folds == fold
        square += ((Y[test] - Y[test].mean(0)) ** 2).sum()
        for a, alpha in enumerate(ALPHAS):
            error[a] += (
                (Y[test] - Ridge(alpha).fit(X[train], Y[train]).predict(X[test])) ** 2
            ).sum()
    assert set(fit.best_alphas) == {ALPHAS[np.argmin(error)]}
    weights = Y.var(axis=0)
    np.testing.assert_allclose(
        np.average(fit.scores, axis=1, weights=weights), 1 - error / square, atol=0.02
    )
    options = RidgeOptions(alpha_per_target=False, scoring="correlation")
    fit = fit_ridge_cv(X, Y, folds, ALPHAS, options)
    assert set(fit.best_alphas) == {ALPHAS[fit.scores.mean(axis=1).argmax()]}


def test_validation_rows_choose_alphas_and_are_not_fitted():
    X, Y, _ = make_data(60, 12)
    folds = np.where(np.arange(60) < 40, 0, -1)
    options = RidgeOptions()
    for solver in ("primal", "kernel"):
        options = RidgeOptions(solver=solver)
        fit = fit_ridge_cv(X, Y, folds, ALPHAS, options, validation=np.arange(40, 60))
        for a, alpha in enumerate(ALPHAS):
            predicted = Ridge(alpha).fit(X[:40], Y[:40]).predict(X[40:])
            error = ((Y[40:] - predicted) ** 2).sum(0)
            r2 = 1 - error / ((Y[40:] - Y[40:].mean(0)) ** 2).sum(0)
            np.testing.assert_allclose(fit.scores[a], r2, atol=1e-10)
        best = Ridge(fit.best_alphas).fit(X[:40], Y[:40])
        np.testing.assert_allclose(fit.weights.T, best.coef_, atol=1e-10)


def test_edge_of_the_grid_warns_and_extends():
    X, Y, _ = make_data(60, 12, noise=0.1)
    folds = assign_folds(np.arange(60), 5, seed=0)
    too_large = np.logspace(3, 5, 5)
    fit = fit_ridge_cv(X, Y, folds, too_large)
    assert len(fit.warnings) == 1
    assert "4 of 4 targets is the smallest of the grid, 1e+03" in fit.warnings[0]
    grown = fit_ridge_cv(X, Y, folds, too_large, RidgeOptions(extend_alphas=5))
    assert grown.warnings == ()
    assert grown.best_alphas.max() < 100
    np.testing.assert_allclose(np.diff(np.log10(grown.alphas)), 0.5, atol=1e-9)
    same = fit_ridge_cv(X, Y, folds, grown.alphas)
    scored = ~np.isnan(grown.scores)  # where the grid was extended, for the targets that gained
    assert scored[-5:].all()
    assert scored.sum(axis=1).min() > 0
    np.testing.assert_allclose(grown.scores[scored], same.scores[scored], atol=1e-12)
    bounded = fit_ridge_cv(X, Y, folds, too_large, RidgeOptions(extend_alphas=1))
    assert bounded.alphas[0] == pytest.approx(100)
    assert len(bounded.warnings) == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_nested_predictions_by_brute_force(shape):
    X, Y, _ = make_data(*shape)
    folds = assign_folds(np.arange(len(X)), 4, seed=0)
    folds[::7] = -1
    fit = fit_ridge_cv(X, Y, folds, ALPHAS)
    nested = predict_nested(X, Y, folds, fit.best_alphas)
    rows = np.flatnonzero(folds >= 0)
    expected = np.full(Y.shape, np.nan)
    for k in range(4):
        train = (folds >= 0) & (folds != k)
        model = Ridge(fit.best_alphas).fit(X[train], Y[train])
        expected[folds == k] = model.predict(X[folds == k])
    np.testing.assert_allclose(nested, expected[rows], atol=1e-9)


def test_constant_features_get_no_weight():
    X, Y, _ = make_data(60, 12)
    X = np.concatenate([X, np.full((60, 2), 1e4 / 3)], axis=1)
    for solver in ("primal", "kernel"):
        fit = fit_ridge(X, Y, 1.0, RidgeOptions(standardize=True, solver=solver))
        assert np.abs(fit.weights[-2:]).max() < 1e-10
        assert np.isfinite(fit.weights).all()


def test_constant_targets_are_refused_or_predicted():
    X, Y, _ = make_data(60, 12)
    Y[:, [1, 3]] = 1.1
    folds = assign_folds(np.arange(60), 5, seed=0)
    with pytest.raises(DataError, match=r"2 of 4 targets are constant .* \[1, 3\]"):
        fit_ridge_cv(X, Y, folds)
    fit = fit_ridge_cv(X, Y, folds, options=RidgeOptions(constant_targets="predict"))
    predicted = predict_ridge(X, fit.weights, fit.intercept)[:, [1, 3]]
    np.testing.assert_allclose(predicted, 1.1, atol=1e-12)
    assert "2 of 4 targets are constant" in fit.warnings[0]


def test_folds_where_a_target_is_constant_are_passed_over():
    X, Y, _ = make_data(60, 12)
    folds = np.arange(60) // 12
    Y[folds == 1, 0] = 0.3
    fit = fit_ridge_cv(X, Y, folds, ALPHAS)
    assert np.isfinite(fit.scores).all()
    with pytest.raises(DataError, match="never vary within held-out rows"):
        fit_ridge_cv(X, Y, np.arange(60), ALPHAS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alphas": [0.0, 1.0]}, "Allowed: positive"),
        ({"options": RidgeOptions(standardize=True, fit_intercept=False)}, "fit_intercept=True"),
        ({"folds": np.zeros(20, int)}, "1 inner folds"),
        ({"X": np.full((20, 3), np.nan)}, "NaN or infinite"),
    ],
)
def test_refusals(change, message):
    rng = np.random.default_rng(0)
    given = {"X": rng.standard_normal((20, 3)), "Y": rng.standard_normal((20, 2)),
             "folds": np.arange(20) % 4, **change}  # fmt: skip
    with pytest.raises(DataError, match=message):
        fit_ridge_cv(**given)
