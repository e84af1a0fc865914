from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from neurodecode.core.artifacts import Scores, Space
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.evaluation.group import Group

QUICK = {"n_bootstrap": 50}


def make_scores(values, p=None, scale="r", **options):
    values = np.asarray(values, float)
    nothing = Table({"name": ["x"], **{k: [0.0] for k in ("value", "low", "high", "chance", "n")}})
    given = {
        "over": "voxels", "metric": "correlation", "scale": scale, "summary": nothing,
        "items": Table({"voxel": np.arange(len(values))}), "test_set": "t",
        "space": Space(rois={"V1": np.arange(len(values)) < 2, "MT": np.arange(len(values)) == 2}),
    }  # fmt: skip
    return Scores(values=values, p=None if p is None else np.asarray(p), **{**given, **options})


def plant(n_subjects=12, n_voxels=6, r=0.0, seed=0, **options):
    rng = np.random.default_rng(seed)
    z = np.arctanh(r) + 0.1 * rng.normal(size=(n_subjects, n_voxels))
    return {f"{s:02d}": make_scores(np.tanh(z[s]), **options) for s in range(n_subjects)}


def test_means_and_t_are_those_of_fishers_z():
    given = plant(r=0.3)
    scores = Group(test="t", **QUICK).run(given)
    z = np.arctanh([s.values for s in given.values()])
    np.testing.assert_allclose(scores.values, np.tanh(z.mean(axis=0)))
    expected = stats.ttest_1samp(z, 0, alternative="greater")
    np.testing.assert_allclose(scores.items["t"], expected.statistic)
    np.testing.assert_allclose(scores.p, expected.pvalue)
    names = scores.summary["name"].tolist()
    assert names == ["mean over voxels", "V1", "MT", "share with q < 0.05 (fdr)"]
    assert scores.summary["value"][1] == pytest.approx(np.tanh(z[:, :2].mean()))
    row = 1
    assert scores.summary["low"][row] < scores.summary["value"][row] < scores.summary["high"][row]


@pytest.mark.parametrize("correction", ["fdr", "fdr_by", "max"])
def test_planted_effects_are_found_and_nothing_else(correction):
    hits = 0
    for seed in range(20):
        found = Group(correction=correction, n_permutations=500, **QUICK).run(plant(seed=seed))
        hits += (found.q <= 0.05).any()
    assert hits <= 5  # 1 expected
    assert (Group(correction=correction, **QUICK).run(plant(r=0.5)).q < 0.05).all()


def test_paired_against_others_of_the_same_subjects():
    first, second = plant(r=0.4, seed=1), plant(r=0.2, seed=2)
    scores = Group(**QUICK).run(first, dict(reversed(second.items())))
    z = [np.arctanh([s.values for s in side.values()]) for side in (first, second)]
    np.testing.assert_allclose(scores.items["t"], stats.ttest_rel(*z).statistic)
    assert scores.metric == "difference in correlation"
    assert (scores.p < 0.05).all()
    back = Group(**QUICK).run(second, first)
    np.testing.assert_allclose(back.p, scores.p)  # two-sided
    np.testing.assert_allclose(back.values, -scores.values)


def test_few_subjects_get_prevalence_and_a_word():
    p = np.array([[0.01, 0.01, 0.9], [0.02, 0.6, 0.8], [0.001, 0.03, np.nan]])
    given = {f"0{s}": make_scores(np.tanh([0.3 + 0.01 * s] * 3), p[s]) for s in range(3)}
    scores = Group(**QUICK).run(given)
    assert scores.items["n_significant"].tolist() == [3, 2, 0]
    np.testing.assert_allclose(scores.items["prevalence"][:2], [1, (2 / 3 - 0.05) / 0.95])
    assert np.isnan(scores.items["prevalence"][2])
    assert scores.p.min() == 1 / 8
    assert scores.summary["name"][-1].startswith("share shown by more than half")
    assert scores.summary["value"][-1] == pytest.approx(
        np.mean(scores.items["prevalence_low"] > 0.5)
    )
    assert any("smallest attainable p is 0.12" in n for n in scores.notices)
    assert any("too few for a test of the population" in n for n in scores.notices)
    many = Group(**QUICK).run(plant(12))
    assert not any("too few" in n for n in many.notices)


def test_other_scales_chance_and_items():
    rng = np.random.default_rng(0)
    ids = np.array(["V1", "MT"])
    given = {}
    for s in range(11):
        order = rng.permutation(2)  # regions in any order: joined by name
        values = np.array([0.6, 0.5]) + 0.02 * rng.normal(size=2)
        given[f"{s}"] = make_scores(
            values[order], scale="accuracy", over="items", items=Table({"id": ids[order]})
        )
    scores = Group(chance=0.5, **QUICK).run(given)
    found = dict(zip(scores.items["id"], scores.values, strict=True))
    assert found["V1"] == pytest.approx(0.6, abs=0.02)
    rows = dict(zip(scores.summary["name"], scores.summary["value"], strict=True))
    assert rows["V1"] == pytest.approx(found["V1"])
    assert dict(zip(scores.items["id"], scores.p < 0.01, strict=True)) == {"V1": True, "MT": False}
    shifted = Group(chance=0.2, test="t", **QUICK).run(plant(r=0.2))
    assert (shifted.p > 0.001).all()
    assert shifted.values.mean() == pytest.approx(0.2, abs=0.05)


def test_refusals():
    given = plant(3)
    with pytest.raises(DataError, match="there is one subject"):
        Group().run({"01": given["01"]})
    with pytest.raises(DataError, match="different subjects"):
        Group().run(given, {"x": given["01"], "y": given["02"]})
    with pytest.raises(DataError, match="do not lie on the same voxels"):
        Group().run({**given, "09": make_scores(np.zeros(5))})
    other = Space(kind="surface", mesh="native", vertices=np.arange(6))
    with pytest.raises(DataError, match="do not lie on the same voxels"):
        Group().run({**given, "09": replace(given["01"], space=other)})
    with pytest.raises(DataError, match="scale of subject '09' is 'r2'"):
        Group().run({**given, "09": make_scores(np.zeros(6), scale="r2")})
    with pytest.raises(DataError, match="needs flips of signs"):
        Group(test="t", correction="max").run(given)


def test_parcels_and_regions_are_called_regions():
    parcels = plant(n_voxels=3, space=Space(kind="parcels", names=np.array(["a", "b", "c"])))
    assert Group(**QUICK).run(parcels).summary["name"][0] == "mean over regions"
    regions = plant(n_voxels=3, over="items", of="region", items=Table({"id": ["a", "b", "c"]}),
                    space=Space())  # fmt: skip
    found = Group(**QUICK).run(regions)
    assert found.summary["name"].tolist()[:4] == ["mean over regions", "a", "b", "c"]
