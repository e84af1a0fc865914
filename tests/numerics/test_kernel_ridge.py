"""Kernel ridge against scikit-learn's, with a choice made by hand."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.preprocessing import KernelCenterer, StandardScaler

from neurodecode.core.errors import DataError
from neurodecode.numerics.inner_folds import assign_folds
from neurodecode.numerics.kernel_ridge import (
    Kernel,
    fit_kernel_ridge_cv,
    predict_kernel_ridge,
)
from neurodecode.numerics.ridge import fit_ridge_cv, predict_ridge
from neurodecode.numerics.ridge_grid import RidgeOptions

KERNELS = [Kernel("linear"), Kernel("polynomial", 2, 0.5), Kernel("rbf"), Kernel("cosine")]
GAMMAS, ALPHAS = (0.02, 0.2), (0.01, 0.1, 1.0, 10.0)


def make_problem(n=80, p=4, n_targets=9):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p)) + 0.5
    Y = np.sin(2 * X) @ rng.standard_normal((p, n_targets)) + X[:, :1] * X[:, 1:2]
    return X, Y + 0.3 * rng.standard_normal(Y.shape) + 2, assign_folds(np.arange(n), 4, 0)


def predict_theirs(kernel, gamma, alpha, X, Y, new, centred):
    name = {"polynomial": "poly"}.get(kernel.name, kernel.name)
    how = {"gamma": gamma, "degree": kernel.degree, "coef0": kernel.coef0}
    model = KernelRidge(alpha=alpha, kernel=name, **how)
    if not centred:
        return model.fit(X, Y).predict(new)
    centre, inside = KernelCenterer(), model._get_kernel(X)
    centre.fit(inside)
    plain = KernelRidge(alpha=alpha, kernel="precomputed")
    plain.fit(centre.transform(inside), Y - Y.mean(axis=0))
    return plain.predict(centre.transform(model._get_kernel(new, X))) + Y.mean(axis=0)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
def test_choice_and_predictions_are_scikit_learns(kernel, centred):
    X, Y, folds = make_problem()
    options = RidgeOptions(fit_intercept=centred)
    fit = fit_kernel_ridge_cv(X, Y, folds, kernel, GAMMAS, ALPHAS, options)
    gammas = GAMMAS if kernel.name in ("polynomial", "rbf") else (1.0,)
    every = []
    for gamma in gammas:
        for alpha in ALPHAS:
            scores = []
            for k in range(4):
                train, test = folds != k, folds == k
                guess = predict_theirs(kernel, gamma, alpha, X[train], Y[train], X[test], centred)
                total = ((Y[test] - Y[test].mean(axis=0)) ** 2).sum(axis=0)
                scores.append(1 - ((Y[test] - guess) ** 2).sum(axis=0) / total)
            every.append(np.mean(scores, axis=0))
    np.testing.assert_allclose(fit.scores, np.max(every, axis=0), atol=1e-7)
    new = X[:10] * 0.9
    ours = predict_kernel_ridge(fit, kernel, X[fit.rows], new)
    for t in range(Y.shape[1]):
        best = int(np.argmax([e[t] for e in every]))
        gamma, alpha = gammas[best // len(ALPHAS)], ALPHAS[best % len(ALPHAS)]
        assert (fit.best_gammas[t], fit.best_alphas[t]) == (gamma, alpha)
        theirs = predict_theirs(kernel, gamma, alpha, X[fit.rows], Y[fit.rows], new, centred)
        np.testing.assert_allclose(ours[:, t], theirs[:, t], atol=1e-7)


def test_linear_kernel_is_ridge():
    X, Y, folds = make_problem()
    fit = fit_kernel_ridge_cv(X, Y, folds, Kernel("linear"), alphas=ALPHAS)
    plain = fit_ridge_cv(X, Y, folds, ALPHAS)
    np.testing.assert_array_equal(fit.best_alphas, plain.best_alphas)
    np.testing.assert_allclose(
        predict_kernel_ridge(fit, Kernel("linear"), X[fit.rows], X),
        predict_ridge(X, plain.weights, plain.intercept),
        atol=1e-9,
    )


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
def test_standardized_features_are_scaled_by_the_training_rows(kernel):
    X, Y, folds = make_problem()
    train = np.where(folds == 3, -1, 0)
    rows, validation = np.flatnonzero(train == 0), np.flatnonzero(folds == 3)
    options = RidgeOptions(standardize=True)
    fit = fit_kernel_ridge_cv(
        X * 7 + 3, Y, train, kernel, GAMMAS, ALPHAS, options, validation=validation
    )
    scaled = StandardScaler().fit(X[rows]).transform(X)
    plain = fit_kernel_ridge_cv(scaled, Y, train, kernel, GAMMAS, ALPHAS, validation=validation)
    np.testing.assert_allclose(
        predict_kernel_ridge(fit, kernel, X[rows] * 7 + 3, X * 7 + 3),
        predict_kernel_ridge(plain, kernel, scaled[rows], scaled),
        atol=1e-8,
    )


def test_a_nonlinear_code_is_found_only_by_a_nonlinear_kernel():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((200, 3))
    Y = np.stack([X[:, 0] * X[:, 1], np.cos(2 * X[:, 2])], axis=1)
    folds = assign_folds(np.arange(200), 5, 0)
    linear = fit_kernel_ridge_cv(X, Y, folds, Kernel("linear"))
    rbf = fit_kernel_ridge_cv(X, Y, folds, Kernel("rbf"), alphas=(1e-3, 1e-2, 0.1, 1.0))
    assert (linear.scores < 0.05).all()
    assert (rbf.scores > 0.7).all()


def test_what_cannot_be_fitted_is_refused():
    X, Y, folds = make_problem()
    with pytest.raises(DataError, match=r"gammas are \[0.0\]. Allowed: positive"):
        fit_kernel_ridge_cv(X, Y, folds, Kernel("rbf"), (0.0,))
    with pytest.raises(DataError, match="kernel ridge: 1 inner folds"):
        fit_kernel_ridge_cv(X, Y, np.zeros(len(X), int), Kernel("rbf"))
