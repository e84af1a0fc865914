"""preprocessing.select_voxels finds planted reliable voxels, on training rows only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import (
    TEST,
    TRAIN,
    Features,
    Foldwise,
    Responses,
    Scores,
    Space,
    Split,
    make_items,
    make_samples,
)
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.numerics.voxel_selection import compute_reliability, score_by_encoding
from neurodecode.preprocessing.select_voxels import SelectVoxels

N_ITEMS, N_REPEATS, N_VOXELS, N_FOLDS = 40, 3, 12, 4
RELIABLE = np.array([1, 4, 5, 9])


def make_problem():
    rng = np.random.default_rng(0)
    shown = np.concatenate([rng.permutation(N_ITEMS) for _ in range(N_REPEATS)])
    signal = np.zeros((N_ITEMS, N_VOXELS))
    signal[:, RELIABLE] = rng.standard_normal((N_ITEMS, len(RELIABLE)))
    data = signal[shown] + 0.7 * rng.standard_normal((len(shown), N_VOXELS)) + 100
    samples = make_samples(dataset="toy", stimulus_id=[f"item{i}" for i in shown])
    rois = {"V1": np.arange(N_VOXELS) < 3, "V2": np.arange(N_VOXELS) == 7}
    space = Space(kind="parcels", names=np.array([f"p{i}" for i in range(N_VOXELS)]), rois=rois)
    roles = np.where(shown % N_FOLDS == np.arange(N_FOLDS)[:, None], TEST, TRAIN)
    split = Split(roles=roles.astype(np.int8), samples=samples, unit="stimulus")
    return Responses(data=data.astype(np.float32), samples=samples, space=space), split


@pytest.mark.parametrize("settings", [{"n_voxels": 4}, {"threshold": 0.35}])
def test_planted_reliable_voxels(settings):
    responses, split = make_problem()
    out = SelectVoxels(**settings).run(responses)
    np.testing.assert_array_equal(out.data, responses.data[:, RELIABLE])
    assert list(out.space.names) == [f"p{i}" for i in RELIABLE]
    assert out.space.rois["V1"].tolist() == [True, False, False, False]
    out = SelectVoxels(**settings).run(responses, split)
    for k in range(N_FOLDS):
        np.testing.assert_array_equal(out.columns(k), RELIABLE)
        np.testing.assert_array_equal(out.read(fold=k), responses.data[:, RELIABLE])


def test_reliability_is_the_mean_correlation_between_repeats():
    responses, _ = make_problem()
    ids = responses.samples["stimulus_id"]
    wanted = np.unique(ids)
    repeats = [
        np.stack([responses.data[np.flatnonzero(ids == i)[r]] for i in wanted]).astype(np.float64)
        for r in range(N_REPEATS)
    ]
    got = compute_reliability(responses.data, ids)
    for v in range(N_VOXELS):
        r = np.corrcoef([repeat[:, v] for repeat in repeats])
        assert got[v] == pytest.approx(r[np.triu_indices(3, 1)].mean())


def test_unequal_repeats_and_single_showings():
    responses, _ = make_problem()
    ids = np.array(responses.samples["stimulus_id"])
    kept = np.concatenate([np.arange(N_ITEMS + 20), [2 * N_ITEMS]])  # one third repeat at most
    got = compute_reliability(responses.data[kept], ids[kept])
    both = [i for i in np.unique(ids) if (ids[kept] == i).sum() > 1]
    pairs = [kept[np.flatnonzero(ids[kept] == i)[:2]] for i in both]
    a, b = (responses.data[[p[r] for p in pairs], 4] for r in (0, 1))
    assert got[4] == pytest.approx(np.corrcoef(a, b)[0, 1])


def test_training_rows_only():
    responses, split = make_problem()
    data = np.array(responses.data)
    test = split.fold(2).test
    item = np.unique(responses.samples["stimulus_id"], return_inverse=True)[1]
    data[test, 0] = 1000 * item[test]  # reliable in fold 2's test rows alone
    out = SelectVoxels(n_voxels=4).run(replace(responses, data=data), split)
    np.testing.assert_array_equal(out.columns(2), RELIABLE)
    assert 0 in out.columns(0)


def test_variance_after_scaling_and_an_earlier_selection():
    responses, split = make_problem()
    data = np.array(responses.data)
    data[:, 8] = 100 + 50 * (data[:, 8] - 100)
    given = replace(responses, data=data)
    assert SelectVoxels(by="variance", n_voxels=1).run(given).space.names.tolist() == ["p8"]
    scale = np.ones(N_VOXELS)
    scale[8] = 1e6
    steps = Foldwise.identity(N_FOLDS, N_VOXELS, split.digest).then(np.zeros(N_VOXELS), scale)
    selected = np.ones((N_FOLDS, N_VOXELS), bool)
    selected[:, 4] = False
    given = replace(given, foldwise=replace(steps, selected=selected))
    out = SelectVoxels(by="variance", n_voxels=3).run(given, split)
    for k in range(N_FOLDS):
        np.testing.assert_array_equal(out.columns(k), [1, 5, 9])
    with pytest.raises(DataError, match="Hand this step the split"):
        SelectVoxels(by="variance", n_voxels=3).run(given)


def test_rois_cut_columns_and_foldwise_numbers_alike():
    responses, split = make_problem()
    steps = Foldwise.identity(N_FOLDS, N_VOXELS, split.digest)
    steps = steps.then(np.arange(N_VOXELS), np.ones(N_VOXELS))
    out = SelectVoxels(by="roi", rois=("V1", "V2")).run(replace(responses, foldwise=steps))
    columns = [0, 1, 2, 7]
    np.testing.assert_allclose(out.read(fold=1), responses.data[:, columns] - np.array(columns))
    assert SelectVoxels(by="roi", rois=("V1",)).sees() == {"responses": "row"}
    with pytest.raises(DataError, match="Unknown roi 'V3'"):
        SelectVoxels(by="roi", rois=("V3",)).run(responses)


def test_refusals():
    responses, split = make_problem()
    with pytest.raises(DataError, match="0 of 40 stimuli are shown more than once"):
        SelectVoxels(n_voxels=4).run(responses.take(np.arange(N_ITEMS)))
    with pytest.raises(DataError, match=r"no voxel reaches a reliability of 0\.99"):
        SelectVoxels(threshold=0.99).run(responses, split)
    with pytest.raises(DataError, match="n_voxels is 13, the responses have 12"):
        SelectVoxels(n_voxels=13).run(responses)
    for settings in ({}, {"n_voxels": 1, "threshold": 0.1}, {"by": "roi"}, {"by": "roi",
                     "rois": ("V1",), "n_voxels": 3}):  # fmt: skip
        with pytest.raises(ValueError, match="takes"):
            SelectVoxels(**settings)


# ------------------------------------------------------------------- by encoding score, by scores

ENCODED = np.array([2, 6, 7])


def make_encoding_problem():
    """Three voxels follow the features; the reliable ones follow the stimulus, not its features."""
    responses, split = make_problem()
    rng = np.random.default_rng(1)
    values = rng.standard_normal((N_ITEMS, 5)).astype(np.float32)
    ids = [f"item{i}" for i in range(N_ITEMS)]
    features = Features(data=values, items=make_items(ids, values))
    data = np.array(responses.data)
    drawn = values @ rng.standard_normal((5, len(ENCODED)))
    place = np.array([ids.index(i) for i in responses.samples["stimulus_id"]])
    data[:, ENCODED] += 1.5 * drawn[place]
    return replace(responses, data=data), split, features


@pytest.mark.parametrize("metric", ["r", "r2"])
@pytest.mark.parametrize("how", [{"n_voxels": 3}, {"threshold": 0.6}])
def test_voxels_that_features_predict_are_found(metric, how):
    responses, split, features = make_encoding_problem()
    stage = SelectVoxels(by="encoding", metric=metric, **how)
    out = stage.run(responses, features=features)
    assert list(out.space.names) == [f"p{i}" for i in ENCODED]
    out = stage.run(responses, split, features)
    for k in range(N_FOLDS):
        np.testing.assert_array_equal(out.columns(k), ENCODED)


def test_the_encoding_score_is_that_of_scikit_learn():
    """One alpha; r within each inner fold and Fisher's mean; R² over the folds' own totals."""
    from sklearn.linear_model import Ridge

    responses, _, features = make_encoding_problem()
    ids = responses.samples["stimulus_id"]
    X, Y = features.read_for(ids).astype(float), np.asarray(responses.data, float)
    groups = np.unique(ids, return_inverse=True)[1]
    options = {"alphas": (3.0,), "n_folds": 4, "seed": 5}
    got = {m: score_by_encoding(X, Y, groups, metric=m, **options) for m in ("r", "r2")}
    from neurodecode.numerics.inner_folds import assign_folds

    folds = assign_folds(groups, 4, 5)
    z, left, total = [], 0, 0
    for k in range(4):
        test = folds == k
        guess = Ridge(alpha=3.0).fit(X[~test], Y[~test]).predict(X[test])
        r = [np.corrcoef(guess[:, v], Y[test, v])[0, 1] for v in range(N_VOXELS)]
        z.append(np.arctanh(r))
        left = left + ((Y[test] - guess) ** 2).sum(axis=0)
        total = total + ((Y[test] - Y[test].mean(axis=0)) ** 2).sum(axis=0)
    np.testing.assert_allclose(got["r"], np.tanh(np.mean(z, axis=0)), atol=1e-6)
    np.testing.assert_allclose(got["r2"], 1 - left / total, atol=1e-6)


def test_encoding_scores_come_from_training_rows_alone():
    """A voxel that follows the features in fold 1's test rows only is not chosen by fold 1."""
    responses, split, features = make_encoding_problem()
    test = split.fold(1).test
    data = np.array(responses.data)
    data[test, 0] = 1000 * features.read_for(responses.samples["stimulus_id"][test])[:, 0]
    stage = SelectVoxels(by="encoding", n_voxels=4)
    out = stage.run(replace(responses, data=data), split, features)
    assert [0 in out.columns(k) for k in range(N_FOLDS)] == [True, False, True, True]
    assert all(np.isin(ENCODED, out.columns(k)).all() for k in range(N_FOLDS))


def test_what_selection_looks_at_decides_its_contact():
    kinds = {
        by: SelectVoxels(by=by, **({"rois": ("V1",)} if by == "roi" else {"n_voxels": 1}))
        for by in ("reliability", "variance", "encoding", "scores", "roi")
    }
    labelled = {by for by, stage in kinds.items() if stage.contact_of() == "label"}
    assert labelled == {"encoding", "scores"}
    assert kinds["encoding"].sees()["responses"] == "training"
    assert kinds["scores"].sees()["responses"] == "row"


def test_selection_by_earlier_scores():
    responses, split = make_problem()
    values = np.linspace(0, 1, N_VOXELS)
    values[-1] = np.nan
    columns = {
        "name": ["r"],
        "value": [0.5],
        "low": [0.0],
        "high": [1.0],
        "chance": [0.0],
        "n": [1],
    }
    scores = Scores(
        values=values, over="voxels", items=Table({"voxel": np.arange(N_VOXELS)}),
        metric="correlation", scale="r", summary=Table(columns),
    )  # fmt: skip
    out = SelectVoxels(by="scores", n_voxels=2).run(responses, scores=scores)
    assert list(out.space.names) == ["p9", "p10"], "and never one without a score"
    out = SelectVoxels(by="scores", threshold=0.75).run(responses, split, scores=scores)
    assert list(out.space.names) == ["p9", "p10"]
    with pytest.raises(DataError, match="12 voxels, 11 of them with a value"):
        SelectVoxels(by="scores", n_voxels=12).run(responses, scores=scores)
    few = SelectVoxels(by="roi", rois=("V1",)).run(responses)
    with pytest.raises(DataError, match="12 values over voxels, the responses have 3"):
        SelectVoxels(by="scores", n_voxels=1).run(few, scores=scores)


def test_inputs_that_do_not_belong_are_refused():
    responses, split, features = make_encoding_problem()
    with pytest.raises(DataError, match="by: encoding needs features"):
        SelectVoxels(by="encoding", n_voxels=1).run(responses, split)
    with pytest.raises(DataError, match=r"takes no features.*by: encoding"):
        SelectVoxels(by="variance", n_voxels=1).run(responses, split, features)
    with pytest.raises(DataError, match="by: scores needs scores"):
        SelectVoxels(by="scores", n_voxels=1).run(responses, split)
    stage = SelectVoxels(by="encoding", n_voxels=1, n_inner_folds=40)
    with pytest.raises(DataError, match="Allowed: 3 or more"):
        stage.run(responses.take(np.arange(N_ITEMS)), features=features)
