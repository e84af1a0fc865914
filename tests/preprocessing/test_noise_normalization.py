"""preprocessing.noise_normalization whitens planted noise, as its formula says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from neurodecode.core.artifacts import TEST, TRAIN, Foldwise, Responses, Split, make_samples
from neurodecode.core.errors import DataError
from neurodecode.preprocessing.noise_normalization import NoiseNormalization

N_ITEMS, N_REPEATS, N_CHANNELS, N_TIMES = 60, 4, 5, 7


def make_noise_shape(seed=0):
    turn = np.linalg.qr(np.random.default_rng(seed).standard_normal((N_CHANNELS, N_CHANNELS)))[0]
    return turn @ np.diag(np.linspace(1, 3, N_CHANNELS))


def make_responses(n_times=0, sessions=("01",), seed=1):
    """Signal per stimulus, and noise that is mixed across channels, another way in each session."""
    rng = np.random.default_rng(seed)
    rows = np.tile(np.arange(N_ITEMS), N_REPEATS * len(sessions))
    session = np.repeat(sessions, N_ITEMS * N_REPEATS)
    shape = (N_CHANNELS, n_times) if n_times else (N_CHANNELS,)
    signal = 3 * rng.standard_normal((N_ITEMS, *shape))
    noise = rng.standard_normal((len(rows), *shape))
    for k, name in enumerate(sessions):
        mixed = session == name
        noise[mixed] = np.einsum("ij,nj...->ni...", make_noise_shape(k), noise[mixed])
    samples = make_samples(dataset="toy", stimulus_id=[f"item{i}" for i in rows], session=session)
    time = {"sfreq": 10.0, "tmin": -0.2} if n_times else {}
    return Responses(data=signal[rows] + noise, samples=samples, **time)


def find_residuals(responses):
    """Trial minus the mean of its stimulus in its session."""
    names = np.char.add(responses.samples["session"], responses.samples["stimulus_id"])
    out = np.array(responses.data, np.float64)
    for name in np.unique(names):
        out[names == name] -= out[names == name].mean(axis=0)
    return out


def split_one_fold(responses, n_test=20):
    items = np.unique(responses.samples["stimulus_id"])
    tested = np.isin(responses.samples["stimulus_id"], items[:n_test])
    roles = np.where(tested, TEST, TRAIN)[None].astype(np.int8)
    return Split(roles=roles, samples=responses.samples, unit="stimulus")


@pytest.mark.parametrize("n_times", [0, N_TIMES])
def test_planted_noise_comes_out_white_in_each_session(n_times):
    responses = make_responses(n_times, sessions=("01", "02"))
    out = NoiseNormalization(per="session").run(responses)
    residuals = find_residuals(out)
    free = (N_REPEATS - 1) / N_REPEATS
    for name in ("01", "02"):
        block = residuals[out.samples["session"] == name]
        flat = block if not n_times else np.moveaxis(block, 2, 1).reshape(-1, N_CHANNELS)
        np.testing.assert_allclose(flat.T @ flat / len(flat) / free, np.eye(N_CHANNELS), atol=0.12)
    assert out.units == "noise sd"
    before = find_residuals(responses)
    mixed = before.reshape(len(before), N_CHANNELS, -1)[..., 0]
    assert np.abs(np.corrcoef(mixed.T) - np.eye(N_CHANNELS)).max() > 0.3, "there was some to undo"


def test_is_the_inverse_root_of_the_ledoit_wolf_covariance():
    responses = make_responses()
    out = NoiseNormalization(per="session").run(responses)
    sigma = ledoit_wolf(find_residuals(responses), assume_centered=True)[0]
    sigma *= len(responses.data) / (len(responses.data) - N_ITEMS)
    values, vectors = np.linalg.eigh(sigma)
    wanted = responses.data @ (vectors / np.sqrt(values)) @ vectors.T
    np.testing.assert_allclose(out.data, wanted, rtol=1e-9)


@pytest.mark.parametrize("window", [None, (-0.2, 0.0)])
@pytest.mark.parametrize("method", ["time", "epoch"])
def test_epochs_as_in_the_paper(method, window):
    responses = make_responses(N_TIMES)
    out = NoiseNormalization(per="session", method=method, window_s=window).run(responses)
    n = N_TIMES if window is None else 3
    if method == "time":
        residuals = find_residuals(responses)[..., :n]
        each = [ledoit_wolf(residuals[..., t], assume_centered=True)[0] for t in range(n)]
        scale = len(residuals) / (len(residuals) - N_ITEMS)
    else:
        each, scale = [ledoit_wolf(epoch[:, :n].T)[0] for epoch in responses.data], 1.0
    values, vectors = np.linalg.eigh(scale * np.mean(each, axis=0))
    root = (vectors / np.sqrt(values)) @ vectors.T
    np.testing.assert_allclose(out.data, np.einsum("ij,njt->nit", root, responses.data), rtol=1e-9)


def test_training_rows_alone_decide():
    responses = make_responses()
    split = split_one_fold(responses)
    stage = NoiseNormalization()
    out = stage.run(responses, split)
    train = split.fold(0).train
    kept = responses.take(train)
    np.testing.assert_allclose(
        out.data[train], NoiseNormalization(per="session").run(kept).data, rtol=1e-12
    )
    data = np.array(responses.data)
    data[split.fold(0).test] *= 50
    other = stage.run(replace(responses, data=data), split)
    np.testing.assert_array_equal(out.data[train], other.data[train])
    everything = NoiseNormalization(per="session").run(replace(responses, data=data))
    assert not np.allclose(everything.data[train], out.data[train])


def test_univariate_divides_each_channel():
    responses = make_responses()
    out = NoiseNormalization(per="session", form="univariate").run(responses)
    residuals = find_residuals(responses)
    deviation = np.sqrt((residuals**2).sum(axis=0) / (len(residuals) - N_ITEMS))
    np.testing.assert_allclose(out.data, responses.data / deviation, rtol=1e-9)


def test_what_was_done_per_fold_is_applied_for_good():
    responses = make_responses()
    split = split_one_fold(responses)
    steps = Foldwise.identity(1, N_CHANNELS, split.digest)
    steps = replace(steps, selected=np.array([[True, False, True, True, False]]))
    out = NoiseNormalization().run(replace(responses, foldwise=steps), split)
    alone = NoiseNormalization().run(replace(responses, data=responses.data[:, [0, 2, 3]]), split)
    np.testing.assert_array_equal(out.data, alone.data)
    assert out.foldwise is None
    with pytest.raises(DataError, match="Normalise noise first"):
        NoiseNormalization(per="session").run(replace(responses, foldwise=steps))


def test_refusals():
    responses = make_responses()
    split = split_one_fold(responses)
    with pytest.raises(DataError, match="per: training needs the split"):
        NoiseNormalization().run(responses)
    with pytest.raises(DataError, match="per: session takes no split"):
        NoiseNormalization(per="session").run(responses, split)
    two = Split(roles=np.repeat(split.roles, 2, axis=0), samples=split.samples)
    with pytest.raises(DataError, match="the split has 2 folds"):
        NoiseNormalization().run(responses, two)
    with pytest.raises(DataError, match="none of the 60 stimuli is shown more than once"):
        NoiseNormalization(per="session").run(responses.take(np.arange(N_ITEMS)))
    with pytest.raises(DataError, match="without a time axis"):
        NoiseNormalization(per="session", method="epoch").run(responses)
    epochs = make_responses(N_TIMES)
    with pytest.raises(DataError, match="holds no time point"):
        NoiseNormalization(per="session", window_s=(2.0, 3.0)).run(epochs)
    stage = NoiseNormalization(per="session", window_s=(-0.2, 0.0))
    with pytest.raises(DataError, match="needs epochs with sfreq"):
        stage.run(replace(epochs, sfreq=None, tmin=None))
    data = np.array(responses.data)
    data[:, 3] = 2.5
    with pytest.raises(DataError, match=r"1 of 5 channels or voxels have no noise \(first: \[3\]"):
        NoiseNormalization(per="session").run(replace(responses, data=data))
    with pytest.raises(ValueError, match="window_s ends before it begins"):
        NoiseNormalization(window_s=(1.0, 0.0))
