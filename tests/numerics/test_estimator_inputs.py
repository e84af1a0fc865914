"""What all ridge estimators do before a fit is done alike."""

import numpy as np
import pytest

from neurodecode.numerics.banded_ridge_estimator import BandedRidgeRegressor
from neurodecode.numerics.estimator_inputs import deal_rows, find_edges, read_fit_inputs
from neurodecode.numerics.kernel_ridge_estimator import KernelRidgeRegressor
from neurodecode.numerics.ridge_estimator import RidgeRegressor
from neurodecode.numerics.stacking_estimator import StackedRidgeRegressor

ALL = (
    RidgeRegressor(alphas=(0.1, 1.0)),
    BandedRidgeRegressor(alphas=(0.1, 1.0), n_candidates=1),
    StackedRidgeRegressor(alphas=(0.1, 1.0)),
    KernelRidgeRegressor(alphas=(0.1, 1.0), gammas=(1.0,)),
)


@pytest.mark.parametrize("model", ALL, ids=lambda m: type(m).__name__)
def test_groups_of_other_rows_are_refused(model):
    X = np.random.default_rng(0).standard_normal((20, 3))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, X[:, 0], groups=np.arange(19))


def test_targets_become_columns_and_are_counted():
    X, y, one = read_fit_inputs(RidgeRegressor(), np.eye(4), np.arange(4))
    assert (X.shape, y.shape, one) == ((4, 4), (4, 1), True)
    assert read_fit_inputs(RidgeRegressor(), np.eye(4), np.eye(4))[2] is False


def test_rows_of_a_group_share_a_fold_and_bands_follow_each_other():
    folds = deal_rows(np.zeros((6, 1)), [0, 0, 1, 1, 2, 2], 3, seed=0)
    assert folds[::2].tolist() == folds[1::2].tolist()
    assert sorted(deal_rows(np.zeros((6, 1)), None, 3, seed=0).tolist()) == [0, 0, 1, 1, 2, 2]
    assert find_edges((2, 1, 3), 6) == [(0, 2), (2, 3), (3, 6)]
    assert find_edges(None, 6) == [(0, 6)]
