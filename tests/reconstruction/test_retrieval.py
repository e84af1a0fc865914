"""Retrieval finds planted neighbours, and never offers what a fold holds out."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from neurodecode.core.artifacts import (
    TEST,
    TRAIN,
    Features,
    Predictions,
    Split,
    Stimuli,
    make_items,
    make_samples,
)
from neurodecode.core.errors import DataError
from neurodecode.reconstruction.retrieval import Retrieval, find_nearest

N, N_FOLDS = 12, 3


@pytest.fixture
def planted():
    """Stimuli, their features, a split, and features decoded with a little noise."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (N, 4, 5, 1), dtype=np.uint8)
    ids = [f"s{i:02d}" for i in range(N)]
    stimuli = Stimuli(data=images, items=make_items(ids, images))
    features = Features(data=rng.normal(size=(N, 7)), items=stimuli.items)
    samples = make_samples(dataset="toy", stimulus_id=ids, stimuli=stimuli)
    folds = np.arange(N) % N_FOLDS
    roles = np.where(folds == np.arange(N_FOLDS)[:, None], TEST, TRAIN).astype(np.int8)
    split = Split(roles=roles, samples=samples, unit="stimulus")
    decoded = Predictions(
        data=features.data + 0.01 * rng.normal(size=(N, 7)),
        rows=samples.with_columns(row=np.arange(N), fold=folds),
        split=split.digest,
        unit="stimulus",
    )
    return stimuli, features, split, decoded


@pytest.mark.parametrize("metric", ["cosine", "correlation", "euclid"])
def test_planted_neighbours_come_back(planted, metric):
    stimuli, features, _, decoded = planted
    found = Retrieval(metric=metric).run(decoded, features, stimuli)
    assert found.data.shape == (N, 1, 4, 5, 1)
    np.testing.assert_allclose(found.data[:, 0], stimuli.data / np.float32(255))
    np.testing.assert_array_equal(found.items["id"], stimuli.items["id"])


@pytest.mark.parametrize("metric", ["cosine", "correlation", "euclid"])
def test_neighbours_are_those_of_scikit_learn(metric):
    rng = np.random.default_rng(1)
    decoded, gallery = rng.normal(size=(20, 9)), rng.normal(size=(30, 9))
    reference = NearestNeighbors(
        n_neighbors=4, algorithm="brute", metric={"euclid": "euclidean"}.get(metric, metric)
    ).fit(gallery)
    expected = reference.kneighbors(decoded, return_distance=False)
    np.testing.assert_array_equal(find_nearest(decoded, gallery, 4, metric), expected)


def test_a_test_stimulus_is_never_on_offer(planted):
    stimuli, features, split, decoded = planted
    found = Retrieval(n_nearest=8).run(decoded, features, stimuli, split)
    shown = np.rint(found.data * 255).astype(np.uint8).reshape(N, 8, -1)
    flat = stimuli.data.reshape(N, -1)
    for row, fold in enumerate(decoded.rows["fold"]):
        offered = {int(np.flatnonzero((flat == one).all(1))[0]) for one in shown[row]}
        assert offered == set(split.fold(int(fold)).train)


def test_ties_do_not_depend_on_the_order_of_the_gallery(planted):
    stimuli, features, _, decoded = planted
    same = Features(data=np.ones((N, 7)) * [1, 2, 3, 4, 5, 6, 7], items=features.items)
    backwards = same.take(np.arange(N)[::-1])
    one = Retrieval(n_nearest=3).run(decoded, same, stimuli)
    other = Retrieval(n_nearest=3).run(decoded, backwards, stimuli)
    np.testing.assert_array_equal(one.data, other.data)
    np.testing.assert_allclose(one.data[5], stimuli.data[:3] / np.float32(255))


def test_what_does_not_fit_is_refused(planted):
    stimuli, features, split, decoded = planted
    narrow = Features(data=features.data[:, :3], items=features.items)
    with pytest.raises(DataError, match="features that were decoded"):
        Retrieval().run(decoded, narrow, stimuli)
    with pytest.raises(DataError, match="n_nearest is 9"):
        Retrieval(n_nearest=9).run(decoded, features, stimuli, split)
    other = Split(roles=split.roles[::-1], samples=split.samples)
    with pytest.raises(DataError, match="same split"):
        Retrieval().run(decoded, features, stimuli, other)
