from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter
from sklearn.linear_model import Ridge

from neurodecode.core.artifacts import Space
from neurodecode.core.errors import DataError
from neurodecode.evaluation.compare_encoders import CompareEncoders
from neurodecode.evaluation.encoding import Encoding
from tests.evaluation.evaluation_data import make_predictions, make_responses

QUICK = {"n_permutations": 199, "n_bootstrap": 50}


def plant(gain=0.0, n_rows=120, n_runs=3, n_voxels=20, seed=0, t_r=2.0, rho=0.5):
    """Return two encoders that see the signal alike, or the first better by ``gain``."""
    rng = np.random.default_rng(seed)
    n = n_rows * n_runs
    signal, noise, a, b = lfilter([1], [1, -rho], rng.normal(size=(4, n, n_voxels)), axis=1)
    run = np.repeat([f"{k}" for k in range(n_runs)], n_rows)
    columns = {"run": run, "onset_s": np.tile(2.0 * np.arange(n_rows), n_runs)}
    fold = run.astype(int)
    responses = make_responses(signal + noise, t_r=t_r, **columns)
    rois = {"V1": np.arange(n_voxels) < 5}
    responses = replace(responses, space=Space(rois=rois))
    first, second = (
        make_predictions(x, fold=fold, of="responses", **columns)
        for x in (3 * ((1 + gain) * signal + a), signal + b)
    )
    return first, second, responses


@pytest.mark.parametrize("metric", ["r", "r2"])
def test_the_difference_is_that_of_the_two_scores(metric):
    first, second, responses = plant()
    found = CompareEncoders(metric=metric, **QUICK).run(first, second, responses)
    one, two = (
        Encoding(metric=metric, null="none", n_bootstrap=2).run(p, responses).values
        for p in (first, second)
    )
    np.testing.assert_allclose(found.values, one - two)
    assert found.summary["value"][0] == pytest.approx(np.median(one - two))
    assert found.summary["value"][1] == pytest.approx((one - two)[:5].mean())
    assert found.summary["name"].tolist()[1] == "V1: first − second"


@pytest.mark.parametrize(("t_r", "rho"), [(2.0, 0.5), (None, 0.0)])
def test_alike_encoders_differ_by_chance_and_a_better_one_is_found(t_r, rho):
    p = []
    for seed in range(25):
        stage = CompareEncoders(n_permutations=199, n_bootstrap=2, seed=seed, within="run")
        *two, responses = plant(seed=seed, t_r=t_r, rho=rho)
        rows = two[0].rows.with_columns(fold=np.zeros(360, int))  # as predicted by one model
        p.append(stage.run(*(replace(one, rows=rows) for one in two), responses).p)
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.1
    found = CompareEncoders(**QUICK).run(*plant(1.0, n_rows=400, t_r=t_r, rho=rho))
    assert (found.q < 0.05).mean() > 0.9
    assert found.summary["p"][0] < 0.01
    assert found.summary["low"][0] > 0
    assert any("smallest attainable p" in n for n in found.notices)


def test_p_hold_where_folds_train_each_others_models():
    rng = np.random.default_rng(3)
    p, n = [], 240
    for seed in range(12):
        Y, fold = rng.normal(size=(n, 60)), np.repeat(np.arange(4), n // 4)
        two = np.empty((2, n, 60))
        for predicted, X in zip(two, rng.normal(size=(2, n, 10)), strict=True):
            for k in range(4):
                train, test = fold != k, fold == k
                predicted[test] = Ridge(10.0).fit(X[train], Y[train]).predict(X[test])
        first, second = (make_predictions(one, fold=fold, of="responses") for one in two)
        stage = CompareEncoders(n_permutations=199, n_bootstrap=2, labels=("a", "b"), seed=seed)
        found = stage.run(first, second, make_responses(Y))
        p.append(found.p)
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.08  # 720 voxels; 0.16 without widening
    assert found.summary["name"][0] == "median: a − b"
    assert any("train each other's models" in notice for notice in found.notices)


def test_rows_in_another_order_are_joined_by_name():
    first, second, responses = plant()
    order = np.random.default_rng(0).permutation(len(second.data))
    found = CompareEncoders(**QUICK).run(first, second, responses)
    again = CompareEncoders(**QUICK).run(first, second.take(order), responses)
    np.testing.assert_allclose(found.values, again.values)
    np.testing.assert_allclose(found.p, again.p)


def test_the_family_is_held():
    wrong = 0
    for seed in range(30):
        stage = CompareEncoders(correction="max", n_permutations=99, n_bootstrap=2, seed=seed)
        wrong += (stage.run(*plant(seed=seed)).q <= 0.05).any()
    assert wrong <= 5  # 1.5 expected


def test_refusals():
    first, second, responses = plant()
    with pytest.raises(DataError, match="360 and 200 rows; 200 samples are shared, and 200"):
        CompareEncoders().run(first, second.take(np.arange(200)), responses)
    folds = second.rows.with_columns(fold=(second.rows["fold"] + 1) % 3)
    with pytest.raises(DataError, match="360 samples are shared, and 0 of them"):
        CompareEncoders().run(first, replace(second, rows=folds), responses)
    with pytest.raises(DataError, match="Fit both"):
        CompareEncoders().run(first, replace(second, data=second.data[:, :5]), responses)
    twice = np.r_[np.arange(360), np.arange(360)]
    folds = np.repeat([0, 1], 360)
    both = [
        replace(p, data=p.data[twice], rows=p.rows.take(twice).with_columns(fold=folds))
        for p in (first, second)
    ]
    with pytest.raises(DataError, match="tested in several folds"):
        CompareEncoders().run(*both, responses)
    short = plant(n_rows=20, n_runs=1)
    found = CompareEncoders(block_s=10.0, n_bootstrap=20).run(*short)
    assert any("too few to find a difference" in n for n in found.notices)
    assert found.p.min() >= 2 / 16
