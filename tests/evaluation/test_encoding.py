from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from neurodecode.core.artifacts import Foldwise, Scores, Space
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.evaluation import held_out
from neurodecode.evaluation.encoding import Encoding
from neurodecode.evaluation.held_out import open_held_out
from neurodecode.evaluation.neighbours import link_space
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


def plant_series(n_voxels=40, n_rows=120, n_runs=3, r=0.0, rho=0.5, seed=0, options=()):
    """Return predictions and responses of runs, one fold per run, voxels in a volume."""
    rng = np.random.default_rng(seed)
    n = n_rows * n_runs
    x, y = lfilter([1], [1, -rho], rng.normal(size=(2, n, n_voxels)), axis=1)
    run = np.repeat([f"{k}" for k in range(n_runs)], n_rows)
    onset = np.tile(2.0 * np.arange(n_rows), n_runs)
    columns = {"run": run, "onset_s": onset}
    predictions = make_predictions(x, fold=run.astype(int), of="responses", **columns)
    responses = make_responses(r * x + np.sqrt(1 - r**2) * y, t_r=2.0, **columns)
    mask = np.zeros((8, 5, 1), bool)
    mask.ravel()[:n_voxels] = True
    space = Space(kind="volume", mask=mask, affine=np.eye(4), **dict(options))
    return predictions, replace(responses, space=space)


@pytest.mark.parametrize("null", ["auto", "phases", "blocks", "circular_shift"])
def test_time_series_get_p_values_that_hold_and_find(null):
    p = []
    for seed in range(100, 130):
        predictions, responses = plant_series(seed=seed)
        one_model = predictions.rows.with_columns(fold=np.zeros(360, int))
        stage = Encoding(null=null, n_permutations=199, n_bootstrap=2, seed=seed, within="run")
        scores = stage.run(replace(predictions, rows=one_model), responses)
        p.append(scores.p)
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.085  # 1,200 voxels, 30 draws of permutations
    assert any("independent samples" in n for n in scores.notices)
    assert abs(scores.summary["chance"][0]) < 0.02
    predictions, responses = plant_series(r=0.4)
    scores = Encoding(null=null, n_permutations=400, n_bootstrap=50).run(predictions, responses)
    assert (scores.q < 0.05).all()
    assert scores.summary["low"][0] < scores.summary["value"][0] < scores.summary["high"][0]


@pytest.mark.parametrize("metric", ["r", "r2"])
@pytest.mark.parametrize("t_r", [None, 2.0])
def test_p_hold_where_folds_train_each_others_models(t_r, metric):
    rng = np.random.default_rng(7)
    p, plain = [], []
    for seed in range(15):
        n, d, run = 300, 10, np.repeat(np.arange(3), 100)
        X = rng.normal(size=(n, d))
        Y = lfilter([1], [1, -0.3], rng.normal(size=(n, 60)), axis=0)
        predicted = np.empty_like(Y)
        for k in range(3):
            train, test = run != k, run == k
            predicted[test] = Ridge(10.0).fit(X[train], Y[train]).predict(X[test])
        columns = {"run": run.astype(str), "onset_s": np.tile(2.0 * np.arange(100), 3)}
        predictions = make_predictions(predicted, fold=run, of="responses", **columns)
        responses = make_responses(Y, **columns, **({"t_r": t_r} if t_r else {}))
        stage = Encoding(metric=metric, n_permutations=199, n_bootstrap=2, seed=seed)
        scores = stage.run(predictions, responses)
        assert any("train each other's models" in notice for notice in scores.notices)
        p.append(scores.p)
        # the same rows as if one model had predicted them: what the folds share is then missed
        rows = predictions.rows.with_columns(fold=np.zeros(n, int))
        one = stage.model_copy(update={"within": "run"})
        plain.append(one.run(replace(predictions, rows=rows), responses).p)
    assert 0.015 <= np.mean(np.array(p) <= 0.05) <= 0.07  # 900 voxels
    assert np.mean(np.array(plain) <= 0.05) > 0.075


def test_a_null_that_does_not_hold_is_refused_and_auto_says_why():
    predictions, responses, _ = plant(t_r=2.0)  # every third scan is held out: none follows another
    scores = Encoding(**QUICK).run(predictions, responses)
    assert scores.p is None
    assert any("no null of a time series holds" in notice for notice in scores.notices)
    middling = plant_series(rho=0.8)
    assert "p_max" not in Encoding(**QUICK).run(*middling).items
    scores = Encoding(correction="max", **QUICK).run(*middling)
    assert scores.p is None
    assert any("family-wise correction: 40" in notice for notice in scores.notices)
    slow = plant_series(rho=0.98)
    assert Encoding(**QUICK).run(*slow).p is None
    for null in ("phases", "blocks", "circular_shift", "exchange"):
        with pytest.raises(DataError, match=f"the null '{null}' does not hold here"):
            Encoding(null=null, **QUICK).run(*slow)
    usual = plant_series(rho=0.7)
    with pytest.raises(DataError, match="blocks of 2 scans lose"):
        Encoding(null="blocks", block_s=4.0, **QUICK).run(*usual)
    with pytest.raises(DataError, match="shifts are left out"):
        Encoding(null="circular_shift", min_shift_s=20.0, **QUICK).run(*usual)
    with pytest.raises(DataError, match="family-wise"):
        Encoding(null="blocks", correction="max", block_s=40.0, **QUICK).run(*usual)
    assert "p_max" not in Encoding(null="blocks", **QUICK).run(*usual).items
    assert Encoding(null="none", **QUICK).run(*usual).p is None
    trials = plant()[:2]
    with pytest.raises(DataError, match="works in time"):
        Encoding(null="blocks", **QUICK).run(*trials)


def test_the_shortest_part_decides_which_null_holds():
    predictions, responses = plant_series(n_rows=200, n_runs=2, rho=0.8)
    assert Encoding(**QUICK).run(predictions, responses).p is not None
    kept = np.arange(208)  # the second run is left with 8 scans, and weighs as much as the first
    short = Encoding(**QUICK).run(predictions.take(kept), responses)
    assert short.p is None
    assert any("8 scans in a row" in notice for notice in short.notices)


def test_memory_is_measured_where_no_voxel_is_selected_in_every_fold():
    predictions, responses = plant_series(rho=0.98)
    steps = Foldwise.identity(3, 40, "")
    steps.selected[0, :20], steps.selected[1, 20:] = False, False
    scores = Encoding(**QUICK).run(predictions, replace(responses, foldwise=steps))
    assert scores.p is None, "slow series are slow in the voxels that a fold selected, too"


def test_predictions_never_move_across_runs():
    predictions, responses = plant_series(n_voxels=3)
    held = open_held_out(predictions, responses, within="fold", unit="stimulus", where="here")
    assert [len(rows) for rows in held.segments] == [120, 120, 120]
    one_fold = predictions.rows.with_columns(fold=np.zeros(360, int))
    held = open_held_out(
        replace(predictions, rows=one_fold), responses, within="fold", unit="stimulus", where="here"
    )
    assert [len(rows) for rows in held.segments] == [120, 120, 120]
    gone = np.delete(np.arange(360), 50)
    held = open_held_out(
        predictions.take(gone[::-1]), responses, within="pooled", unit="stimulus", where="here"
    )
    assert sorted(len(rows) for rows in held.segments) == [50, 69, 120, 120]
    onset = responses.samples["onset_s"][held.rows]
    for rows in held.segments:
        assert np.allclose(np.diff(onset[rows]), 2.0)


def test_samples_tested_twice_get_no_p():
    predictions, responses = plant_series()
    twice = np.r_[np.arange(360), np.arange(360)]
    rows = predictions.rows.take(twice)
    rows = rows.with_columns(fold=np.r_[rows["fold"][:360], rows["fold"][360:] + 3])
    again = replace(predictions, data=np.asarray(predictions.data)[twice], rows=rows)
    scores = Encoding(**QUICK).run(again, responses)
    assert scores.p is None
    assert any("tested in several folds" in n for n in scores.notices)


@pytest.mark.parametrize("correction", ["max", "cluster_size", "cluster_mass", "tfce", "fdr_by"])
def test_corrections_find_a_planted_blob(correction):
    predictions, responses = plant_series()
    data = np.array(responses.data)
    data[:, :10] += 1.5 * np.asarray(predictions.data)[:, :10]
    stage = Encoding(
        correction=correction,
        n_permutations=1000 if correction == "fdr_by" else 99,
        n_bootstrap=2,
        cluster_p=0.01,
    )
    scores = stage.run(predictions, replace(responses, data=data))
    assert (scores.q[:10] < 0.05).all()
    assert (scores.q[10:] < 0.05).sum() <= 2


def test_clusters_need_neighbours_and_bounded_memory():
    predictions, responses = plant_series()
    with pytest.raises(DataError, match="no neighbours that are known"):
        Encoding(correction="tfce", **QUICK).run(predictions, replace(responses, space=Space()))
    surface = Space(kind="surface", mesh="other", vertices=np.arange(40))
    with pytest.raises(DataError, match="triangles of the mesh 'other'"):
        Encoding(correction="tfce", **QUICK).run(predictions, replace(responses, space=surface))
    with pytest.raises(DataError, match="keeps the null maps"):
        Encoding(correction="tfce", n_permutations=50_000_000).run(predictions, responses)


def test_clusters_on_a_surface():
    predictions, responses = plant_series()
    from nilearn.datasets import load_fsaverage

    faces = np.asarray(load_fsaverage("fsaverage5")["white_matter"].parts["right"].faces)
    ring = np.unique(faces[(faces == 5).any(axis=1)])  # a vertex of the right side, its neighbours
    rest = np.setdiff1d(np.arange(0, 10_000, 300), ring)[: 40 - len(ring)]
    data = np.array(responses.data)
    data[:, : len(ring)] += np.asarray(predictions.data)[:, : len(ring)]
    vertices = np.concatenate([ring, rest]) + 10_242
    space = Space(kind="surface", mesh="fsaverage5", vertices=vertices)
    edges = link_space(space, 40, "here")
    assert len(edges) >= len(ring) - 1
    assert edges.max() < len(ring)
    stage = Encoding(correction="cluster_size", n_permutations=99, n_bootstrap=2, cluster_p=0.01)
    scores = stage.run(predictions, replace(responses, data=data, space=space))
    assert (scores.q[: len(ring)] < 0.05).all()


def test_voxels_come_in_blocks_and_from_files_with_the_same_result(store, monkeypatch):
    predictions, responses = plant_series(r=0.2)
    whole = Encoding(**QUICK).run(predictions, responses)
    given = {"predictions": predictions, "responses": responses}
    stored = store.read(store.write("test.step", "key", given, {}))
    monkeypatch.setattr(held_out, "READ_BYTES", 16 * 360 * 7)  # seven voxels
    monkeypatch.setattr(held_out, "ROWS_BYTES", 8 * 40 * 11)  # eleven rows
    blocks = open_held_out(
        predictions, responses, within="fold", unit="stimulus", where="here"
    ).list_blocks()
    assert len(blocks) == 6
    again = Encoding(**QUICK).run(stored["predictions"], stored["responses"])
    np.testing.assert_allclose(whole.values, again.values)
    np.testing.assert_allclose(whole.p, again.p)
    np.testing.assert_allclose(whole.items["p_max"], again.items["p_max"])
    assert whole.summary["p"][0] == again.summary["p"][0]


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
    assert any("No score for 1 of 6 voxels" in n for n in scores.notices)


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
