import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import r2_score

from neurodecode.core.artifacts import Foldwise, Scores
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.evaluation.encoding import Encoding
from tests.evaluation.evaluation_data import make_predictions, make_responses

QUICK = {"n_permutations": 99, "n_bootstrap": 50}


def plant(n=60, n_voxels=6, n_folds=3, strength=1.0, seed=0, **columns):
    rng = np.random.default_rng(seed)
    measured = rng.normal(size=(n, n_voxels))
    predicted = strength * measured + rng.normal(size=(n, n_voxels)) + 0.3
    fold = np.arange(n) % n_folds
    responses = make_responses(measured, **columns)
    named = {k: v for k, v in columns.items() if k != "t_r"}
    return make_predictions(predicted, fold=fold, of="responses", **named), responses, fold


def test_r_within_folds_equals_scipy():
    predictions, responses, fold = plant()
    scores = Encoding(**QUICK).run(predictions, responses)
    for v in range(6):
        z = [
            np.arctanh(
                stats.pearsonr(
                    predictions.data[fold == k, v], responses.data[fold == k, v]
                ).statistic
            )
            for k in range(3)
        ]
        assert scores.values[v] == pytest.approx(np.tanh(np.mean(z)))
    assert scores.scale == "r"
    assert scores.summary["p"][0] == pytest.approx(0.01)


def test_r2_equals_scikit_learn_and_can_be_negative():
    predictions, responses, _ = plant(n_folds=1, strength=0.2)
    scores = Encoding(metric="r2", **QUICK).run(predictions, responses)
    expected = r2_score(responses.data, predictions.data, multioutput="raw_values")
    np.testing.assert_allclose(scores.values, expected)
    assert (scores.values < 0).all()
    assert scores.scale == "r2"


def test_rows_are_joined_by_name():
    predictions, responses, _ = plant()
    order = np.random.default_rng(1).permutation(60)
    first = Encoding(**QUICK).run(predictions, responses)
    again = Encoding(**QUICK).run(predictions.take(order), responses)
    np.testing.assert_allclose(first.values, again.values)
    assert first.test_set == again.test_set


def test_pooled_correlation_is_biased_and_within_folds_is_not():
    # Predicting the training mean: the very case that pooling punishes.
    rng = np.random.default_rng(0)
    measured = rng.normal(size=(40, 300))
    fold = np.arange(40) % 10
    predicted = np.stack([measured[fold != f].mean(axis=0) for f in fold])
    predicted += 0.01 * rng.normal(size=predicted.shape)
    predictions = make_predictions(predicted, fold=fold, of="responses")
    responses = make_responses(measured)
    medians = {
        within: Encoding(within=within, **QUICK).run(predictions, responses).summary["value"][0]
        for within in ("fold", "pooled")
    }
    assert medians["pooled"] < -0.3
    assert abs(medians["fold"]) < 0.1


def test_p_is_uniform_under_the_null_and_the_maximum_controls_the_family():
    p, hits = [], 0
    for seed in range(40):
        predictions, responses, _ = plant(n=24, n_voxels=8, n_folds=2, strength=0, seed=seed)
        scores = Encoding(n_permutations=99, n_bootstrap=2).run(predictions, responses)
        p.append(scores.p[0])
        hits += scores.items["p_max"].min() <= 0.05
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert hits <= 6  # 2 expected
    assert any("smallest attainable p is 0.01" in n for n in scores.notices)


def test_repeats_move_together():
    # One stimulus shown ten times in a row, five stimuli: rows are far from exchangeable.
    p = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        ids = np.repeat([f"s{i}" for i in range(6)], 8)
        measured, predicted = (np.repeat(rng.normal(size=(6, 1)), 8, axis=0) for _ in range(2))
        measured = measured + 0.1 * rng.normal(size=measured.shape)
        predictions = make_predictions(predicted, ids, of="responses")
        stage = Encoding(n_permutations=99, n_bootstrap=2)
        p.append(stage.run(predictions, make_responses(measured, ids)).p[0])
    assert np.mean(np.array(p) <= 0.05) < 0.15


def test_interval_of_the_median_covers():
    hits = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        measured = rng.normal(size=(40, 5))
        predicted = measured + rng.normal(size=(40, 5))  # r = sqrt(1/2)
        stage = Encoding(n_permutations=0, n_bootstrap=200, seed=seed)
        predictions = make_predictions(predicted, fold=np.arange(40) % 2, of="responses")
        table = stage.run(predictions, make_responses(measured)).summary
        hits += table["low"][0] <= np.sqrt(0.5) <= table["high"][0]
    assert hits >= 51


def test_time_series_get_no_p():
    predictions, responses, _ = plant(t_r=2.0)
    scores = Encoding(**QUICK).run(predictions, responses)
    assert scores.p is None
    assert any("cannot be exchanged" in notice for notice in scores.notices)
    assert np.isfinite(scores.summary["low"][0])


def test_runs_are_kept_apart():
    run = np.repeat(["01", "02"], 30)
    predictions, responses, _ = plant(n_folds=1, run=run)
    scores = Encoding(within="run", **QUICK).run(predictions, responses)
    parts = [
        np.arctanh(np.corrcoef(predictions.data[r, 0], responses.data[r, 0])[0, 1])
        for r in (slice(0, 30), slice(30, 60))
    ]
    assert scores.values[0] == pytest.approx(np.tanh(np.mean(parts)))


def test_voxels_selected_by_fold_and_constant_ones():
    predictions, responses, fold = plant()
    steps = Foldwise.identity(3, 6, "")
    steps.selected[0, 0] = False
    steps.selected[:, 1] = False
    responses = responses.__class__(data=responses.data, samples=responses.samples, foldwise=steps)
    scores = Encoding(**QUICK).run(predictions, responses)
    z = [
        np.arctanh(np.corrcoef(predictions.data[fold == k, 0], responses.data[fold == k, 0])[0, 1])
        for k in (1, 2)
    ]
    assert scores.values[0] == pytest.approx(np.tanh(np.mean(z)))
    assert np.isnan(scores.values[1])
    assert np.isnan(scores.q[1])
    assert any("1 voxels have no score" in n for n in scores.notices)


def test_ceiling_keeps_its_unit():
    predictions, responses, _ = plant()
    summary = Table({k: [0.0] for k in ("value", "low", "high", "chance", "n")}).with_columns(
        name=["x"]
    )
    values = np.array([0.05, 0.9, 0.9, 0.9, 0.9, 0.9])
    ceiling = Scores(values=values, over="voxels", metric="c", scale="r", summary=summary)
    scores = Encoding(**QUICK).run(predictions, responses, ceiling)
    assert scores.summary["n"][-1] == 5
    assert scores.summary["value"][-1] == pytest.approx(np.median(scores.values[1:] / 0.9))
    with pytest.raises(DataError, match="never mix"):
        Encoding(metric="r2", **QUICK).run(predictions, responses, ceiling)


def test_refusals():
    predictions, responses, _ = plant(n=8, n_folds=4)
    with pytest.raises(DataError, match="3 or more"):
        Encoding().run(predictions, responses)
    Encoding(within="pooled", **QUICK).run(predictions, responses)
    with pytest.raises(DataError, match="absent"):
        Encoding().run(predictions, responses.take(np.arange(4)))
    with pytest.raises(DataError, match="predicted features"):
        Encoding().run(make_predictions(np.zeros((8, 6))), responses)
