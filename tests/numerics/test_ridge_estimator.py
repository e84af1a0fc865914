"""The estimator keeps scikit-learn's contract and agrees with scikit-learn's own ridge."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from neurodecode.numerics.inner_folds import assign_folds
from neurodecode.numerics.ridge import fit_ridge_cv
from neurodecode.numerics.ridge_estimator import RidgeRegressor


@pytest.mark.filterwarnings("ignore")  # the checks provoke warnings of scikit-learn's own
@parametrize_with_checks([RidgeRegressor(alphas=(1e-3, 1.0), n_inner_folds=3)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_single_alpha_is_plain_ridge():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((30, 4)), rng.standard_normal((30, 3))
    ours, theirs = RidgeRegressor(alphas=2.5).fit(X, Y), Ridge(2.5).fit(X, Y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-10)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-10)


def test_constant_targets_are_a_value_error():
    X = np.random.default_rng(0).standard_normal((20, 2))
    with pytest.raises(ValueError, match=r"1 of 2 targets are constant .*first: \[1\]"):
        RidgeRegressor().fit(X, np.stack([X[:, 0], np.ones(20)], axis=1))


def test_rows_of_a_group_are_held_out_together():
    rng = np.random.default_rng(0)
    runs = np.repeat([f"run-{k}" for k in range(6)], 10)
    drift = np.repeat(rng.standard_normal((6, 8)), 10, axis=0)  # what only a run's rows share
    own = rng.standard_normal((60, 8))
    y = np.repeat(3 * rng.standard_normal(6), 10) + 0.3 * own.sum(axis=1)
    X, y = 3 * drift + own, y + 0.5 * rng.standard_normal(60)
    alphas = np.logspace(-2, 4, 7)
    grouped = RidgeRegressor(alphas, n_inner_folds=6).fit(X, y, groups=runs)
    expected = fit_ridge_cv(X, y[:, None], assign_folds(runs, 6, seed=0), alphas)
    np.testing.assert_array_equal(grouped.cv_scores_, expected.scores)
    assert grouped.best_alphas_[0] > RidgeRegressor(alphas).fit(X, y).best_alphas_[0]
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        RidgeRegressor(alphas).fit(X, y, groups=runs[:-1])


def test_the_grid_grows_and_warns():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 5))
    y = X.sum(axis=1) + 0.01 * rng.standard_normal(100)
    model = RidgeRegressor((1e3, 1e4)).fit(X, y)
    assert "is the smallest of the grid" in model.warnings_[0]
    grown = RidgeRegressor((1e3, 1e4), extend_alphas=6).fit(X, y)
    assert grown.warnings_ == ()
    assert grown.alphas_.min() < 1 <= grown.cv_scores_.shape[0]


def test_torch_is_numpy():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((80, 5)), rng.standard_normal((80, 20))
    ours, theirs = RidgeRegressor(backend="torch").fit(X, Y), RidgeRegressor().fit(X, Y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-10)
