from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from neurodecode.core.errors import DataError
from neurodecode.evaluation.compare import Compare
from neurodecode.evaluation.identification import Identification
from tests.evaluation.evaluation_data import make_features, make_predictions


def score(data, true, n_way=()):
    stage = Identification(n_way=n_way, n_permutations=9, n_bootstrap=100)
    return stage.run(make_predictions(data), make_features(true))


def test_compare_is_paired_and_finds_the_planted_difference():
    rng = np.random.default_rng(1)
    true = rng.normal(size=(40, 10))
    noise = rng.normal(size=true.shape)
    good, poor = score(true + noise, true), score(true + 2.5 * noise, true)
    scores = Compare().run(good, poor)
    difference = good.values - poor.values
    np.testing.assert_allclose(scores.values, difference)
    assert scores.summary["value"][0] == pytest.approx(difference.mean())
    assert scores.summary["low"][0] > 0
    assert scores.summary["p"][0] < 0.01
    reference = stats.permutation_test(
        (good.values, poor.values), lambda a, b: (a - b).mean(), permutation_type="samples",
        n_resamples=2000, rng=0,
    ).pvalue  # fmt: skip
    assert scores.summary["p"][0] == pytest.approx(reference, abs=0.01)
    same = Compare().run(good, good)
    assert same.summary["p"][0] == 1


def test_compare_refuses_other_items_and_metrics():
    rng = np.random.default_rng(2)
    true = rng.normal(size=(20, 5))
    whole, part = score(true, true), score(true[:10], true[:10])
    with pytest.raises(DataError, match="different items"):
        Compare().run(whole, part)
    with pytest.raises(DataError, match="metric is"):
        Compare().run(whole, replace(whole, metric="other"))
