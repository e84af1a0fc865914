"""evaluation.variance_partitioning: planted unique and shared variance through fits of subsets."""

from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import (
    TEST,
    TRAIN,
    Features,
    Responses,
    Space,
    Split,
    make_items,
    make_samples,
)
from neurodecode.core.errors import DataError
from neurodecode.encoding.banded_ridge import BandedRidge
from neurodecode.evaluation.variance_partitioning import VariancePartitioning
from tests.examples import make_predictions, make_responses, make_subset_predictions

UNIQUE_A, UNIQUE_B, SHARED = 0.3, 0.15, 0.25  # of a response with variance one


def make_problem(n=600, n_voxels=12):
    """Two bands that see one latent each of their own, and one both; half the voxels lack b."""
    rng = np.random.default_rng(0)
    own_a, own_b, shared = rng.standard_normal((3, n, 3))
    ids = np.array([f"item{i:03d}" for i in range(n)])
    features = {
        name: Features(data=data.astype(np.float32), items=make_items(ids, data))
        for name, data in {"a": np.c_[own_a, shared], "b": np.c_[shared, own_b]}.items()
    }
    mix = rng.standard_normal((3, 3, n_voxels))
    mix /= np.linalg.norm(mix, axis=1, keepdims=True)
    lacks = np.arange(n_voxels) % 2 == 1
    pieces = [np.sqrt(v) * x @ m for v, x, m in zip(
        (UNIQUE_A, UNIQUE_B, SHARED), (own_a, own_b, shared), mix, strict=True)]  # fmt: skip
    pieces[1][:, lacks] = np.sqrt(UNIQUE_B) * rng.standard_normal((n, lacks.sum()))
    data = sum(pieces) + np.sqrt(1 - UNIQUE_A - UNIQUE_B - SHARED) * rng.standard_normal(
        (n, n_voxels)
    )
    samples = make_samples(dataset="toy", stimulus_id=ids)
    space = Space(kind="parcels", names=ids[:n_voxels], rois={"lacks": lacks, "has": ~lacks})
    roles = np.where(np.arange(n) % 4 == np.arange(4)[:, None], TEST, TRAIN).astype(np.int8)
    split = Split(roles=roles, samples=samples, unit="stimulus")
    return features, Responses(data=data.astype(np.float32), samples=samples, space=space), split


@pytest.fixture(scope="module")
def fitted():
    features, responses, split = make_problem()
    stage = {"alphas": (0.1, 1.0, 10.0), "n_candidates": 6, "n_inner_folds": 3, "extend_alphas": 0}
    return {
        "+".join(bands): BandedRidge(**stage, bands=bands).run(features, responses, split)[
            "predictions"
        ]
        for bands in (("a",), ("b",), ("a", "b"))
    }, responses


def test_planted_parts_are_found(fitted):
    predictions, responses = fitted
    scores = VariancePartitioning(rois=("lacks", "has"), n_bootstrap=200).run(
        predictions, responses
    )
    lacks = responses.space.rois["lacks"]
    for claim, truth in (("unique a", UNIQUE_A), ("shared a, b", SHARED)):
        assert abs(scores.items[claim].mean() - truth) < 0.04
    assert abs(scores.items["unique b"][~lacks].mean() - UNIQUE_B) < 0.04
    assert abs(scores.items["unique b"][lacks].mean()) < 0.02
    whole = sum(scores.items[c] for c in ("unique a", "unique b", "shared a, b"))
    np.testing.assert_allclose(whole, scores.values, atol=1e-12)
    assert (scores.items["q of unique a"] < 0.01).all()
    assert (scores.items["q of unique b"][~lacks] < 0.01).all()
    assert (scores.items["q of unique b"][lacks] > 0.05).all()
    rows = dict(zip(scores.summary["name"], range(len(scores.summary)), strict=True))
    low, p = scores.summary["low"], scores.summary["p"]
    there, absent = rows["mean unique b, has"], rows["mean unique b, lacks"]
    assert low[there] > 0.1
    assert p[there] < 0.01
    assert low[absent] <= 0.005


def test_rows_are_joined_by_name(fitted):
    predictions, responses = fitted
    order = np.random.default_rng(0).permutation(len(predictions["a"].rows))
    moved = {**predictions, "a": predictions["a"].take(order)}
    stage = VariancePartitioning(n_bootstrap=5, n_permutations=5)
    before, after = (stage.run(p, responses) for p in (predictions, moved))
    np.testing.assert_allclose(before.items["unique a"], after.items["unique a"], atol=1e-12)


def test_models_that_are_absent_or_differ_are_refused():
    stage, given = VariancePartitioning(n_bootstrap=5), make_subset_predictions()
    responses = make_responses()
    with pytest.raises(
        DataError, match=r"absent: mid, low.high, high.mid, low.high.mid.*all subsets"
    ):
        stage.run({k: given[k] for k in ("low", "high")} | {"low+mid": given["low"]}, responses)
    with pytest.raises(DataError, match=r"predictions are named low\. Allowed"):
        stage.run({"low": given["low"]}, responses)
    with pytest.raises(DataError, match=r"'low' predicts 5 other rows than 'low.high'"):
        stage.run({"low+high": given["low+high"], "low": given["low"].take(np.arange(5)),
                   "high": given["high"]}, responses)  # fmt: skip
    with pytest.raises(DataError, match="'low' are predicted features"):
        stage.run({**given, "low": replace(make_predictions())}, responses)


@pytest.mark.real_data
def test_word2vec_has_no_unique_variance_in_early_visual_cortex(find_data):
    """objects81: 81 objects, AlexNet and word2vec components; word2vec alone predicts other areas.

    The components were computed over all 81 objects, which these figures share with the source.
    """
    raw = np.load(find_data("objects81/objects81.npz"))
    ids = np.array([f"object{i:02d}" for i in range(81)])
    rois = {str(name): raw["roi_index"] == i + 1 for i, name in enumerate(raw["roi_names"])}
    space = Space(kind="parcels", names=np.arange(696).astype(str), rois=rois)
    samples = make_samples(dataset="objects81", stimulus_id=ids)
    responses = Responses(data=raw["betas"].astype(np.float32), samples=samples, space=space)
    features = {
        name: Features(data=raw[key].astype(np.float32), items=make_items(ids, raw[key]))
        for name, key in {"alexnet": "alexnet_pcs", "word2vec": "word2vec_pcs"}.items()
    }
    fold = np.random.default_rng(0).permutation(81) % 9
    roles = np.where(fold == np.arange(9)[:, None], TEST, TRAIN).astype(np.int8)
    split = Split(roles=roles, samples=samples, unit="stimulus")
    predictions = {
        "+".join(bands): BandedRidge(n_candidates=20, bands=bands).run(features, responses, split)[
            "predictions"
        ]
        for bands in (("alexnet",), ("word2vec",), ("alexnet", "word2vec"))
    }
    scores = VariancePartitioning(rois=("EVC",), n_permutations=2000).run(predictions, responses)
    rows = {name: i for i, name in enumerate(scores.summary["name"])}
    alexnet, word2vec = (rows[f"mean unique {name}, EVC"] for name in features)
    assert scores.summary["low"][alexnet] > 0.1
    assert scores.summary["high"][word2vec] < 0.02
    assert scores.summary["p"][word2vec] > 0.5
    assert not (scores.items["q of unique word2vec"][rois["EVC"]] < 0.05).any()
    assert (scores.items["q of unique alexnet"][rois["EVC"]] < 0.05).mean() > 0.3
