"""evaluation.split_scores: shares of planted bands, through the encoder."""

from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.encoding.banded_ridge import BandedRidge
from neurodecode.evaluation.encoding import Encoding
from neurodecode.evaluation.split_scores import SplitScores
from tests.encoding.test_banded_ridge import QUICK, make_bands
from tests.examples import make_band_predictions, make_predictions, make_responses


@pytest.mark.parametrize("metric", ["r", "r2"])
def test_the_planted_band_has_all_of_the_score(metric):
    features, responses, split, _ = make_bands()
    out = BandedRidge(**QUICK, by_band=True).run(features, responses, split)
    scores = SplitScores(metric=metric, n_bootstrap=50).run(out["band_predictions"], responses)
    plain = Encoding(metric=metric, n_permutations=0, n_bootstrap=2).run(
        out["predictions"], responses
    )
    np.testing.assert_allclose(scores.values, plain.values, atol=1e-4)
    signal, noise = (scores.items[f"share of {name}"] for name in ("signal", "noise"))
    np.testing.assert_allclose(signal + noise, scores.values, atol=1e-12)
    assert (signal > 0.5).all()
    assert (np.abs(noise) < 0.05).all()
    table = scores.summary
    assert table["name"].tolist()[1:] == ["mean share of signal", "mean share of noise"]
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()


def test_regions_have_rows_of_their_own():
    scores = SplitScores(n_bootstrap=20, rois=("V1",)).run(
        make_band_predictions(), make_responses()
    )
    names = scores.summary["name"].tolist()
    assert names[3:] == ["mean joint R², V1", "mean share of low, V1", "mean share of high, V1"]
    share = scores.items["share of low"][:4].mean()
    np.testing.assert_allclose(scores.summary["value"][4], share)


def test_predictions_that_do_not_fit_are_refused():
    stage, responses = SplitScores(n_bootstrap=5), make_responses()
    with pytest.raises(DataError, match="not by band"):
        stage.run(make_predictions("responses"), responses)
    fewer = replace(responses, data=responses.data[:, :5])
    with pytest.raises(DataError, match="predicts 8 voxels, the responses have 5"):
        stage.run(make_band_predictions(), fewer)
    with pytest.raises(DataError, match="Unknown roi 'V9'"):
        SplitScores(rois=("V9",)).run(make_band_predictions(), responses)
