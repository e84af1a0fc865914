"""features.pca agrees with scikit-learn, and is fitted where it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from neurodecode.core.artifacts import TEST, TRAIN, VALIDATION, Features, Split, make_items
from neurodecode.core.artifacts import make_samples as make_sample_table
from neurodecode.core.errors import DataError
from neurodecode.features.pca import Pca
from neurodecode.numerics.pca import fit_pca
from tests.examples import make_predictions

N_ITEMS, N_FEATURES = 30, 6


def make_features(n=N_ITEMS, n_features=N_FEATURES, seed=0, prefix="im", **options):
    rng = np.random.default_rng(seed)
    data = rng.standard_normal((n, n_features)) @ rng.standard_normal((n_features, n_features)) + 5
    items = make_items([f"{prefix}{i}" for i in range(n)], data)
    return Features(data=data, items=items, extractor={"name": "example"}, **options)


def make_one_fold(features, n_test=6, n_validation=4):
    ids = features.items["id"]
    roles = np.full((1, len(ids)), TRAIN, np.int8)
    roles[0, :n_test], roles[0, n_test : n_test + n_validation] = TEST, VALIDATION
    samples = make_sample_table(dataset="toy", stimulus_id=ids)
    return Split(roles=roles, samples=samples, unit="stimulus")


@pytest.mark.parametrize("shape", [(30, 6), (8, 20), (20, 20)])
@pytest.mark.parametrize("n_components", [1, 4, 0.5, 0.9])
@pytest.mark.parametrize("whiten", [False, True])
def test_agrees_with_scikit_learn(shape, n_components, whiten):
    features = make_features(*shape)
    theirs = PCA(n_components, whiten=whiten, svd_solver="full").fit(features.data)
    made = Pca(n_components=n_components, whiten=whiten, fit_on="all").run(features)
    got, arrays = made["features"].data, made["model"].arrays
    wanted = theirs.transform(features.data)
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, atol=1e-6 * np.abs(wanted).max())
    for name in ("mean", "components", "explained_variance", "explained_variance_ratio"):
        value = getattr(theirs, f"{name}_")
        np.testing.assert_allclose(arrays[name], value, rtol=1e-6, atol=1e-6 * np.abs(value).max())


def test_planted_directions_are_found():
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.standard_normal((12, 12)))[0]
    scores = rng.standard_normal((4000, 3)) * [9.0, 4.0, 1.0]
    fit = fit_pca(scores @ basis[:3] + 0.01 * rng.standard_normal((4000, 12)), 0.98)
    assert len(fit.components) == 2, "81 + 16 of 98 parts"
    np.testing.assert_allclose(np.abs((fit.components * basis[:2]).sum(axis=1)), 1, atol=1e-3)
    np.testing.assert_allclose(fit.variance, [81, 16], rtol=0.08)
    largest = fit.components[[0, 1], np.abs(fit.components).argmax(axis=1)]
    assert (largest > 0).all(), "the sign is fixed"


def test_training_stimuli_alone_decide():
    features = make_features()
    split = make_one_fold(features)
    stage = Pca(n_components=3)
    before = stage.run(features, split)
    theirs = PCA(3, svd_solver="full").fit(features.data[10:])
    np.testing.assert_allclose(before["features"].data, theirs.transform(features.data), atol=1e-5)
    data = features.data.copy()
    data[:10] *= 100  # validation and test stimuli
    after = stage.run(replace(features, data=data), split)
    np.testing.assert_array_equal(before["model"].arrays["mean"], after["model"].arrays["mean"])
    np.testing.assert_array_equal(before["features"].data[10:], after["features"].data[10:])


def test_a_reference_decides():
    features, reference = make_features(), make_features(seed=9, prefix="other")
    made = Pca(n_components=2, fit_on="reference").run(features, reference=reference)
    theirs = PCA(2, svd_solver="full").fit(reference.data)
    np.testing.assert_allclose(made["features"].data, theirs.transform(features.data), atol=1e-5)
    assert made["model"].settings["n_fitted"] == N_ITEMS


def test_bands_are_kept():
    features = make_features(bands={"low": (0, 4), "high": (4, 6)})
    made = Pca(n_components=2, by_band=True, fit_on="all").run(features)
    assert dict(made["features"].bands) == {"low": (0, 2), "high": (2, 4)}
    theirs = PCA(2, svd_solver="full").fit_transform(features.data[:, 4:])
    np.testing.assert_allclose(made["features"].data[:, 2:], theirs, atol=1e-5)
    assert "high/components" in made["model"].arrays
    assert made["features"].extractor["of"] == {"name": "example"}


def test_tokens_are_laid_side_by_side():
    features = make_features()
    tokens = replace(features, data=features.data.reshape(N_ITEMS, 2, 3))
    first, second = (
        Pca(n_components=2, fit_on="all").run(f)["features"].data for f in (features, tokens)
    )
    np.testing.assert_array_equal(first, second)


def test_refusals():
    features = make_features()
    split = make_one_fold(features)
    with pytest.raises(DataError, match=r"fit_on: training needs split.*fit_on: all"):
        Pca(n_components=2).run(features)
    with pytest.raises(DataError, match="fit_on: all takes no split"):
        Pca(n_components=2, fit_on="all").run(features, split)
    with pytest.raises(DataError, match="needs reference"):
        Pca(n_components=2, fit_on="reference").run(features)
    two = Split(roles=np.repeat(split.roles, 2, axis=0), samples=split.samples)
    with pytest.raises(DataError, match="the split has 2 folds"):
        Pca(n_components=2).run(features, two)
    with pytest.raises(DataError, match="span 6 dimensions"):
        Pca(n_components=7, fit_on="all").run(features)
    flat = replace(features, data=np.outer(np.arange(N_ITEMS), np.ones(N_FEATURES)) + 3.1)
    with pytest.raises(DataError, match="span 1 dimensions"):
        Pca(n_components=2, fit_on="all").run(flat)
    with pytest.raises(DataError, match="predicted features"):
        Pca(n_components=2, fit_on="all").run(make_predictions())
    other = replace(features, extractor={"name": "another"})
    with pytest.raises(DataError, match="one extractor"):
        Pca(n_components=2, fit_on="reference").run(features, reference=other)
    with pytest.raises(DataError, match="none of the 30 items"):
        Pca(n_components=2).run(make_features(prefix="x"), split)
    with pytest.raises(DataError, match="features with bands"):
        Pca(n_components=2, fit_on="all", by_band=True).run(features)
    for bad in (0, 1.5, -0.2, True):
        with pytest.raises(ValueError, match=r"n_components"):
            Pca(n_components=bad)
