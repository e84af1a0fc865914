"""Float32 chooses and float64 settles: what is lost against float64 throughout."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.numerics import ridge_grid
from neurodecode.numerics.inner_folds import assign_folds
from neurodecode.numerics.moments import compute_feature_moments, compute_target_moments
from neurodecode.numerics.ridge import RidgeOptions, fit_ridge_cv, prepare_ridge_cv
from neurodecode.numerics.ridge_skeleton import make_grid

KINDS = ("white", "decaying", "scales", "deficient", "means", "units")
GRIDS = {"usual": np.logspace(0, 7, 10), "wide": np.logspace(-3, 9, 13)}


def make_data(kind, n=600, p=80, v=150, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    if kind == "decaying":
        X = X * np.arange(1, p + 1) ** -1.5 @ np.linalg.qr(rng.standard_normal((p, p)))[0]
    elif kind == "scales":  # a million between the largest and the smallest
        X = X * np.logspace(-6, 0, p)
    elif kind == "deficient":
        X = X[:, : p // 2] @ rng.standard_normal((p // 2, p))
    signal = X @ (rng.standard_normal((p, v)) / X.std(axis=0)[:, None])
    signal *= rng.uniform(0, 1, v) / signal.std(axis=0)
    Y = signal + rng.standard_normal((n, v))
    if kind == "means":
        X, Y = X + 1e4, Y - 1e4
    elif kind == "units":
        X, Y = X * 1e9, Y * 1e-13
    return X.astype(np.float32), Y.astype(np.float32)


@pytest.fixture
def first_scores(monkeypatch):
    """Scores in float32 and their bounds, as they are before any is settled."""
    seen = []
    find = ridge_grid.find_unsettled

    def watch(grid):
        found = find(grid)
        seen.append((grid.scores.copy(), grid.bounds.copy(), found))
        return found

    monkeypatch.setattr(ridge_grid, "find_unsettled", watch)
    return seen


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("scoring", ["r2", "correlation"])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_against_float64(kind, standardize, scoring, grid, first_scores):
    X, Y = make_data(kind)
    folds = assign_folds(np.arange(len(X)), 5, seed=0)
    alphas = GRIDS[grid] * (1e18 if kind == "units" and not standardize else 1)
    options = RidgeOptions(scoring, standardize=standardize)
    fit = fit_ridge_cv(X, Y, folds, alphas, options)
    scores, bounds, _ = first_scores[0]
    exact = fit_ridge_cv(X.astype(np.float64), Y.astype(np.float64), folds, alphas, options)
    index = np.searchsorted(exact.alphas, fit.best_alphas)[None]
    lost = exact.scores.max(axis=0) - np.take_along_axis(exact.scores, index, axis=0)[0]
    assert lost.max() < 1e-6
    np.testing.assert_allclose(fit.scores, exact.scores, atol=2e-5)
    same = fit.best_alphas == exact.best_alphas
    assert same.mean() > 0.97
    error = np.linalg.norm(fit.weights - exact.weights, axis=0)
    assert (error / np.linalg.norm(exact.weights, axis=0))[same].max() < 1e-4
    # Bounds hold for differences from the alpha that seems best, which is what is decided on.
    best = scores.argmax(axis=0)[None]
    error = scores - exact.scores
    error = np.abs(error - np.take_along_axis(error, best, axis=0))
    assert (error <= bounds + np.take_along_axis(bounds, best, axis=0) + 1e-12).all()


def test_close_calls_are_settled_in_float64(first_scores):
    X, Y = make_data("white", v=400)
    folds = assign_folds(np.arange(len(X)), 5, seed=0)
    alphas = np.array([30.0, 30.0 * (1 + 1e-6), 1000.0])
    fit = fit_ridge_cv(X, Y, folds, alphas)
    exact = fit_ridge_cv(X.astype(np.float64), Y.astype(np.float64), folds, alphas)
    scores, _, unsettled = first_scores[0]
    assert unsettled.mean() > 0.2
    assert (alphas[scores.argmax(axis=0)] != exact.best_alphas).any()  # float32 cannot tell
    np.testing.assert_array_equal(fit.best_alphas, exact.best_alphas)
    np.testing.assert_allclose(fit.scores[:, unsettled], exact.scores[:, unsettled], atol=1e-13)


@pytest.mark.parametrize("spectrum", [np.linspace(0.3, 1, 60), np.logspace(-5, 0, 60)])
def test_skeleton_gives_the_form_of_every_alpha(spectrum):
    alphas = np.logspace(-4, 3, 20)
    grid = make_grid(spectrum, alphas, np.dtype(np.float32))
    assert len(grid.skeleton) < len(alphas)
    rng = np.random.default_rng(0)
    held_out = rng.standard_normal((100, 60)) * np.sqrt(spectrum)
    square, q = held_out.T @ held_out, np.sqrt(spectrum) * rng.standard_normal(60)
    vectors = q * grid.factors
    expected = np.einsum("ai,ij,aj->a", vectors, square, vectors)
    triangle = 2 * np.tril(square, -1) + np.diag(np.diag(square))
    forms = (vectors[grid.skeleton] @ triangle @ vectors[grid.skeleton].T)[None]
    np.testing.assert_allclose(grid.combine_forms(forms)[:, 0], expected, rtol=1e-5)
    assert make_grid(spectrum, alphas, np.dtype(np.float64)).combine is None


def test_products_in_float32_hold_their_bound():
    X, Y = make_data("means", n=3000)
    Y[:, 0] = 7.25  # constant
    rows = np.random.default_rng(0).permutation(3000)[:2500]
    Y[rows[:40], 1] = 1e9  # the first rows say nothing of the rest
    Y[:, 2:4] *= np.array([1e-20, 1e25], np.float32)  # whose squares float32 does not hold
    moments = compute_feature_moments(X, rows)
    ours, exact = (
        compute_target_moments(X, Y, rows, slice(None), moments.mean, dtype=dtype)
        for dtype in (np.float32, np.float64)
    )
    scale = np.sqrt(exact.squares[:, None] * np.diag(moments.squares))
    scale[0] = 1.0
    error = np.abs(ours.products - exact.products) / scale
    assert np.sqrt((error**2).mean(axis=1)).max() < 3e-8
    assert error[1:4].max() < 1e-12  # taken in float64
    assert ours.squares[0] == exact.squares[0] == 0
    np.testing.assert_allclose(ours.squares, exact.squares, rtol=1e-6)
    deviation = np.sqrt(exact.squares / len(rows)) + 1e-12
    assert (np.abs(ours.mean - exact.mean) / deviation).max() < 1e-6


def test_prepared_features_serve_any_block_of_targets():
    X, Y = make_data("decaying")
    folds = assign_folds(np.arange(len(X)), 5, seed=0)
    for options in (RidgeOptions(extend_alphas=2), RidgeOptions(solver="kernel")):
        prepared = prepare_ridge_cv(X, folds, options)
        for columns in (slice(0, 50), slice(50, 150)):
            block = prepared.fit(Y[:, columns], GRIDS["usual"])
            whole = fit_ridge_cv(X, Y[:, columns], folds, GRIDS["usual"], options)
            for name in ("weights", "intercept", "best_alphas", "scores"):
                assert getattr(block, name).tobytes() == getattr(whole, name).tobytes(), name


def test_a_target_does_not_depend_on_which_others_extend_the_grid():
    X, Y = make_data("white")
    folds = assign_folds(np.arange(len(X)), 5, seed=0)
    options = RidgeOptions(extend_alphas=3)
    alphas = np.logspace(2, 3, 3)
    whole = fit_ridge_cv(X, Y, folds, alphas, options)
    assert len(whole.alphas) > 3
    for column in range(0, 150, 10):
        alone = fit_ridge_cv(X, Y[:, [column]], folds, alphas, options)
        assert alone.best_alphas[0] == whole.best_alphas[column]
        scored = ~np.isnan(whole.scores[:, column])
        np.testing.assert_allclose(whole.alphas[scored], alone.alphas)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("solver", ["primal", "kernel"])
def test_a_row_that_takes_no_part_cannot_reach_the_fit(solver, backend):
    X, Y = make_data("decaying", n=300, v=40)
    folds = assign_folds(np.arange(300), 4, seed=0)
    folds[::5] = -1
    options = RidgeOptions(solver=solver, backend=backend)
    alphas = GRIDS["wide"]  # so that some are settled in float64
    before = fit_ridge_cv(X, Y, folds, alphas, options)
    X[::5] += 1e6
    Y[::5] = np.nan
    after = fit_ridge_cv(X, Y, folds, alphas, options)
    for name in ("weights", "intercept", "best_alphas", "scores"):
        assert getattr(before, name).tobytes() == getattr(after, name).tobytes(), name


def test_wide_grid_of_alphas_by_brute_force():
    from sklearn.linear_model import Ridge

    X, Y = make_data("white", n=200, p=30, v=20)
    folds = assign_folds(np.arange(200), 4, seed=0)
    fit = fit_ridge_cv(X, Y, folds, GRIDS["wide"])
    X, Y = X.astype(np.float64), Y.astype(np.float64)
    for score, alpha in zip(fit.scores, GRIDS["wide"], strict=True):
        r2 = np.zeros(20)
        for k in range(4):
            model = Ridge(alpha).fit(X[folds != k], Y[folds != k])
            true = Y[folds == k]
            error = ((true - model.predict(X[folds == k])) ** 2).sum(axis=0)
            r2 += 1 - error / ((true - true.mean(axis=0)) ** 2).sum(axis=0)
        np.testing.assert_allclose(score, r2 / 4, atol=1e-6)
