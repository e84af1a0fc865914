"""The estimator keeps scikit-learn's contract and is the solver."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from neurodecode.numerics.banded_ridge_estimator import BandedRidgeRegressor


@pytest.mark.filterwarnings("ignore")  # the checks provoke warnings of scikit-learn's own
@parametrize_with_checks(
    [BandedRidgeRegressor(alphas=(1e-3, 1.0), n_inner_folds=3, n_candidates=3)]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_one_candidate_is_ridge_of_scaled_bands():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((40, 5)), rng.standard_normal((40, 3))
    model = BandedRidgeRegressor((2, 3), n_candidates=[[0.2, 0.8]], alphas=(2.0,)).fit(X, Y)
    root = np.sqrt([0.2, 0.2, 0.8, 0.8, 0.8])
    theirs = Ridge(2.0).fit(X * root, Y)
    np.testing.assert_allclose(model.predict(X), theirs.predict(X * root), atol=1e-10)
    np.testing.assert_allclose(model.deltas_, np.log([[0.1], [0.4]]) + np.zeros(3))
    np.testing.assert_allclose(model.predict(X, split=True).sum(axis=0), model.predict(X))
    assert model.predict(X, split=True).shape == (2, 40, 3)


def test_bands_that_do_not_fit_are_a_value_error():
    X = np.random.default_rng(0).standard_normal((20, 4))
    with pytest.raises(ValueError, match="cover all features"):
        BandedRidgeRegressor((2, 3)).fit(X, X)
