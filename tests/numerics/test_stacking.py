"""Stacking: shares against a general solver, and against planted mixtures."""

import numpy as np
import pytest
from scipy.optimize import minimize

from neurodecode.core.errors import DataError
from neurodecode.numerics import stacking
from neurodecode.numerics.inner_folds import assign_folds
from neurodecode.numerics.ridge import fit_ridge_cv, predict_nested, predict_ridge
from neurodecode.numerics.stacking import (
    fit_stacked_cv,
    predict_stacked_bands,
    project_to_simplex,
    solve_shares,
)

BANDS = [(0, 4), (4, 9), (9, 12)]
ALPHAS = np.logspace(-1, 3, 6)


def make_products(n_bands, n_targets=30, n_rows=50, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((n_targets, n_rows, 1))
    sizes = rng.uniform(0.5, 2, (n_targets, 1, n_bands))
    left = shared + sizes * rng.standard_normal((n_targets, n_rows, n_bands))
    return left.transpose(0, 2, 1) @ left


@pytest.mark.parametrize("n_bands", [1, 2, 3, 5, 12])
def test_shares_are_those_of_a_general_solver(n_bands):
    products = make_products(n_bands)
    shares = solve_shares(products)
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert n_bands < 3 or (shares == 0).any(), "the constraint is never felt"
    for P, s in zip(products[:8] / 50, shares, strict=False):
        found = minimize(
            lambda x, P=P: x @ P @ x, np.full(n_bands, 1 / n_bands), jac=lambda x, P=P: 2 * P @ x,
            bounds=[(0, 1)] * n_bands, constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
            tol=1e-12,
        )  # fmt: skip
        assert s @ P @ s <= found.fun + 1e-8
        np.testing.assert_allclose(s, found.x, atol=1e-4)


def test_faces_and_gradients_agree(monkeypatch):
    products = make_products(6, n_targets=100, seed=1)
    faces = solve_shares(products)
    monkeypatch.setattr(stacking, "MOST_FACED", 0)
    np.testing.assert_allclose(solve_shares(products), faces, atol=1e-5)


def test_bands_that_predict_alike_share_alike():
    left = np.random.default_rng(0).standard_normal((20, 1))
    same = np.repeat(left, 3, axis=1)
    np.testing.assert_allclose(solve_shares((same.T @ same)[None]), 1 / 3, atol=1e-4)
    np.testing.assert_allclose(solve_shares(np.zeros((1, 3, 3))), 1 / 3, atol=1e-9)


def test_projection_is_the_nearest_point():
    points = np.random.default_rng(0).standard_normal((50, 5))
    near = project_to_simplex(points)
    np.testing.assert_allclose(near.sum(axis=1), 1)
    others = np.random.default_rng(1).dirichlet(np.ones(5), 500)
    distance = np.linalg.norm(points - near, axis=1)
    assert (np.linalg.norm(points[:, None] - others, axis=2) >= distance[:, None] - 1e-12).all()


def make_problem(n=240):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 12))
    W = rng.standard_normal((12, 9))
    W[4:, :3] = 0  # of the first band
    W[:4, 3:6] = W[9:, 3:6] = 0  # of the second
    Y = X @ W
    return X, Y + 0.5 * Y.std() * rng.standard_normal(Y.shape) + 4, assign_folds(np.arange(n), 4, 0)


def test_planted_bands_have_the_shares():
    X, Y, folds = make_problem()
    fit = fit_stacked_cv(X, Y, BANDS, folds, ALPHAS)
    assert (fit.shares[0, :3] > 0.9).all()
    assert (fit.shares[1, 3:6] > 0.9).all()
    assert (fit.shares[:, 6:].max(axis=0) < 0.9).all()
    for t in range(9):  # by hand
        left = []
        for first, last in BANDS:
            own = X[:, first:last]
            alone = fit_ridge_cv(own, Y[:, [t]], folds, ALPHAS)
            left.append(Y[:, t] - predict_nested(own, Y[:, [t]], folds, alone.best_alphas)[:, 0])
        best = np.sum((fit.shares[:, t] @ np.array(left)) ** 2)
        for other in np.random.default_rng(t).dirichlet(np.ones(3), 200):
            assert best <= np.sum((other @ np.array(left)) ** 2) + 1e-9


def test_predictions_by_band_sum_to_the_whole():
    X, Y, folds = make_problem()
    fit = fit_stacked_cv(X, Y, BANDS, folds, (1.0,))
    whole = predict_ridge(X, fit.weights, fit.intercept)
    np.testing.assert_allclose(predict_stacked_bands(X, fit, BANDS).sum(axis=1), whole)
    apart = [fit_ridge_cv(X[:, a:b], Y, folds, (1.0, 1.0000001)) for a, b in BANDS]
    mixed = sum(
        s * predict_ridge(X[:, a:b], f.weights, f.intercept)
        for s, (a, b), f in zip(fit.shares, BANDS, apart, strict=True)
    )
    np.testing.assert_allclose(whole, mixed, atol=1e-5)


def test_one_inner_fold_is_refused():
    X, Y, _ = make_problem()
    with pytest.raises(DataError, match="stacking: 1 inner folds"):
        fit_stacked_cv(X, Y, BANDS, np.zeros(len(X), int), ALPHAS)
