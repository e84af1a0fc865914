from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.evaluation.replace import Replace
from neurodecode.evaluation.split import Split
from tests.evaluation.evaluation_data import make_features, make_predictions, make_responses


@pytest.fixture
def decoded():
    rng = np.random.default_rng(0)
    true = rng.normal(size=(30, 12)).astype(np.float32)
    responses = make_responses(true)
    split = Split(n_folds=3).run(responses)
    fold = (np.asarray(split.roles) == 3).argmax(axis=0)
    data = true + rng.normal(size=true.shape).astype(np.float32)
    return make_predictions(data, fold=fold, split=split.digest), make_features(true), split, fold


def test_replacements_use_training_items_of_the_fold(decoded):
    predictions, features, split, fold = decoded
    made = {
        kind: Replace(kind=kind).run(predictions, features, split)
        for kind in ("mean_embedding", "prior_only", "nearest_training", "true_features")
    }
    true = features.data
    np.testing.assert_array_equal(made["true_features"].data, true)
    for i in range(30):
        training = np.flatnonzero(fold != fold[i])
        np.testing.assert_allclose(
            made["mean_embedding"].data[i], true[training].mean(axis=0), rtol=1e-5
        )
        r = [np.corrcoef(predictions.data[i], true[j])[0, 1] for j in training]
        nearest = training[np.argmax(r)]
        np.testing.assert_array_equal(made["nearest_training"].data[i], true[nearest])
        same = (true == made["prior_only"].data[i]).all(axis=1)
        assert np.flatnonzero(same)[0] in training
    assert made["prior_only"].rows is predictions.rows
    with pytest.raises(DataError, match="another split"):
        Replace(kind="prior_only").run(replace(predictions, split="x"), features, split)
