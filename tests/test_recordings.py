"""What the real recordings are known to hold, reached with array functions alone.

r is taken within each of five contiguous folds and averaged by Fisher's z; scans within eight of a
test block do not train; drift is removed from the whole run first (polynomials of degree 5). These
figures say that the signal is there; the pipelines of the same names report them with intervals.
"""

import numpy as np
import pytest

from neurodecode.datasets.alice import FACTS as ALICE
from neurodecode.datasets.alice import Alice
from neurodecode.datasets.localizer import FACTS as LOCALIZER
from neurodecode.datasets.localizer import Localizer
from neurodecode.numerics.drift import make_polynomials, remove_drift
from neurodecode.numerics.ridge_estimator import RidgeRegressor
from neurodecode.numerics.simulation_time import compute_hrf
from neurodecode.numerics.statistics import average_fisher_z, bootstrap_mean, correlate_columns

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


@pytest.fixture(scope="module")
def story():
    """Time courses of 27 subjects without drift, z-scored, and the speech features."""
    out = Alice(subject="all", exclude=ALICE["without_data"]).run()
    n = ALICE["n_scans"]
    drift = make_polynomials(n, 5)
    series = np.stack([remove_drift(s, drift) for s in out["responses"].data.reshape(-1, n, 6)])
    speech = remove_drift(out["speech"].data, drift)
    return series / series.std(axis=1, keepdims=True), speech / speech.std(axis=0)


@pytest.fixture(autouse=True)
def _need_files(find_data):
    find_data(f"{ALICE['folder']}/{ALICE['words']}")


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
