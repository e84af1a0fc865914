from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import Predictions
from neurodecode.core.errors import DataError
from neurodecode.core.rows import list_predicted_rows
from neurodecode.decoding.classify import Classify
from neurodecode.evaluation.classification import Classification
from tests.decoding.test_classify import CLASSES, make_data
from tests.examples import make_predictions


def make_classes(values, labels, runs, folds=None, classes=CLASSES):
    from neurodecode.core.artifacts import make_samples

    samples = make_samples(
        dataset="scored", stimulus_id=labels, run=runs, category=labels,
        onset_s=np.arange(len(labels)) * 2.5,
    )  # fmt: skip
    return Predictions(
        data=np.asarray(values, float),
        rows=list_predicted_rows(samples, [np.arange(len(labels))]),
        extractor={"name": "classes", "label": "category", "classes": list(classes)},
    )


def test_planted_classes_score_above_their_null_and_none_do_not():
    stage = Classification(n_permutations=199, n_bootstrap=500)
    scores = stage.run(Classify().run(*make_data())["predictions"])["scores"]
    summary = scores.summary
    assert summary["name"].tolist()[:2] == ["accuracy", "balanced accuracy"]
    assert summary["value"][0] > 0.8
    assert summary["p"][0] == pytest.approx(1 / 200)
    assert summary["chance"][0] == pytest.approx(1 / 3)
    assert summary["low"][0] < summary["value"][0] < summary["high"][0]
    assert set(scores.items["unit"]) == set(range(6)), "runs are resampled"
    assert any("smallest attainable p" in text for text in scores.notices)
    nothing = stage.run(Classify().run(*make_data(signal=0.0))["predictions"])["scores"]
    assert nothing.summary["p"][0] > 0.05
    assert nothing.summary["null_mean"][0] == pytest.approx(1 / 3, abs=0.05)


def test_every_figure_of_a_small_case_is_right():
    labels = np.array(["cat", "cat", "cat", "face", "house", "house"])
    values = [[9, 0, 0], [0, 9, 0], [1, 1, 0], [0, 9, 0], [0, 0, 9], [0, 9, 0]]
    predictions = make_classes(values, labels, np.full(6, "01"))
    out = Classification(unit="sample", n_bootstrap=50, n_permutations=0).run(predictions)
    found = dict(zip(out["scores"].summary["name"], out["scores"].summary["value"], strict=True))
    assert found["accuracy"] == pytest.approx(3.5 / 6), "a tie of two is half right"
    assert found["recall: cat"] == pytest.approx(1.5 / 3)
    assert found["balanced accuracy"] == pytest.approx((1.5 / 3 + 1 + 1 / 2) / 3)
    assert out["scores"].summary["chance"][0] == pytest.approx(0.5), "half of the rows are cats"
    assert out["scores"].items["predicted"].tolist()[:2] == ["cat", "face"]
    html = out["confusion"].html
    for cell in (">0.50<", ">1.00<", ">3</td>", "house"):
        assert cell in html


def test_there_is_no_p_where_nothing_can_be_exchanged():
    labels, runs = np.repeat(CLASSES, 5), np.repeat(["01", "02", "03"], 5)
    predictions = make_classes(np.ones((15, 3)), labels, runs)
    scores = Classification(n_permutations=99, n_bootstrap=50).run(predictions)["scores"]
    assert np.isnan(scores.summary["p"]).all()
    assert any("no run holds two blocks" in text for text in scores.notices)
    by_row = Classification(exchange="sample", n_permutations=9, n_bootstrap=50)
    assert np.isfinite(by_row.run(predictions)["scores"].summary["p"][0])


def test_what_is_no_prediction_of_classes_is_refused():
    with pytest.raises(DataError, match="no predictions of classes"):
        Classification().run(make_predictions())
    labels = np.array(["cat", "dog"])
    with pytest.raises(DataError, match=r"\(dog\)\. Known: cat, face, house"):
        Classification().run(make_classes(np.ones((2, 3)), labels, np.full(2, "01")))
    given = make_classes(np.ones((2, 3)), np.array(["cat", "face"]), np.full(2, "01"))
    with pytest.raises(DataError, match="predictions of training rows"):
        Classification().run(replace(given, role="training"))


def test_what_is_right_in_every_run_has_an_interval_with_a_width():
    labels = np.tile(["a", "b"], 12)
    runs = np.repeat([f"{k}" for k in range(12)], 2)
    scores = np.eye(2)[np.tile([0, 1], 12)]
    found = (
        Classification(n_permutations=9, n_bootstrap=50)
        .run(make_classes(scores, labels, runs, classes=["a", "b"]))["scores"]
        .summary
    )
    low = 0.025 ** (1 / 12)
    np.testing.assert_allclose(found["low"], low)
    np.testing.assert_allclose(found["high"], 1)
