from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import Responses, make_samples
from neurodecode.core.errors import DataError
from neurodecode.preprocessing.detrend import Detrend
from tests.examples import make_epochs, make_split

N, RUNS = 60, 2


@pytest.fixture
def responses():
    """Two runs of white noise, each with a parabola of its own and a level of its own."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(RUNS * N, 3))
    place = np.tile(np.linspace(-1, 1, N), RUNS)[:, None]
    run = np.repeat(np.arange(RUNS), N)[:, None]
    drift = 100 * (run + 1) + (30 - 60 * run) * place**2 + 5 * place
    samples = make_samples(
        dataset="drift",
        stimulus_id=[""] * RUNS * N,
        run=np.repeat(["01", "02"], N),
        onset_s=np.tile(np.arange(N) * 2.0, RUNS),
    )
    return Responses(data=(noise + drift).astype(np.float32), samples=samples, t_r=2.0), noise


def test_planted_drift_goes_run_by_run_and_the_noise_stays(responses):
    series, noise = responses
    out = Detrend(degree=2).run(series)
    for run in range(RUNS):
        rows = slice(run * N, (run + 1) * N)
        assert np.corrcoef(out.data[rows, 0], noise[rows, 0])[0, 1] > 0.96
        np.testing.assert_allclose(out.data[rows].mean(axis=0), 0, atol=1e-5)
    assert out.data.dtype == np.float32
    assert Detrend(degree=0).run(series).data.std() > 5, "a parabola is left of degree 0"


def test_it_is_what_nilearn_does_with_cosines(responses):
    from nilearn.signal import clean

    series, _ = responses
    ours = Detrend(cutoff_s=40).run(series).data
    theirs = clean(
        series.data.astype(np.float64), runs=np.repeat([0, 1], N), detrend=False,
        standardize=None, filter="cosine", high_pass=1 / 40, t_r=2.0,
    )  # fmt: skip
    for rows in (slice(0, N), slice(N, 2 * N)):  # nilearn leaves the mean in
        without = theirs[rows] - theirs[rows].mean(axis=0)
        np.testing.assert_allclose(ours[rows], without, atol=2e-4)


def test_the_mean_of_each_run_can_stay(responses):
    series, _ = responses
    kept = Detrend(degree=2, keep_mean=True).run(series).data
    np.testing.assert_allclose(kept[:N].mean(0), series.data[:N].mean(0), rtol=1e-5)
    np.testing.assert_allclose(kept[N:].mean(0), series.data[N:].mean(0), rtol=1e-5)


def test_what_does_not_fit_is_refused(responses):
    series, _ = responses
    for settings in ({}, {"degree": 1, "cutoff_s": 128}):
        with pytest.raises(ValueError, match="degree"):
            Detrend(**settings)
    with pytest.raises(DataError, match="no t_r"):
        Detrend(cutoff_s=128).run(replace(series, t_r=None))
    with pytest.raises(DataError, match=r"2 to 4 s apart"):
        Detrend(degree=1).run(series.take(np.delete(np.arange(2 * N), 10)))
    with pytest.raises(DataError, match=r"-2 to 4 s apart.*order of time"):
        Detrend(degree=1).run(series.take(np.r_[0, 2, 1, 3 : 2 * N]))
    with pytest.raises(DataError, match=r"run-02: 4 regressors.*5 scans"):
        Detrend(degree=3).run(series.take(np.r_[0:N, N : N + 5]))
    with pytest.raises(DataError, match="a row per scan"):
        Detrend(degree=1).run(make_epochs())
    data = series.data.copy()
    data[3, 1] = np.nan
    with pytest.raises(DataError, match=r"run-01: responses hold 1 values"):
        Detrend(degree=1).run(replace(series, data=data))


def test_preprocessing_per_fold_comes_after():
    from neurodecode.preprocessing.zscore import Zscore
    from tests.examples import make_responses

    per_fold = Zscore(per="training").run(make_responses(), make_split())
    with pytest.raises(DataError, match="before"):
        Detrend(degree=1).run(per_fold)
