"""The estimator keeps scikit-learn's contract."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.utils.estimator_checks import parametrize_with_checks

from neurodecode.numerics.kernel_ridge_estimator import KernelRidgeRegressor


@pytest.mark.filterwarnings("ignore")  # the checks provoke warnings of scikit-learn's own
@parametrize_with_checks(
    [KernelRidgeRegressor(alphas=(1e-3, 1.0), gammas=(0.1, 1.0), n_inner_folds=3)]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_predictions_are_scikit_learns():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((40, 3)), rng.standard_normal((40, 2))
    how = {"gammas": (0.3,), "alphas": (0.5,), "fit_intercept": False}
    ours = KernelRidgeRegressor("rbf", **how).fit(X, Y)
    theirs = KernelRidge(kernel="rbf", gamma=0.3, alpha=0.5).fit(X, Y)
    new = rng.standard_normal((10, 3))
    np.testing.assert_allclose(ours.predict(new), theirs.predict(new), atol=1e-9)
    np.testing.assert_allclose(ours.dual_coef_, theirs.dual_coef_, atol=1e-9)


def test_bad_values_are_a_value_error():
    X = np.random.default_rng(0).standard_normal((20, 2))
    with pytest.raises(ValueError, match="gammas are"):
        KernelRidgeRegressor(gammas=-1.0).fit(X, X)
