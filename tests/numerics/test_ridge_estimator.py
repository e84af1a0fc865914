"""The estimator keeps scikit-learn's contract and agrees with scikit-learn's own ridge."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

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
