from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from neurodecode.core.artifacts import Scores, Space
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.evaluation.encoding import Encoding
from neurodecode.evaluation.rois import Rois
from tests.evaluation.evaluation_data import make_predictions, make_responses

QUICK = {"n_permutations": 99, "n_bootstrap": 50}


def plant(n_rows=150, n_runs=2, n_voxels=12, r=(0.4, 0.0, 0.0), seed=0, shared=0.0, t_r=2.0):
    """Return three regions of four voxels; ``shared`` is noise that all voxels have in common."""
    rng = np.random.default_rng(seed)
    n = n_rows * n_runs
    x, y = lfilter([1], [1, -0.5], rng.normal(size=(2, n, n_voxels)), axis=1)
    y = y + shared * lfilter([1], [1, -0.5], rng.normal(size=(n, 1)), axis=0)
    x = x + shared * lfilter([1], [1, -0.5], rng.normal(size=(n, 1)), axis=0)
    strength = np.repeat(r, 4)
    run = np.repeat([f"{k}" for k in range(n_runs)], n_rows)
    columns = {"run": run, "onset_s": np.tile(2.0 * np.arange(n_rows), n_runs)}
    rois = {name: np.arange(n_voxels) // 4 == k for k, name in enumerate(("V1", "MT", "A1"))}
    data = strength * x + np.sqrt(1 - strength**2) * y
    responses = make_responses(data, t_r=t_r, **columns)
    predictions = make_predictions(x, fold=run.astype(int), of="responses", **columns)
    return predictions, replace(responses, space=Space(rois=rois))


@pytest.mark.parametrize("metric", ["r", "r2"])
def test_regions_are_means_over_their_voxels(metric):
    predictions, responses = plant()
    voxels = Encoding(metric=metric, **QUICK).run(predictions, responses).values
    found = Rois(metric=metric, **QUICK).run(predictions, responses)
    np.testing.assert_allclose(found.values, voxels.reshape(3, 4).mean(axis=1))
    median = Rois(metric=metric, statistic="median", **QUICK).run(predictions, responses)
    np.testing.assert_allclose(median.values, np.median(voxels.reshape(3, 4), axis=1))
    assert found.items["id"].tolist() == ["V1", "MT", "A1"]
    assert found.summary["n"].tolist() == [4, 4, 4]
    assert found.scale == metric


@pytest.mark.parametrize("correction", ["max", "fdr", "fdr_by"])
def test_a_planted_region_is_found_and_the_family_is_held(correction):
    predictions, responses = plant()
    found = Rois(correction=correction, **QUICK).run(predictions, responses)
    assert found.q[0] < 0.06
    assert (found.q[1:] > 0.05).all()
    wrong = 0
    for seed in range(40):
        given = plant(n_rows=130, r=(0, 0, 0), seed=seed, shared=1.0)
        stage = Rois(correction=correction, n_permutations=99, n_bootstrap=2, seed=seed)
        wrong += (stage.run(*given).q <= 0.05).any()
    assert wrong <= 6  # 2 expected


def test_the_interval_takes_rows_and_not_voxels_as_independent():
    hits = 0
    for seed in range(60):
        # noise shared by all voxels: an interval over voxels would be far too narrow
        predictions, responses = plant(r=(0.0, 0.0, 0.0), seed=seed, shared=2.0, n_runs=4)
        stage = Rois(n_permutations=0, n_bootstrap=200, seed=seed, rois=("V1",))
        table = stage.run(predictions, responses).summary
        hits += table["low"][0] <= 0 <= table["high"][0]
    assert hits >= 52


def test_ceilings_trials_and_refusals():
    predictions, responses = plant()
    nothing = Table({"name": ["x"], **{k: [0.0] for k in ("value", "low", "high", "chance", "n")}})
    limits = np.array([0.05, 0.5, 0.7, 0.9] * 3)
    ceiling = Scores(values=limits, over="voxels", metric="c", scale="r", summary=nothing)
    found = Rois(**QUICK).run(predictions, responses, ceiling)
    np.testing.assert_allclose(found.ceiling, 0.7)
    with pytest.raises(DataError, match="never mix"):
        Rois(metric="r2", **QUICK).run(predictions, responses, ceiling)
    trials = Rois(**QUICK).run(*plant(t_r=None))
    assert trials.p[0] < 0.05
    assert Rois(null="none", **QUICK).run(predictions, responses).p is None
    with pytest.raises(DataError, match="Unknown region 'V2'"):
        Rois(rois=("V2",), **QUICK).run(predictions, responses)
    with pytest.raises(DataError, match="names no regions"):
        Rois(**QUICK).run(predictions, replace(responses, space=Space()))
