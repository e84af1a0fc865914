from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import TEST, TRAIN, VALIDATION, Responses, Split, make_samples
from neurodecode.core.errors import DataError
from neurodecode.decoding.classify import Classify
from tests.examples import make_responses, make_split

N_RUNS, PER_CLASS, N_VOXELS = 6, 4, 30
CLASSES = ("cat", "face", "house")


def make_data(classes=CLASSES, signal=1.0, seed=0):
    """Runs of every class, with correlated noise that a plain template matcher stumbles over."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.repeat(classes, PER_CLASS), N_RUNS)
    run = np.repeat([f"{r:02d}" for r in range(N_RUNS)], len(classes) * PER_CLASS)
    means = {c: rng.normal(size=N_VOXELS) for c in classes}
    mixing = rng.normal(size=(3, N_VOXELS))
    noise = (
        rng.normal(size=(len(labels), N_VOXELS)) + 3 * rng.normal(size=(len(labels), 3)) @ mixing
    )
    data = signal * np.stack([means[c] for c in labels]) + noise + 100
    ids = [f"item{i}" for i in range(len(labels))]
    samples = make_samples(dataset="classes", stimulus_id=ids, run=run, category=labels)
    responses = Responses(data=data.astype(np.float32), samples=samples)
    tested = run == np.unique(run)[:, None]
    roles = np.where(tested, TEST, TRAIN).astype(np.int8)
    return responses, Split(roles=roles, samples=samples, unit="run")


def accuracy(predictions):
    classes = np.array(predictions.extractor["classes"])
    return (classes[predictions.data.argmax(axis=1)] == predictions.rows["category"]).mean()


@pytest.mark.parametrize("method", ["lda", "logistic", "svm"])
def test_planted_classes_are_told_and_none_where_there_are_none(method):
    found = Classify(method=method).run(*make_data())["predictions"]
    assert accuracy(found) > 0.8
    assert list(found.bands) == list(CLASSES)
    nothing = Classify(method=method).run(*make_data(signal=0.0))["predictions"]
    assert abs(accuracy(nothing) - 1 / 3) < 0.15


@pytest.mark.parametrize("classes", [CLASSES, CLASSES[:2]], ids=["three", "two"])
@pytest.mark.parametrize("method", ["lda", "logistic", "svm"])
def test_values_are_those_of_scikit_learn(method, classes):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    responses, split = make_data(classes)
    priors = np.full(len(classes), 1 / len(classes))
    reference = {
        "lda": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=priors),
        "logistic": LogisticRegression(C=0.01, max_iter=5000),
        "svm": LinearSVC(C=0.01, max_iter=50_000, dual="auto", random_state=0),
    }[method]
    ours = Classify(method=method, cs=(0.01,)).run(responses, split)["predictions"]
    fold = split.fold(2)
    labels = responses.samples["category"]
    theirs = make_pipeline(StandardScaler(), reference)
    theirs.fit(responses.data[fold.train].astype(np.float64), labels[fold.train])
    values = ours.data[ours.rows["fold"] == 2]
    tested = responses.data[fold.test].astype(np.float64)
    if method == "svm":
        wanted = theirs.decision_function(tested)
        if len(classes) == 2:
            wanted = np.stack([-wanted / 2, wanted / 2], axis=1)
    else:
        wanted = theirs.predict_proba(tested)
        np.testing.assert_allclose(values.sum(axis=1), 1)
    np.testing.assert_allclose(values, wanted, atol=1e-4)


def test_the_models_weights_give_the_predictions():
    responses, split = make_data()
    out = Classify(method="svm", cs=(0.01,)).run(responses, split)
    model = out["model"].for_fold(1)
    rows = split.fold(1).test
    decisions = responses.data[rows] @ model["weights"] + model["intercept"]
    inside = out["predictions"].rows["fold"] == 1
    np.testing.assert_allclose(out["predictions"].data[inside], decisions, rtol=1e-6)


def test_rest_neither_trains_nor_is_predicted():
    responses, split = make_data()
    labels = responses.samples["category"].astype("U8")
    labels[::4], labels[1] = "rest", ""
    samples = responses.samples.with_columns(category=labels)
    responses, split = replace(responses, samples=samples), replace(split, samples=samples)
    predictions = Classify(leave_out=["rest"]).run(responses, split)["predictions"]
    assert set(predictions.rows["category"]) == set(CLASSES)
    assert len(predictions.data) == np.isin(labels, CLASSES).sum()
    data = np.array(responses.data)
    data[(labels == "rest") | (labels == "")] = 1e3
    other = Classify(leave_out=["rest"]).run(replace(responses, data=data), split)["predictions"]
    np.testing.assert_array_equal(predictions.data, other.data)


def test_the_penalty_is_chosen_on_inner_folds():
    responses, split = make_data()
    model = Classify(method="logistic", cs=(1e-9, 0.01)).run(responses, split)["model"]
    chosen = {float(model.for_fold(k)["c"]) for k in range(N_RUNS)}
    assert chosen == {0.01}
    assert np.isnan(Classify().run(responses, split)["model"].for_fold(0)["c"])


@pytest.mark.parametrize("c", [1e-9, 0.1])
def test_validation_rows_choose_the_penalty_where_there_are_some(c):
    """They are labelled as the model of one penalty sees them: that one must be chosen."""
    responses, split = make_data(signal=0.4)
    rows = np.flatnonzero(responses.samples["run"] == "05")
    roles = np.array(split.roles[:1])
    roles[0, rows] = TEST
    told = Classify(method="logistic", cs=(c,)).run(responses, replace(split, roles=roles))
    told = told["predictions"]
    labels = responses.samples["category"].copy()
    named = np.array(CLASSES)[told.data.argmax(axis=1)]
    labels[told.rows["row"]] = named
    roles[0, rows] = VALIDATION
    samples = responses.samples.with_columns(category=labels)
    other = replace(responses, samples=samples), replace(split, samples=samples, roles=roles)
    for cs in ((1e-9, 0.1), (0.1, 1e-9)):
        model = Classify(method="logistic", cs=cs).run(*other)["model"]
        assert model.for_fold(0)["c"] == c


def test_shrinkage_helps_where_voxels_are_many():
    responses, split = make_data(signal=0.5)
    full = accuracy(Classify(shrinkage=0.0).run(responses, split)["predictions"])
    diagonal = accuracy(Classify(shrinkage=1.0).run(responses, split)["predictions"])
    auto = accuracy(Classify().run(responses, split)["predictions"])
    assert auto >= diagonal + 0.05, "correlated noise is not modelled by a diagonal"
    assert auto >= full - 0.02


def test_what_cannot_be_classified_is_refused():
    responses, split = make_data()
    with pytest.raises(DataError, match=r"no column 'kind'.*Columns: category"):
        Classify(label="kind").run(responses, split)
    with pytest.raises(DataError, match="holds numbers with a point"):
        Classify(label="onset_s").run(responses, split)
    with pytest.raises(DataError, match=r"leave_out names rest.*Values: cat, face, house"):
        Classify(leave_out=["rest"]).run(responses, split)
    with pytest.raises(DataError, match=r"hold 1 classes.*\(cat\)"):
        Classify(leave_out=["face", "house"]).run(responses, split)
    labels = responses.samples["category"].copy()
    labels[(labels == "house") & (responses.samples["run"] != "03")] = "cat"
    samples = responses.samples.with_columns(category=labels)
    alone = replace(responses, samples=samples), replace(split, samples=samples)
    with pytest.raises(DataError, match=r"fold 3: training rows hold no 'house'"):
        Classify().run(*alone)
    data = np.array(responses.data)
    data[3, 2] = np.inf
    with pytest.raises(DataError, match="fold 0: responses hold 1 values"):
        Classify().run(replace(responses, data=data), split)
    wide = replace(responses, data=np.zeros((len(data), 10_001), np.float32))
    with pytest.raises(DataError, match="10001 voxels are too many"):
        Classify().run(wide, split)


def test_labels_of_test_rows_decide_nothing():
    """Two classes of the examples; the contract test changes the labels of test rows, too."""
    out = Classify().run(make_responses(), make_split())
    assert out["predictions"].extractor["classes"] == ["6", "9"]
