"""decoding.ridge recovers planted features, also out of fold within its training part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge as Reference

from neurodecode.core.artifacts import (
    TEST,
    TRAIN,
    Features,
    Foldwise,
    Responses,
    Split,
    make_items,
    make_samples,
)
from neurodecode.core.errors import DataError
from neurodecode.core.rows import group_samples
from neurodecode.decoding.ridge import Ridge
from neurodecode.numerics.inner_folds import assign_inner_folds

N_ITEMS, N_REPEATS, N_VOXELS, N_FOLDS = 40, 2, 30, 4
TOKENS = (3, 2)


def make_problem(noise=0.1):
    rng = np.random.default_rng(0)
    values = rng.standard_normal((N_ITEMS, *TOKENS)).astype(np.float32)
    ids = np.array([f"item{i:02d}" for i in range(N_ITEMS)])
    features = Features(data=values[::-1], items=make_items(ids[::-1], values[::-1]),
                        extractor={"name": "toy"})  # fmt: skip
    shown = np.repeat(np.arange(N_ITEMS), N_REPEATS)
    data = values.reshape(N_ITEMS, -1)[shown] @ rng.standard_normal((6, N_VOXELS)) + 10
    data = (data + noise * rng.standard_normal(data.shape)).astype(np.float32)
    samples = make_samples(dataset="toy", stimulus_id=ids[shown])
    roles = np.where(shown % N_FOLDS == np.arange(N_FOLDS)[:, None], TEST, TRAIN).astype(np.int8)
    split = Split(roles=roles, samples=samples, unit="stimulus")
    return Responses(data=data, samples=samples), features, split


def test_planted_features_are_decoded_and_keep_their_shape():
    responses, features, split = make_problem()
    out = Ridge(alphas=(0.1, 10.0)).run(responses, features, split)
    predictions = out["predictions"]
    assert "training" not in out
    assert predictions.data.shape == (N_ITEMS * N_REPEATS, *TOKENS)
    assert predictions.extractor == {"name": "toy"}
    truth = features.read_for(predictions.rows["stimulus_id"])
    assert np.corrcoef(truth.ravel(), predictions.data.ravel())[0, 1] > 0.99
    assert out["model"].for_fold(0)["weights"].shape == (N_VOXELS, 6)


def test_shuffled_items_are_not_decoded():
    responses, features, split = make_problem()
    order = np.random.default_rng(1).permutation(N_ITEMS)
    features = replace(features, data=features.data[order])
    out = Ridge().run(responses, features, split)["predictions"]
    truth = features.read_for(out.rows["stimulus_id"])
    assert np.corrcoef(truth.ravel(), out.data.ravel())[0, 1] < 0.3


@pytest.mark.parametrize("noise", [0.1, 3.0])
def test_nested_predictions_by_a_double_loop(noise):
    responses, features, split = make_problem(noise)
    stage = Ridge(alphas=(0.1, 10.0, 1e3), nested=True, n_inner_folds=3, extend_alphas=0)
    out = stage.run(responses, features, split)
    training = out["training"]
    assert training.role == "training"
    groups = group_samples(responses.samples, "stimulus", "here")
    inner = assign_inner_folds(groups, [f.train for f in split.folds()], 3, stage.seed)
    Y = features.read_for(responses.samples["stimulus_id"]).reshape(-1, 6)
    X = responses.data.astype(np.float64)
    for fold in split.folds():
        labels = inner[fold.number]
        scores = np.zeros((3, 6))
        for a, alpha in enumerate(stage.alphas):
            for k in range(3):
                train, test = np.flatnonzero((labels >= 0) & (labels != k)), labels == k
                predicted = Reference(alpha).fit(X[train], Y[train]).predict(X[test])
                total = ((Y[test] - Y[test].mean(0)) ** 2).sum(0)
                scores[a] += 1 - ((Y[test] - predicted) ** 2).sum(0) / total
        best = np.array(stage.alphas)[scores.argmax(0)]
        expected = np.full(Y.shape, np.nan)
        for k in range(3):
            train, test = np.flatnonzero((labels >= 0) & (labels != k)), labels == k
            expected[test] = Reference(best).fit(X[train], Y[train]).predict(X[test])
        mine = np.flatnonzero(training.rows["fold"] == fold.number)
        np.testing.assert_array_equal(training.rows["row"][mine], fold.train)
        got = training.data[mine].reshape(-1, 6)
        np.testing.assert_allclose(got, expected[fold.train], atol=1e-4)
        np.testing.assert_array_equal(out["model"].for_fold(fold.number)["best_alphas"], best)


def test_a_test_row_cannot_reach_its_fold():
    responses, features, split = make_problem()
    stage = Ridge(alphas=(0.1, 10.0), nested=True)
    before = stage.run(responses, features, split)
    data = np.array(responses.data)
    data[split.fold(1).test] += 100
    after = stage.run(replace(responses, data=data), features, split)
    for name, array in before["model"].for_fold(1).items():
        assert array.tobytes() == after["model"].for_fold(1)[name].tobytes()
    mine = before["training"].rows["fold"] == 1
    assert before["training"].data[mine].tobytes() == after["training"].data[mine].tobytes()


def test_foldwise_responses_may_select_other_voxels_in_each_fold():
    responses, features, split = make_problem()
    steps = Foldwise.identity(N_FOLDS, N_VOXELS, split.digest)
    selected = np.ones((N_FOLDS, N_VOXELS), bool)
    selected[0, :10] = False
    centre = np.random.default_rng(0).standard_normal((N_FOLDS, N_VOXELS))
    steps = replace(steps.then(centre, np.ones(N_VOXELS)), selected=selected)
    out = Ridge(alphas=(1.0,)).run(replace(responses, foldwise=steps), features, split)
    plain = Ridge(alphas=(1.0,)).run(responses, features, split)
    assert out["model"].for_fold(0)["weights"].shape == (N_VOXELS - 10, 6)
    mine = out["predictions"].rows["fold"] > 0
    a, b = out["predictions"].data[mine], plain["predictions"].data[mine]
    np.testing.assert_allclose(a, b, atol=1e-4)  # ridge does not see a shift
    other = replace(steps, split="another")
    with pytest.raises(DataError, match="another split"):
        Ridge().run(replace(responses, foldwise=other), features, split)


def test_constant_features_are_refused_or_predicted():
    responses, features, split = make_problem()
    data = np.array(features.data)
    data[:, 0, 0] = 1.5
    features = replace(features, data=data)
    with pytest.raises(DataError, match="fold 0: ridge: 1 of 6 targets are constant"):
        Ridge().run(responses, features, split)
    out = Ridge(constant_targets="predict").run(responses, features, split)
    np.testing.assert_allclose(out["predictions"].data[:, 0, 0], 1.5)
    assert "constant" in out["model"].settings["warnings"][0]


def test_samples_of_one_source_or_content_stay_together():
    table = make_samples(dataset="toy", stimulus_id=list("abcde")).with_columns(
        source=np.array(["p", "p", "q", "r", "s"]), digest=np.array(list("12233"))
    )
    groups = group_samples(table, "stimulus", "here")
    assert groups[0] == groups[1] == groups[2]
    assert groups[3] == groups[4] != groups[0]
    runs = make_samples(dataset="toy", stimulus_id=list("ab"), session=["01", "02"], run="01")
    assert len(set(group_samples(runs, "run", "here"))) == 2
    with pytest.raises(DataError, match="no column 'category'"):
        group_samples(runs, "category", "here")
