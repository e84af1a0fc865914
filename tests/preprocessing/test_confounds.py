"""preprocessing.confounds: joined by scan, run by run, censored scans left out."""

from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import Features, Responses, make_samples, make_scan_items
from neurodecode.core.errors import DataError
from neurodecode.core.store import Store
from neurodecode.preprocessing.confounds import Confounds

N_SCANS, N_RUNS, N_VOXELS, T_R = 40, 3, 6, 2.0
N = N_SCANS * N_RUNS


def make_problem(seed=0, **columns):
    """Runs with weights of their own: what is planted is gone only if each is fitted alone."""
    rng = np.random.default_rng(seed)
    run = np.repeat(["1", "2", "3"], N_SCANS)
    time = np.tile(np.arange(N_SCANS) * T_R + 1, N_RUNS)
    samples = make_samples(dataset="toy", stimulus_id=[""] * N, run=run, onset_s=time, **columns)
    confounds = rng.normal(size=(N, 4))
    signal = rng.normal(size=(N, N_VOXELS))
    data = signal + 1000
    for r in range(N_RUNS):
        rows = slice(r * N_SCANS, (r + 1) * N_SCANS)
        ramp = np.linspace(-1, 1, N_SCANS)[:, None]
        design = np.concatenate([np.ones((N_SCANS, 1)), ramp, confounds[rows]], axis=1)
        signal[rows] -= design @ np.linalg.lstsq(design, signal[rows], rcond=None)[0]
        data[rows] = signal[rows] + 1000 + design @ rng.normal(scale=30, size=(6, N_VOXELS))
    features = Features(
        data=confounds,
        items=make_scan_items(samples),
        extractor={"name": "toy", "columns": ["trans_x", "trans_y", "csf", "white_matter"]},
        bands={"motion": (0, 2), "wm_csf": (2, 4)},
    )
    responses = Responses(data=data.astype(np.float32), samples=samples, t_r=T_R, units="a.u.")
    return responses, features, signal


def test_planted_confounds_are_gone_run_by_run():
    responses, confounds, signal = make_problem()
    out = Confounds(polynomial=1, standardize="none").run(responses, confounds)
    np.testing.assert_allclose(out.data, signal, atol=1e-3)
    assert (out.data.dtype, out.units, out.t_r) == (np.float32, "a.u.", T_R)
    out = Confounds(polynomial=1).run(responses, confounds)
    for run in "123":
        rows = responses.samples["run"] == run
        expected = signal[rows] / signal[rows].std(axis=0)
        np.testing.assert_allclose(out.data[rows], expected, atol=1e-3)
    assert out.units == "z"
    out = Confounds(polynomial=1, standardize="percent").run(responses, confounds)
    mean = np.asarray(responses.data, float)[:N_SCANS].mean(axis=0)
    np.testing.assert_allclose(out.data[:N_SCANS], 100 * signal[:N_SCANS] / mean, atol=1e-3)


def test_confounds_are_joined_by_scan_whatever_their_order():
    responses, confounds, _ = make_problem()
    before = Confounds(polynomial=1).run(responses, confounds)
    order = np.random.default_rng(1).permutation(N)
    again = Confounds(polynomial=1).run(responses, confounds.take(order))
    np.testing.assert_array_equal(before.data, again.data)
    mixed = Confounds(polynomial=1).run(responses.take(order), confounds)
    np.testing.assert_array_equal(before.data[order], mixed.data)
    with pytest.raises(DataError, match="scan ids are wanted but absent"):
        Confounds(polynomial=1).run(responses, confounds.take(np.arange(N - 1)))


def test_columns_and_bands_are_chosen():
    responses, confounds, _ = make_problem()

    def run(**settings):
        return Confounds(standardize="none", **settings).run(responses, confounds).data

    motion = run(bands=["motion"])
    np.testing.assert_array_equal(motion, run(columns=["trans_*"]))
    np.testing.assert_array_equal(motion, run(columns=["trans_x", "trans_y"]))
    np.testing.assert_array_equal(run(), run(columns=["csf", "white_*"], bands=["motion"]))
    assert np.abs(motion - run()).max() > 1
    for settings, message in (
        ({"columns": ["trans_w"]}, r"no column 'trans_w'.*Did you mean 'trans_"),
        ({"bands": ["motions"]}, r"Unknown band 'motions'.*'motion'"),
    ):
        with pytest.raises(DataError, match=message):
            Confounds(**settings).run(responses, confounds)
    with pytest.raises(DataError, match="no confounds are given"):
        Confounds(bands=["motion"]).run(responses)


@pytest.mark.parametrize("how", ["drop", "interpolate", "keep"])
def test_censored_scans_have_no_part_in_the_fit(how):
    censored = np.zeros(N, bool)
    censored[[0, 5, 6, 50, N - 1]] = True
    responses, confounds, _ = make_problem(censored=censored)
    stage = Confounds(polynomial=1, censored=how)
    out = stage.run(responses, confounds)
    wild = np.array(responses.data)
    wild[censored] += 1e4
    again = stage.run(replace(responses, data=wild), confounds)
    rows = np.ones(len(out.data), bool) if how == "drop" else ~censored
    np.testing.assert_array_equal(out.data[rows], again.data[rows])
    reference = Confounds(polynomial=1, censored="keep").run(responses, confounds)
    kept = out.data if how == "drop" else out.data[~censored]
    np.testing.assert_array_equal(kept, reference.data[~censored])
    if how == "drop":
        assert len(out.samples) == N - 5
        expected = responses.samples["onset_s"][~censored]
        np.testing.assert_array_equal(out.samples["onset_s"], expected)
    elif how == "interpolate":
        np.testing.assert_array_equal(again.data, out.data)
        np.testing.assert_allclose(out.data[5], out.data[4] + (out.data[7] - out.data[4]) / 3, 1e-4)
        np.testing.assert_array_equal(out.data[0], out.data[1])
        np.testing.assert_array_equal(out.data[N - 1], out.data[N - 2])


def test_drift_is_laid_on_the_clock_where_scans_are_missing():
    """A cosine over the whole run is removed, too, where scans in its middle are not there."""
    responses, _, _ = make_problem()
    wave = np.cos(np.pi * 2 * (np.arange(N_SCANS) + 0.5) / N_SCANS)
    data = np.random.default_rng(3).normal(size=(N, N_VOXELS))
    given = replace(responses, data=np.tile(wave, N_RUNS)[:, None] * np.ones(N_VOXELS) + 5)
    rows = np.delete(np.arange(N), np.arange(10, 16))
    stage = Confounds(high_pass_s=60.0, standardize="none")
    np.testing.assert_allclose(stage.run(given.take(rows)).data, 0, atol=1e-9)
    line = np.tile(np.arange(N_SCANS) * 3.0, N_RUNS)[:, None] * np.ones(N_VOXELS)
    straight = replace(responses, data=line).take(rows)
    left = Confounds(polynomial=1, standardize="none").run(straight).data
    np.testing.assert_allclose(left, 0, atol=1e-9)
    fast = Confounds(low_pass_hz=0.1, standardize="none").run(replace(responses, data=data))
    spectrum = np.abs(np.fft.rfft(fast.data[:N_SCANS], axis=0)) ** 2
    frequencies = np.fft.rfftfreq(N_SCANS, T_R)
    assert spectrum[frequencies > 0.125].sum() < 0.1 * spectrum.sum()


def test_blocks_from_the_store_give_the_same_rows(tmp_path):
    """Runs are finished one by one and put together unread."""
    responses, confounds, _ = make_problem()
    order = np.random.default_rng(1).permutation(N)
    mixed = responses.take(order)
    stage = Confounds(polynomial=1)
    whole = stage.run(mixed, confounds)
    store = Store(tmp_path)
    given = {"responses": mixed, "confounds": confounds}
    names = stage.blocks(**given)
    assert len(names) == N_RUNS
    for name in names:
        store.write_block(stage.stage, "key", name, stage.run_block(name, **given))
    parts = {name: store.read_block(stage.stage, "key", name) for name in names}
    made = stage.assemble(parts, **given)
    assert not isinstance(made.data, np.ndarray)
    np.testing.assert_array_equal(np.asarray(made.data), whole.data)
    np.testing.assert_array_equal(made.data[5:9, 2:4], whole.data[5:9, 2:4])


def test_refusals():
    responses, confounds, _ = make_problem()
    with pytest.raises(DataError, match="no t_r"):
        Confounds(polynomial=1).run(replace(responses, t_r=None))
    with pytest.raises(DataError, match=r"do not lie on a grid of t_r = 1\.7 s"):
        Confounds(polynomial=1).run(replace(responses, t_r=1.7))
    with pytest.raises(DataError, match=r"run-1: .* leaves \d degrees of freedom"):
        Confounds(polynomial=38).run(responses, confounds)
    flat = np.array(responses.data)
    flat[:N_SCANS, 2] = 7
    with pytest.raises(DataError, match=r"run-1: nothing is left of 1 voxels \(first: \[2\]\)"):
        Confounds(polynomial=1).run(replace(responses, data=flat))
    centred = np.asarray(responses.data) - np.asarray(responses.data)[:N_SCANS].mean(axis=0)
    with pytest.raises(DataError, match="mean of 0 or less"):
        Confounds(polynomial=1, standardize="percent").run(replace(responses, data=centred))
    broken = np.array(confounds.data)
    broken[3, 1] = np.nan
    with pytest.raises(DataError, match=r"confounds hold 1 values.*trans_y"):
        Confounds().run(responses, replace(confounds, data=broken))
    items = confounds.items
    stimuli = {name: items[name] for name in ("id", "source", "digest")}
    with pytest.raises(DataError, match="describe stimuli, not scans"):
        Confounds().run(responses, replace(confounds, items=type(items)(stimuli)))
    with pytest.raises(ValueError, match="Set one of them"):
        Confounds(polynomial=1, high_pass_s=128)


def test_what_it_sees():
    assert Confounds().sees() == {"responses": "run", "confounds": "run"}
    assert Confounds.contact == "transductive"
