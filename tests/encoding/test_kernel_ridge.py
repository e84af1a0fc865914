"""encoding.kernel_ridge predicts what ridge cannot, and keeps what predicting again needs."""

from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import TRAIN, VALIDATION
from neurodecode.encoding.kernel_ridge import KernelRidge
from neurodecode.encoding.ridge import Ridge
from neurodecode.numerics.kernel_ridge import Kernel, KernelRidgeFit, predict_kernel_ridge
from tests.encoding.test_ridge import N_ITEMS, make_problem


def make_squares():
    features, responses, split, _ = make_problem()
    shown = features.read_for(responses.samples["stimulus_id"])
    data = np.stack([shown[:, 0] ** 2, shown[:, 1] * shown[:, 2], shown[:, 3]] * 2, axis=1)[:, :5]
    return features, replace(responses, data=data.astype(np.float32)), split


def test_a_planted_product_is_predicted():
    features, responses, split = make_squares()
    stage = KernelRidge(kernel="polynomial", degree=2, alphas=(1e-3, 1e-2, 0.1), gammas=(1.0,))
    out = stage.run(features, responses, split)
    plain = Ridge(alphas=(1.0, 100.0)).run(features, responses, split)["predictions"]
    truth = responses.data[out["predictions"].rows["row"]]
    for t in range(2):
        assert np.corrcoef(truth[:, t], out["predictions"].data[:, t])[0, 1] > 0.9
        assert np.corrcoef(truth[:, t], plain.data[:, t])[0, 1] < 0.5
    X = features.read_for(responses.samples["stimulus_id"])
    for fold in split.folds():
        arrays = out["model"].for_fold(fold.number)
        fit = KernelRidgeFit(**{**arrays, "scores": None, "warnings": ()})
        again = predict_kernel_ridge(fit, Kernel("polynomial", 2), X[arrays["rows"]], X[fold.test])
        mine = out["predictions"].data[out["predictions"].rows["fold"] == fold.number]
        np.testing.assert_allclose(again, mine, atol=1e-5)


def test_validation_rows_are_not_fitted():
    features, responses, split = make_squares()
    roles = np.array(split.roles)
    roles[(roles == TRAIN) & (np.tile(np.arange(N_ITEMS), 3) % 5 == 0)] = VALIDATION
    split = replace(split, roles=roles)
    model = KernelRidge(alphas=(0.1, 1.0)).run(features, responses, split)["model"]
    for fold in split.folds():
        np.testing.assert_array_equal(model.for_fold(fold.number)["rows"], fold.train)


def test_bad_settings_are_refused():
    for settings in ({"kernel": "sigmoid"}, {"gammas": (0.0,)}, {"degree": 0}):
        with pytest.raises(ValueError, match="validation error"):
            KernelRidge(**settings)
