"""Decoded pixels come back as the images they were."""

import numpy as np
import pytest

from neurodecode.core.artifacts import Features, Predictions, make_items, make_samples
from neurodecode.core.errors import DataError
from neurodecode.reconstruction.pixels import Pixels

SHAPE = {"name": "pixels", "height": 3, "width": 4, "n_colours": 3}


def test_images_come_back_clipped():
    images = np.random.default_rng(0).uniform(-0.2, 1.2, (5, 3, 4, 3)).astype(np.float32)
    ids = list("abcde")
    features = Features(data=images.reshape(5, -1), items=make_items(ids, images), extractor=SHAPE)
    shown = Pixels().run(features)
    assert shown.data.dtype == np.float32
    np.testing.assert_array_equal(shown.data[:, 0], images.clip(0, 1))
    np.testing.assert_array_equal(shown.items["id"], ids)


def test_rows_and_folds_of_predictions_stay():
    rows = make_samples(dataset="toy", stimulus_id=["b", "a"]).with_columns(
        row=np.array([4, 2]), fold=np.array([1, 0])
    )
    decoded = Predictions(
        data=np.zeros((2, 36), np.float32), rows=rows, split="s", unit="run", extractor=SHAPE
    )
    shown = Pixels().run(decoded)
    assert shown.items["id"].tolist() == ["b", "a"]
    assert shown.items["fold"].tolist() == [1, 0]
    assert (shown.split, shown.unit) == ("s", "run")


def test_other_features_are_refused():
    data = np.zeros((2, 36))
    features = Features(data=data, items=make_items(["a", "b"], data), extractor={"name": "gabor"})
    with pytest.raises(DataError, match="no pixel features"):
        Pixels().run(features)
