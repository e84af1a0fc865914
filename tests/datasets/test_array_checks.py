import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from neurodecode.core.artifacts import Responses, Stimuli, make_items, make_samples
from neurodecode.datasets.array_checks import check_arrays, check_dataset, score_pairs


@pytest.fixture
def planted():
    """120 trials in random order over 60 pictures; responses follow the picture shown."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 8, 8, 1)).astype(np.uint8)
    shown = rng.permutation(np.repeat(np.arange(60), 2))
    clean = images[shown].reshape(120, -1) @ rng.normal(size=(64, 40))
    responses = clean + 0.5 * clean.std() * rng.normal(size=clean.shape)
    return responses, shown, images


def test_a_clean_dataset_has_no_errors(planted):
    responses, shown, images = planted
    findings = check_arrays(responses, shown, np.arange(60), images)
    assert findings == [
        "note: 60 stimuli were shown more than once, up to 2 times (0, 1, 10, 11, 12 and 55 more)."
    ]


@pytest.mark.parametrize("shift", [-2, -1, 1, 2])
def test_shifted_trials_and_shifted_lists_are_told_apart(planted, shift):
    responses, shown, images = planted
    moved = check_arrays(np.roll(responses, shift, 0), shown, np.arange(60), images)
    assert any(f"shifted by {-shift:+d} along the trials" in finding for finding in moved)
    ids = np.roll(np.arange(60), -shift)  # each id names another picture
    listed = check_arrays(responses, shown, ids[np.argsort(ids)], np.roll(images, shift, 0))
    assert any(f"shifted by {shift:+d} along the list" in finding for finding in listed)


def test_noise_is_not_called_shifted():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        images = rng.integers(0, 256, (40, 8, 8, 1)).astype(np.uint8)
        findings = check_arrays(rng.normal(size=(40, 30)), np.arange(40), np.arange(40), images)
        assert findings == []


def test_lags_stop_at_the_edge_of_runs(planted):
    responses, shown, images = planted
    runs = np.arange(120)  # every trial a run of its own: no lag along the trials is possible
    findings = check_arrays(np.roll(responses, 1, 0), shown, np.arange(60), images, runs)
    assert not any("along the trials" in finding for finding in findings)


def test_score_is_that_of_leave_one_out_ridge():
    rng = np.random.default_rng(3)
    X, Y = rng.normal(size=(40, 15)), rng.normal(size=(40, 3))
    Y[:, 0] += X[:, 0]
    X = (X - X.mean(0)) / X.std(0)
    Y -= Y.mean(0)
    # Columns are standardised once over all trials, and no intercept is refitted.
    ridge = Ridge(alpha=(X**2).sum() / 40, fit_intercept=False)
    predicted = cross_val_predict(ridge, X, Y, cv=LeaveOneOut())
    axes = np.linalg.svd(Y)[2].T
    expected = np.corrcoef((predicted @ axes).ravel(), (Y @ axes).ravel())[0, 1]
    assert score_pairs(X, Y) == pytest.approx(expected, abs=1e-10)


def test_everything_is_listed_at_once():
    responses = np.random.default_rng(0).normal(size=(5, 4))
    responses[:, 2] = 1.0
    responses[1, 3] = np.nan
    responses[4] = responses[0]
    images = np.zeros((4, 2, 2, 1), np.uint8)
    images[3] = 9
    findings = check_arrays(
        responses, ["1", "2", "3", "4", ""], ["0", "1", "2", "2"], images, ["1"] * 5
    )
    text = "\n".join(findings)
    assert (
        "error: 1 of 4 voxels (counted from 0: 3) are NaN or infinite, in 1 (1) of the 5 samples."
        in text
    )
    assert "note: 1 of 4 response columns never change (2)" in text
    assert "note: 1 samples repeat the responses of an earlier one" in text
    assert "error: 1 stimulus ids are given to several stimuli (2)" in text
    assert (
        "error: of 5 samples, 3 name a stimulus that is not there (row 2 '3', row 3 '4', row 4 '')."
        in text
    )
    assert "stimuli have the content of another" in text
    assert findings == sorted(findings)


def test_counting_from_one_is_explained():
    responses = np.random.default_rng(0).normal(size=(3, 4))
    (finding,) = check_arrays(responses, ["1", "2", "3"], ["0", "1", "2"])[:1]
    assert "run from 1 to 3, but the stimuli are numbered 0 to 2" in finding


def test_lengths_are_told():
    assert check_arrays(np.zeros((3, 2)), ["a"]) == [
        "error: lengths differ: responses 3, stimulus ids 1, runs 1. "
        "Check which arrays belong together."
    ]


def test_dataset_of_artifacts(planted):
    responses, shown, images = planted
    ids = [f"p{i}" for i in range(60)]
    stimuli = Stimuli(data=images, items=make_items(ids, images))
    samples = make_samples(dataset="x", stimulus_id=[f"p{i}" for i in shown], stimuli=stimuli)
    whole = Responses(data=responses, samples=samples)
    assert len(check_dataset(whole, stimuli)) == 1
    less = check_dataset(whole, stimuli.take(np.arange(59)))
    assert less[0].startswith("error: of ")
    assert "2 name a stimulus that is not there" in less[0]
