"""preprocessing.zscore against numpy, per run and per training part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import TEST, TRAIN, Foldwise, Responses, Split, make_samples
from neurodecode.core.errors import DataError
from neurodecode.preprocessing.zscore import Zscore
from tests.examples import make_responses, make_split

N, N_VOXELS, N_FOLDS = 24, 5, 3


def make_problem():
    rng = np.random.default_rng(0)
    data = (rng.standard_normal((N, N_VOXELS)) * [1, 2, 3, 0.1, 10] + 1e4).astype(np.float32)
    run = np.tile(["01", "02"], N // 2)  # runs are interleaved, and of two sessions
    session = np.repeat(["a", "b"], N // 2)
    ids = [f"item{i}" for i in range(N)]
    samples = make_samples(dataset="toy", stimulus_id=ids, run=run, session=session)
    roles = np.where(np.arange(N) % N_FOLDS == np.arange(N_FOLDS)[:, None], TEST, TRAIN)
    return Responses(data=data, samples=samples), Split(roles=roles.astype(np.int8),
                                                        samples=samples)  # fmt: skip


@pytest.mark.parametrize("ddof", [0, 1])
def test_per_run(ddof):
    responses, _ = make_problem()
    out = Zscore(ddof=ddof).run(responses)
    assert out.units == "z"
    assert out.data.dtype == np.float32
    for run in ("01", "02"):
        for session in ("a", "b"):
            table = responses.samples
            rows = (table["run"] == run) & (table["session"] == session)
            block = responses.data[rows].astype(np.float64)
            expected = (block - block.mean(0)) / block.std(0, ddof=ddof)
            np.testing.assert_allclose(out.data[rows], expected, atol=1e-5)


def test_per_training_uses_training_rows_only():
    responses, split = make_problem()
    out = Zscore(per="training").run(responses, split)
    for fold in split.folds():
        train = responses.data[fold.train].astype(np.float64)
        expected = (responses.data - train.mean(0)) / train.std(0)
        np.testing.assert_allclose(out.read(fold=fold.number), expected, atol=1e-5)
    changed = np.array(responses.data)
    changed[split.fold(1).test] += 50
    again = Zscore(per="training").run(replace(responses, data=changed), split)
    for name in ("centre", "scale"):
        a, b = (np.asarray(getattr(r.foldwise, name)) for r in (out, again))
        np.testing.assert_array_equal(a[1], b[1])
        assert not np.array_equal(a[0], b[0])


def test_per_training_after_other_foldwise_steps():
    responses, split = make_problem()
    before = Foldwise.identity(N_FOLDS, N_VOXELS, split.digest)
    before = before.then(np.arange(N_VOXELS) + 1e4, np.array([2.0, 3, 4, 5, 6]))
    selected = np.ones((N_FOLDS, N_VOXELS), bool)
    selected[0, 2] = False
    data = np.array(responses.data)
    data[:, 2] = np.where(np.arange(N) % N_FOLDS == 0, data[:, 2], 7)  # constant in fold 0 only
    given = replace(responses, data=data, foldwise=replace(before, selected=selected))
    out = Zscore(per="training").run(given, split)
    for fold in split.folds():
        train = given.read(fold.train, fold.number).astype(np.float64)
        expected = (given.read(fold=fold.number) - train.mean(0)) / train.std(0)
        np.testing.assert_allclose(out.read(fold=fold.number), expected, atol=2e-3)


def test_per_run_cancels_foldwise_scaling_and_keeps_selection():
    responses, split = make_problem()
    steps = Foldwise.identity(N_FOLDS, N_VOXELS, split.digest)
    steps = steps.then(np.full(N_VOXELS, 5.0), np.full(N_VOXELS, 2.0))
    selected = np.ones((N_FOLDS, N_VOXELS), bool)
    selected[1, 0] = False
    given = replace(responses, foldwise=replace(steps, selected=selected))
    out = Zscore().run(given)
    plain = Zscore().run(responses)
    np.testing.assert_array_equal(out.read(fold=0), plain.data)
    np.testing.assert_array_equal(out.read(fold=1), plain.data[:, 1:])


def test_integers_and_epochs():
    responses, split = make_problem()
    whole = replace(responses, data=(responses.data * 10).astype(np.int32))
    for out in (Zscore().run(whole), Zscore(per="training").run(whole, split)):
        assert out.data.dtype == np.float32
    epochs = np.random.default_rng(0).standard_normal((N, 3, 4))
    out = Zscore().run(replace(responses, data=epochs))
    rows = (responses.samples["run"] == "01") & (responses.samples["session"] == "a")
    np.testing.assert_allclose(out.data[rows].std(0), 1, atol=1e-9)
    with pytest.raises(DataError, match="Allowed per training"):
        Zscore(per="training").run(replace(responses, data=epochs), split)


def test_refusals():
    responses, split = make_problem()
    data = np.array(responses.data)
    rows = (responses.samples["run"] == "02") & (responses.samples["session"] == "b")
    data[rows, 3] = 1e4 / 3
    message = r"sub-01/ses-b/run-02: 1 of 5 voxels are constant \(first: \[3\]\)"
    with pytest.raises(DataError, match=message):
        Zscore().run(replace(responses, data=data))
    with pytest.raises(DataError, match=r"has 2 samples\. Allowed: 3"):
        Zscore().run(responses.take(np.array([0, 1, 2, 3, 5])))
    with pytest.raises(DataError, match="needs the split"):
        Zscore(per="training").run(responses)
    data = np.array(responses.data)
    data[split.fold(2).train, 1] = 4
    with pytest.raises(DataError, match=r"fold 2: 1 of 5 voxels are constant \(first: \[1\]\)"):
        Zscore(per="training").run(replace(responses, data=data), split)
    data[3, 3] = np.nan
    with pytest.raises(DataError, match="NaN"):
        Zscore().run(replace(responses, data=data))


def test_what_it_sees():
    assert Zscore().sees() == {"responses": "run"}
    assert Zscore(per="training").sees() == {"responses": "training"}
    assert Zscore.contact == "transductive"


def test_sessions_lose_their_effects_and_runs_keep_theirs():
    """Each session has its own gain and level, each run a shift of its own."""
    rng = np.random.default_rng(5)
    session, run = np.repeat(["01", "02", "03"], 40), np.tile(np.repeat(["01", "02"], 20), 3)
    shift = np.where(run == "01", 0.0, 1.5)[:, None]
    gain = np.array([1.0, 5.0, 0.2])[np.repeat([0, 1, 2], 40)][:, None]
    signal = rng.normal(size=(120, 4)) + shift
    samples = make_samples(
        dataset="sessions", stimulus_id=[f"s{i}" for i in range(120)], session=session, run=run
    )
    responses = Responses(data=(100 + gain) * 3 + gain * signal, samples=samples)
    out = Zscore(per="session").run(responses)
    for name in np.unique(session):
        inside = out.data[session == name]
        np.testing.assert_allclose(inside.mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(inside.std(axis=0), 1)
    between = out.data[run == "02"].mean() - out.data[run == "01"].mean()
    assert between > 0.8, "what differs between runs of a session stays"
    assert np.corrcoef(out.data.ravel(), signal.ravel())[0, 1] > 0.95


def test_percent_and_centring_are_as_named():
    responses = make_responses()
    data = np.abs(np.asarray(responses.data)) + 50
    responses = replace(responses, data=data)
    percent = Zscore(scale="mean").run(responses)
    rows = responses.samples["run"] == "02"
    own = data[rows].mean(axis=0)
    np.testing.assert_allclose(percent.data[rows], 100 * (data[rows] / own - 1), atol=1e-4)
    assert percent.units == "percent"
    centred = Zscore(scale="none").run(responses)
    np.testing.assert_allclose(centred.data[rows], data[rows] - own, atol=1e-4)
    assert centred.units == responses.units
    with pytest.raises(DataError, match=r"run-01: 8 of 8 voxels have a mean of 0.*keep_mean"):
        Zscore(scale="mean").run(replace(responses, data=-data))
    per_fold = Zscore(per="training").run(responses, make_split())
    with pytest.raises(DataError, match="scale: mean needs values as they were measured"):
        Zscore(scale="mean").run(per_fold)
    split = make_split()
    trained = Zscore(per="training", scale="mean").run(responses, split)
    train = split.fold(0).train
    np.testing.assert_allclose(trained.read(train, fold=0).mean(axis=0), 0, atol=1e-4)
