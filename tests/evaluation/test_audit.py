from dataclasses import replace

import numpy as np
import pytest
from neurodecode.evaluation.audit import Audit

from neurodecode.evaluation.identification import Identification
from tests.evaluation.evaluation_data import make_features, make_predictions


def score(data, true, n_way=()):
    stage = Identification(n_way=n_way, n_permutations=9, n_bootstrap=100)
    return stage.run(make_predictions(data), make_features(true))


def make_case(noise, n_shuffles=19):
    rng = np.random.default_rng(0)
    true = rng.normal(size=(25, 10))
    real = score(true + noise * rng.normal(size=true.shape), true)
    shuffled = {
        str(k): score(true[rng.permutation(25)] + noise * rng.normal(size=true.shape), true)
        for k in range(n_shuffles)
    }
    others = {
        "prior_only": score(rng.normal(size=true.shape), true),
        "true_features": score(true, true),
    }
    return real, shuffled, others


def test_a_real_result_is_above_its_controls():
    real, shuffled, others = make_case(noise=1.0)
    scores = Audit().run(real, shuffled, others)
    table = scores.summary
    null = np.array([s.summary["value"][0] for s in shuffled.values()])
    assert table["null_mean"][0] == pytest.approx(null.mean())
    assert table["null_sd"][0] == pytest.approx(null.std(ddof=1))
    assert table["p"][0] == pytest.approx(0.05)
    assert table["p_permutation"][0] == pytest.approx(0.1)
    np.testing.assert_allclose(scores.null, null)
    at = table["name"].tolist().index("control: prior_only / pairwise")
    difference = real.values - others["prior_only"].values
    assert table["diff"][at] == pytest.approx(difference.mean())
    assert table["diff_low"][at] < table["diff"][at] < table["diff_high"][at]
    assert np.isnan(table["diff"][0])
    assert np.isnan(table["null_mean"][at])
    assert scores.notices[-1].startswith("Above all its controls: pairwise")
    assert "true_features" not in scores.notices[-1]


def test_a_result_without_the_brain_is_reported_as_such():
    real, shuffled, others = make_case(noise=1000.0)
    scores = Audit().run(real, shuffled, others)
    assert scores.notices[-1].startswith("NOT above its controls: pairwise")
    assert "shuffled brain" in scores.notices[-1]
    assert "prior_only" in scores.notices[-1]


def test_few_shuffles_are_named():
    real, shuffled, _ = make_case(noise=1.0, n_shuffles=4)
    scores = Audit().run(real, shuffled)
    assert any("cannot give p below 0.2" in notice for notice in scores.notices)
    alone = Audit().run(real)
    assert alone.summary["name"].tolist() == real.summary["name"].tolist()


def test_distances_are_better_when_lower():
    real, shuffled, others = make_case(noise=1.0)
    turned = [
        {k: replace(s, scale="distance", summary=s.summary.with_columns(value=-s.summary["value"]),
                    items=s.items.with_columns(pairwise=-s.items["pairwise"]))
         for k, s in group.items()}
        for group in ({"real": real}, shuffled, others)
    ]  # fmt: skip
    scores = Audit().run(turned[0]["real"], turned[1], turned[2])
    assert scores.summary["p"][0] == pytest.approx(0.05)
    assert scores.notices[-1].startswith("Above all")
