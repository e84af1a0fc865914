"""The estimator keeps scikit-learn's contract."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from neurodecode.numerics.stacking_estimator import StackedRidgeRegressor


@pytest.mark.filterwarnings("ignore")  # the checks provoke warnings of scikit-learn's own
@parametrize_with_checks([StackedRidgeRegressor(alphas=(1e-3, 1.0), n_inner_folds=3)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_predictions_by_band():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 5))
    model = StackedRidgeRegressor((2, 3), alphas=(0.1, 1.0)).fit(X, X @ rng.standard_normal((5, 2)))
    np.testing.assert_allclose(model.predict(X, split=True).sum(axis=0), model.predict(X))
    with pytest.raises(ValueError, match="cover all features"):
        StackedRidgeRegressor((2, 2)).fit(X, X)
