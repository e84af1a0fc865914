"""encoding.banded_ridge finds planted bands, keeps its splits clean, and names what it gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import TEST, TRAIN, VALIDATION, Features, make_items
from neurodecode.core.errors import DataError
from neurodecode.encoding.banded_ridge import BandedRidge
from neurodecode.encoding.ridge import Ridge
from neurodecode.features.concatenate import Concatenate
from neurodecode.numerics.ridge import predict_ridge
from tests.encoding.test_ridge import N_FOLDS, N_ITEMS, make_problem

QUICK = {"alphas": (0.1, 1.0, 10.0), "n_candidates": 8, "n_inner_folds": 3, "extend_alphas": 0}


def make_bands():
    """The six features that drive the responses, and nine that do not, as two inputs."""
    features, responses, split, weights = make_problem(noise=0.5)
    other = np.random.default_rng(9).standard_normal((N_ITEMS, 9)).astype(np.float32)
    ids = features.items["id"]
    noise = Features(data=other, items=make_items(ids[::-1], other), extractor={"name": "noise"})
    return {"signal": features, "noise": noise}, responses, split, weights


def test_planted_band_is_found_and_predictions_are_the_models():
    features, responses, split, weights = make_bands()
    out = BandedRidge(**QUICK, by_band=True).run(features, responses, split)
    predictions, model, alone = out["predictions"], out["model"], out["band_predictions"]
    assert model.settings["columns"] == {"signal": (0, 6), "noise": (6, 15)}
    assert list(predictions.space.names) == list("abcde")
    assert alone.extractor["bands"] == ["signal", "noise"]
    assert alone.data.shape == (120, 2, 5)
    np.testing.assert_allclose(alone.data.sum(axis=1), predictions.data, atol=1e-5)
    joined = Concatenate().run(features)
    X = joined.read_for(responses.samples["stimulus_id"])
    for fold in split.folds():
        arrays = model.for_fold(fold.number)
        share = np.exp(arrays["deltas"])
        assert (share[1] < 0.1 * share[0]).all()
        np.testing.assert_allclose(arrays["weights"][:6], weights, atol=0.4)
        again = predict_ridge(X[fold.test], arrays["weights"], arrays["intercept"])
        mine = predictions.data[predictions.rows["fold"] == fold.number]
        np.testing.assert_allclose(again, mine, atol=1e-6)


def test_one_input_with_bands_is_the_same_as_several():
    features, responses, split, _ = make_bands()
    several = BandedRidge(**QUICK).run(features, responses, split)
    joined = {"joined": Concatenate().run(features)}
    one = BandedRidge(**QUICK).run(joined, responses, split)
    np.testing.assert_array_equal(several["predictions"].data, one["predictions"].data)
    only = BandedRidge(**QUICK, bands=("noise",)).run(joined, responses, split)
    assert only["model"].settings["columns"] == {"noise": (0, 9)}
    with pytest.raises(DataError, match="Unknown band 'nois'"):
        BandedRidge(**QUICK, bands=("nois",)).run(joined, responses, split)


def test_one_band_is_plain_ridge():
    features, responses, split, _ = make_problem()
    banded = BandedRidge(**QUICK).run({"only": features}, responses, split)["predictions"]
    plain = Ridge(alphas=QUICK["alphas"], n_inner_folds=3, extend_alphas=0).run(
        features, responses, split
    )["predictions"]
    np.testing.assert_allclose(banded.data, plain.data, atol=1e-5)


def test_beats_ridge_where_bands_differ_in_scale():
    """What banded ridge is for: a band of no use, whose features are the larger."""
    features, responses, split, _ = make_bands()
    features["noise"] = replace(features["noise"], data=10 * features["noise"].data)
    out = BandedRidge(**QUICK, refine_steps=4).run(features, responses, split)["predictions"]
    plain = Ridge(alphas=QUICK["alphas"], n_inner_folds=3).run(
        Concatenate().run(features), responses, split
    )["predictions"]
    truth = responses.data[out.rows["row"]]
    left = [((truth - p.data) ** 2).sum(axis=0) for p in (out, plain)]
    assert (left[0] < left[1]).all()
    assert left[0].sum() < 0.85 * left[1].sum()


def test_validation_rows_choose_and_are_not_fitted():
    features, responses, split, _ = make_bands()
    roles = np.array(split.roles)
    item = np.tile(np.arange(N_ITEMS), 3)
    roles[(roles == TRAIN) & (item % 5 == 0)] = VALIDATION
    split = replace(split, roles=roles)
    before = BandedRidge(**QUICK).run(features, responses, split)["model"]
    changed = np.array(responses.data)
    changed[split.fold(0).validation] += 0.01
    after = BandedRidge(**QUICK).run(features, replace(responses, data=changed), split)["model"]
    old, new = before.for_fold(0), after.for_fold(0)
    chosen_alike = (old["deltas"] == new["deltas"]).all(axis=0)
    assert chosen_alike.any()
    np.testing.assert_array_equal(old["weights"][:, chosen_alike], new["weights"][:, chosen_alike])
    assert (roles == TEST).any(axis=1).all()
    assert before.n_folds == N_FOLDS


def test_bad_settings_are_refused():
    for settings in ({"n_candidates": 0}, {"concentration": (0.0,)}, {"bands": ("a", "a")}):
        with pytest.raises(ValueError, match="validation error"):
            BandedRidge(**settings)
