"""encoding.stacked gives the planted band its share, and predicts as its model says."""

from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import TRAIN, VALIDATION
from neurodecode.encoding.stacked import Stacked
from neurodecode.evaluation.split_scores import SplitScores
from neurodecode.features.concatenate import Concatenate
from neurodecode.numerics.ridge import predict_ridge
from tests.encoding.test_banded_ridge import make_bands
from tests.encoding.test_ridge import N_ITEMS

QUICK = {"alphas": (0.1, 1.0, 10.0), "n_inner_folds": 3, "extend_alphas": 0}


def test_the_planted_band_has_the_share():
    features, responses, split, _ = make_bands()
    out = Stacked(**QUICK, by_band=True).run(features, responses, split)
    predictions, model, alone = out["predictions"], out["model"], out["band_predictions"]
    np.testing.assert_allclose(alone.data.sum(axis=1), predictions.data, atol=1e-4)
    X = Concatenate().run(features).read_for(responses.samples["stimulus_id"])
    for fold in split.folds():
        arrays = model.for_fold(fold.number)
        assert (arrays["shares"][0] > 0.9).all()
        again = predict_ridge(X[fold.test], arrays["weights"], arrays["intercept"])
        mine = predictions.data[predictions.rows["fold"] == fold.number]
        np.testing.assert_allclose(again, mine, atol=1e-6)
    scores = SplitScores(n_bootstrap=10).run(alone, responses)
    assert (scores.items["share of signal"] > 0.5).all()


def test_validation_rows_choose_alphas_only():
    features, responses, split, _ = make_bands()
    roles = np.array(split.roles)
    roles[(roles == TRAIN) & (np.tile(np.arange(N_ITEMS), 3) % 5 == 0)] = VALIDATION
    split = replace(split, roles=roles)
    changed = np.array(responses.data)
    changed[split.fold(0).validation] += 0.01
    before, after = (
        Stacked(**QUICK).run(features, r, split)["model"].for_fold(0)
        for r in (responses, replace(responses, data=changed))
    )
    alike = (before["best_alphas"] == after["best_alphas"]).all(axis=0)
    assert alike.any()
    for name in ("weights", "shares"):
        np.testing.assert_array_equal(before[name][:, alike], after[name][:, alike])


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="validation error"):
        Stacked(alphas=())
