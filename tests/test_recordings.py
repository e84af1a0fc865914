"""What the real recordings are known to hold, reached with array functions alone.

r is taken within each of five contiguous folds and averaged by Fisher's z; scans within eight of a
test block do not train; drift is removed from the whole run first (polynomials of degree 5). These
figures say that the signal is there; the pipelines of the same names report them with intervals.
"""

import numpy as np
import pytest

from neurodecode.core.artifacts import Responses, make_samples
from neurodecode.datasets.alice import FACTS as ALICE
from neurodecode.datasets.alice import Alice
from neurodecode.datasets.localizer import FACTS as LOCALIZER
from neurodecode.datasets.localizer import Localizer
from neurodecode.decoding.classify import Classify
from neurodecode.evaluation.classification import Classification
from neurodecode.evaluation.split import Split
from neurodecode.numerics.drift import make_polynomials, remove_drift
from neurodecode.numerics.ridge_estimator import RidgeRegressor
from neurodecode.numerics.simulation_time import compute_hrf
from neurodecode.numerics.statistics import average_fisher_z, bootstrap_mean, correlate_columns
from neurodecode.preprocessing.average_repeats import AverageRepeats
from neurodecode.preprocessing.detrend import Detrend
from neurodecode.preprocessing.zscore import Zscore

pytestmark = pytest.mark.real_data
ALPHAS = np.logspace(0, 4, 9)


def score_blocks(X, Y, n_folds=5, purge=8):
    """Return the cross-validated r of each column of Y, over contiguous folds."""
    place = np.arange(len(X))
    fold_of_scan = place * n_folds // len(X)
    r = []
    for fold in range(n_folds):
        test = np.flatnonzero(fold_of_scan == fold)
        train = (place < test[0] - purge) | (place > test[-1] + purge)
        predicted = RidgeRegressor(alphas=ALPHAS).fit(X[train], Y[train]).predict(X[test])
        r.append(correlate_columns(predicted, Y[test]))
    return average_fisher_z(np.array(r))


def randomize_phases(X, rng):
    """Return series of the same spectra, turned by the same random phases in every column."""
    spectra = np.fft.rfft(X, axis=0)
    turn = np.exp(2j * np.pi * rng.uniform(size=(len(spectra), 1)))
    turn[0] = 1
    if len(X) % 2 == 0:
        turn[-1] = 1
    return np.fft.irfft(spectra * turn, n=len(X), axis=0)


@pytest.mark.parametrize(("recording", "bar"), [("subj0", 0.25), ("regions", 0.18)])
def test_conditions_of_the_localizer_predict_voxels(find_data, recording, bar):
    find_data(f"{LOCALIZER['folder']}/{LOCALIZER['recordings'][recording]['bold']}")
    out = Localizer(recording=recording).run()
    times, table = out["responses"].samples["onset_s"], out["events"].table
    drift = make_polynomials(len(times), 5)
    responses = remove_drift(out["responses"].data, drift)

    def convolve(onsets):
        columns = [
            sum(compute_hrf(times - t) for t in onsets[table["trial_type"] == condition])
            for condition in LOCALIZER["conditions"]
        ]
        return remove_drift(np.stack(columns, axis=1), drift)

    assert score_blocks(convolve(table["onset"]), responses).mean() >= bar
    rng = np.random.default_rng(0)
    by_chance = [
        score_blocks(convolve(rng.uniform(0, 295, len(table))), responses).mean() for _ in range(3)
    ]
    assert max(by_chance) < 0.08, "random onsets predict nothing"


@pytest.fixture
def story(find_data):
    """Time courses of 27 subjects without drift, z-scored, and the speech features."""
    find_data(f"{ALICE['folder']}/{ALICE['words']}")
    out = Alice(subject="all", exclude=ALICE["without_data"]).run()
    n = ALICE["n_scans"]
    drift = make_polynomials(n, 5)
    series = np.stack([remove_drift(s, drift) for s in out["responses"].data.reshape(-1, n, 6)])
    speech = remove_drift(out["speech"].data, drift)
    return series / series.std(axis=1, keepdims=True), speech / speech.std(axis=0)


def test_word_rate_and_sound_power_predict_the_group_mean(story):
    series, speech = story
    group = series.mean(axis=0)
    r = dict(zip(ALICE["rois"], score_blocks(speech, group), strict=True))
    assert r["LIPL"] >= 0.43
    assert r["LPreM"] >= 0.42
    assert r["LPTL"] >= 0.35
    rng = np.random.default_rng(0)
    null = [score_blocks(randomize_phases(speech, rng), group).max() for _ in range(200)]
    assert np.quantile(null, 0.95) < 0.30
    assert min(r["LIPL"], r["LPreM"], r["LPTL"]) > np.quantile(null, 0.95)


def test_single_subjects_are_lower_and_above_zero(story):
    series, speech = story
    r = np.stack([score_blocks(speech, own) for own in series])
    for roi, mean in (("LPTL", 0.19), ("LIPL", 0.17), ("LPreM", 0.14)):
        values = r[:, ALICE["rois"].index(roi)]
        low, high = bootstrap_mean(values, np.arange(len(values)))
        assert low > 0
        assert low < mean < high


@pytest.fixture
def haxby(find_data):
    """Twelve runs of subject 1, linear drift removed and z-scored within runs."""
    import nibabel

    folder = find_data("haxby2001_slice/bold.nii.gz").parent
    mask = np.asarray(nibabel.load(folder / "mask.nii.gz").dataobj) > 0
    data = np.asarray(nibabel.load(folder / "bold.nii.gz").dataobj, np.float32)[mask].T
    words = [line.split() for line in (folder / "attributes_literal.txt").read_text().splitlines()]
    category, run = np.array([w[0] for w in words]), np.array([w[1] for w in words])
    samples = make_samples(
        dataset="haxby", stimulus_id=category, run=run, category=category,
        onset_s=np.tile(np.arange(121) * 2.5, 12),
    )  # fmt: skip
    responses = Responses(data=np.ascontiguousarray(data), samples=samples, t_r=2.5)
    return Zscore().run(Detrend(degree=1).run(responses))


@pytest.mark.parametrize(("by", "bar", "n"), [("volume", 0.70, 864), ("block", 0.85, 96)])
def test_eight_categories_are_told_in_the_haxby_recording(haxby, by, bar, n):
    responses = haxby
    if by == "block":
        responses = AverageRepeats(by="block", leave_out=["rest"]).run(haxby)
    split = Split(by="run", leave_one_out=True).run(responses)
    stage = Classify(leave_out=["rest"] if by == "volume" else [])
    predictions = stage.run(responses, split)["predictions"]
    scores = Classification(n_permutations=200, n_bootstrap=500).run(predictions)["scores"]
    summary = scores.summary
    assert summary["n"][0] == n
    assert summary["value"][0] >= bar
    assert summary["low"][0] > 0.6
    assert summary["chance"][0] == pytest.approx(1 / 8)
    assert summary["p"][0] == pytest.approx(1 / 201)
    assert summary["null_mean"][0] == pytest.approx(1 / 8, abs=0.02)
