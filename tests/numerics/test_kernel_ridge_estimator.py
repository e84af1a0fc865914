"""The estimator keeps scikit-learn's contract."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from neurodecode.numerics.kernel_ridge_estimator import KernelRidgeRegressor


@pytest.mark.filterwarnings("ignore")  # the checks provoke warnings of scikit-learn's own
@parametrize_with_checks(
    [KernelRidgeRegressor(alphas=(1e-3, 1.0), gammas=(1e-3, 0.1), n_inner_folds=3)]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_bad_values_are_a_value_error():
    X = np.random.default_rng(0).standard_normal((20, 2))
    with pytest.raises(ValueError, match="gammas are"):
        KernelRidgeRegressor(gammas=-1.0).fit(X, X)
