import csv
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from neurodecode.core.artifacts import Events, Responses, make_samples
from neurodecode.core.errors import DataError
from neurodecode.core.raw import list_data_roots
from neurodecode.core.tables import Table
from neurodecode.numerics.hrf_library import HrfShape
from neurodecode.numerics.noise_ceilings import estimate_reliability
from neurodecode.preprocessing.single_trial_betas import SingleTrialBetas
from tests.preprocessing.trial_data import plant_trials


def estimate(planted, **settings):
    stage = SingleTrialBetas(**settings)
    return stage.run(planted.responses, planted.events, planted.confounds)


def correlate(found, planted):
    """Mean over voxels of the correlation with the planted betas, over trials."""
    pairs = zip(np.asarray(found["responses"].data).T, planted.betas.T, strict=True)
    return np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs])


def slope(found, planted):
    x, y = planted.betas - planted.betas.mean(axis=0), np.asarray(found["responses"].data)
    return (x * y).sum() / (x**2).sum()


def test_noise_free_betas_are_recovered_exactly():
    planted = plant_trials(noise=0.0)
    found = estimate(planted, method="all")
    # data are float32, and percent is of a mean that responses shift a little
    np.testing.assert_allclose(found["responses"].data, planted.betas, atol=0.05, rtol=0.01)
    ridge = estimate(planted, method="ridge", fraction=1.0)
    np.testing.assert_allclose(ridge["responses"].data, found["responses"].data, atol=1e-3)


def test_trials_have_their_table_and_no_time_axis():
    planted = plant_trials(n_trials=6, n_runs=2, n_voxels=4)
    made = estimate(planted)["responses"]
    table = planted.events.table
    assert made.t_r is None and made.units == "percent"
    for ours, theirs in (("onset_s", "onset"), ("stimulus_id",) * 2, ("run",) * 2):
        np.testing.assert_array_equal(made.samples[ours], table[theirs])
    assert made.samples["repeat"].tolist() == [0] * 6 + [1] * 6
    # each trial goes by the scan in which it begins
    scans = planted.responses.samples
    at = [np.flatnonzero(scans["sample_id"] == i)[0] for i in made.samples["sample_id"]]
    assert (scans["run"][at] == made.samples["run"]).all()
    lag = made.samples["onset_s"] - scans["onset_s"][at]
    assert ((lag >= 0) & (lag < 1.5)).all()


def test_two_trials_within_a_scan_go_by_different_scans():
    planted = plant_trials(n_trials=10, n_runs=1, n_voxels=3, isi_s=0.7, t_r=2.0)
    made = estimate(planted)["responses"]
    assert len(np.unique(made.samples["sample_id"])) == 10


def test_separate_beats_all_where_trials_follow_within_seconds_and_not_where_far_apart():
    """Mumford et al. 2012, figure 3: collinear trials."""
    fast = plant_trials(isi_s=1.5, n_trials=40, noise=1.0, n_voxels=60, spread=0.7, seed=1)
    all_, separate = (correlate(estimate(fast, method=m), fast) for m in ("all", "separate"))
    assert separate > all_ + 0.1
    slow = plant_trials(isi_s=12.0, n_trials=20, noise=1.0, n_voxels=60, seed=1)
    all_, separate = (correlate(estimate(slow, method=m), slow) for m in ("all", "separate"))
    assert abs(separate - all_) < 0.05


def test_neighbours_of_all_are_anticorrelated_in_noise():
    planted = plant_trials(isi_s=2.0, n_trials=30, noise=1.0, n_voxels=100, spread=0.0, seed=2)
    betas = np.asarray(estimate(planted, method="all")["responses"].data).reshape(3, 30, 100)
    assert np.corrcoef(betas[:, :-1].ravel(), betas[:, 1:].ravel())[0, 1] < -0.3


def test_each_voxel_gets_the_response_that_made_it():
    shapes = (HrfShape(3.5, 4.5), HrfShape(5.5, 5.5), HrfShape(7.5, 7.0))
    planted = plant_trials(shapes=shapes, n_voxels=60, n_trials=24, isi_s=5.0, noise=0.6, seed=3)
    for by in ("cross_validated", "in_sample"):
        found = estimate(planted, hrf="library", hrf_by=by, method="all")
        peaks = found["fit"].items["peak_s"].reshape(20, 3)
        assert np.abs(np.median(peaks, axis=0) - [3.5, 5.5, 7.5]).max() <= 0.5, by
    canonical = estimate(planted, method="all")
    assert correlate(found, planted) > correlate(canonical, planted) + 0.05
    assert np.median(found["fit"].values) > np.median(canonical["fit"].values)


def test_ridge_shrinks_noisy_voxels_more_and_helps():
    planted = plant_trials(isi_s=2.0, n_trials=40, n_runs=4, noise=1.0, n_voxels=60, seed=4)
    quiet = plant_trials(isi_s=8.0, n_trials=40, n_runs=4, noise=0.1, n_voxels=60, seed=4)
    noisy, clear = (estimate(p, method="ridge") for p in (planted, quiet))
    assert np.median(noisy["fit"].items["fraction"]) < 0.7
    assert np.median(clear["fit"].items["fraction"]) > 0.9
    everything = estimate(planted, method="all")
    assert correlate(noisy, planted) > correlate(everything, planted) + 0.05
    plain = estimate(planted, method="ridge", rescale=False)
    assert slope(plain, planted) < slope(noisy, planted)


def test_confounds_drift_and_events_of_no_interest_are_taken_out():
    planted = plant_trials(n_voxels=20, confound=10.0, seed=5)
    stage = SingleTrialBetas(method="all")
    without = stage.run(planted.responses, planted.events)
    assert correlate(estimate(planted, method="all"), planted) > 0.9
    assert correlate(without, planted) < 0.6
    flat = estimate(planted, method="all", drift="polynomial")
    assert correlate(flat, planted) > 0.9
    # button presses that make a response of their own, two seconds after each trial
    pressed = planted.events.table
    n = len(pressed)
    press = pressed.with_columns(
        onset=pressed["onset"] + np.random.default_rng(0).uniform(0.5, 3.5, n),
        trial_type=["press"] * n, stimulus_id=[""] * n,
    )  # fmt: skip
    both = Table({c: np.concatenate([pressed[c], press[c]]) for c in pressed})
    only_presses = stage.model_copy(update={"trial_types": ("press",)})
    from neurodecode.numerics.hrf_library import CANONICAL, compute_response

    samples, data = planted.responses.samples, np.array(planted.responses.data, np.float64)
    for run in np.unique(samples["run"]):
        rows, at = samples["run"] == run, press["run"] == run
        lags = samples["onset_s"][rows][:, None] - press["onset"][at]
        data[rows] *= 1 + 0.05 * compute_response(lags, CANONICAL, 1.0).sum(axis=1)[:, None]
    moved = replace(planted, responses=replace(planted.responses, data=data),
                    events=Events(table=both))  # fmt: skip
    ignored = correlate(estimate(moved, method="all"), planted)
    known = correlate(estimate(moved, method="all", nuisance_types=("press",)), planted)
    assert known > max(0.8, ignored + 0.1)
    made = only_presses.run(moved.responses, moved.events, moved.confounds)["responses"]
    assert set(made.samples["stimulus_id"]) == {""}


def test_noise_components_take_out_what_silent_voxels_share():
    rng = np.random.default_rng(6)
    planted = plant_trials(n_voxels=80, n_trials=24, noise=0.3, confound=0.0, seed=6)
    shared = rng.standard_normal((len(planted.responses.data), 2)) @ rng.standard_normal((2, 80))
    data = np.array(planted.responses.data, np.float64)
    data[:, 40:] = 1000 + 10 * rng.standard_normal((len(data), 40)) * 0.3  # no responses here
    data *= 1 + 0.02 * shared
    planted = replace(planted, responses=replace(planted.responses, data=data))
    planted.betas = planted.betas[:, :40]

    def correlate_half(found):
        half = replace(found["responses"], data=np.asarray(found["responses"].data)[:, :40])
        return correlate({"responses": half}, planted)

    plain = SingleTrialBetas(method="all").run(planted.responses, planted.events)
    cleaned = SingleTrialBetas(method="all", n_noise_components=2).run(
        planted.responses, planted.events
    )
    assert correlate_half(cleaned) > correlate_half(plain) + 0.1
    counted = SingleTrialBetas(method="all", n_noise_components=5, noise_by="cross_validated").run(
        planted.responses, planted.events
    )
    assert counted["fit"].summary["value"][-1] == 2
    assert correlate_half(counted) == pytest.approx(correlate_half(cleaned))


def test_order_of_rows_blocks_of_voxels_and_other_runs_change_nothing(monkeypatch):
    planted = plant_trials(n_voxels=20, seed=7)
    whole = estimate(planted, method="ridge", hrf="library")
    order = np.random.default_rng(0).permutation(len(planted.responses.data))
    shuffled = replace(planted, responses=planted.responses.take(order))
    again = estimate(shuffled, method="ridge", hrf="library")
    ours, theirs = (np.argsort(one["responses"].samples["sample_id"]) for one in (again, whole))
    np.testing.assert_allclose(
        again["responses"].data[ours], whole["responses"].data[theirs], rtol=1e-5
    )
    monkeypatch.setattr("neurodecode.preprocessing.trial_designs.BLOCK_BYTES", 1 << 16)
    blocked = estimate(planted, method="ridge", hrf="library")
    np.testing.assert_allclose(blocked["responses"].data, whole["responses"].data, rtol=1e-4)
    # with one response and no choice, a run's betas are its own
    rows = np.flatnonzero(planted.responses.samples["run"] == "02")
    alone = SingleTrialBetas(method="ridge", fraction=0.5).run(
        planted.responses.take(rows),
        Events(table=planted.events.table.take(planted.events.table["run"] == "02")),
        planted.confounds,
    )
    among = estimate(planted, method="ridge", fraction=0.5)["responses"]
    mine = among.data[among.samples["run"] == "02"]
    np.testing.assert_allclose(alone["responses"].data, mine, rtol=1e-4, atol=1e-5)


def test_what_a_beta_has_seen_is_declared():
    assert SingleTrialBetas().sees()["responses"] == "run"
    assert SingleTrialBetas(method="ridge", fraction=0.3).sees()["responses"] == "run"
    for settings in ({"hrf": "library"}, {"method": "ridge"}, {"n_noise_components": 2}):
        stage = SingleTrialBetas(**settings)
        assert (stage.sees()["responses"], stage.contact_of()) == ("all", "transductive")


def test_a_trial_that_scans_hardly_see_is_refused_or_left_out():
    planted = plant_trials(n_runs=2, n_trials=8, n_voxels=4)
    onsets = planted.events.table["onset"].copy()
    onsets[7] = planted.responses.samples["onset_s"].max() - 1.0
    moved = replace(planted, events=change(planted.events, onset=onsets))
    with pytest.raises(DataError, match="hardly see the responses of 1 trials"):
        estimate(moved)
    made = estimate(moved, unseen_trials="leave_out")["responses"]
    np.testing.assert_array_equal(made.samples["onset_s"], np.delete(onsets, 7))


def change(events, **columns):
    return Events(table=events.table.with_columns(**columns))


def test_bad_input_is_refused():
    planted = plant_trials(n_runs=2, n_trials=8, n_voxels=4)
    responses, events = planted.responses, planted.events
    onsets = events.table["onset"]
    late = onsets.copy()
    late[-1] = 1000.0
    for given, what, settings in (
        ((replace(responses, t_r=None), events), "no time series", {}),
        ((responses, Events(table=Table({"onset": [1.0]}))), "no column", {}),
        ((responses, events), "no event is of trial type", {"trial_types": ("word",)}),
        ((responses, change(events, stimulus_id=[""] * 16)), "no event is a trial", {}),
        ((responses, change(events, run=["09"] * 16)), "16 trials are in runs without", {}),
        ((responses, change(events, onset=late)), "1 trials begin at or after", {}),
        ((responses, change(events, onset=onsets * np.nan)), "is no time", {}),
        ((responses, change(events, onset=np.full(16, 9.0))), "so close", {"method": "all"}),
        ((replace(responses, data=responses.data - responses.data.mean(0)), events), "percent", {}),
        ((responses, change(events, stimulus_id=[f"u{i}" for i in range(16)])),
         "no stimulus is shown in two runs", {"method": "ridge"}),
        ((responses, events), "below noise_r2", {"n_noise_components": 3, "noise_r2": -9.0}),
        ((responses.take(slice(0, None, 6)), events), "regressors", {"method": "all"}),
    ):  # fmt: skip
        with pytest.raises(DataError, match=what):
            SingleTrialBetas(**settings).run(*given)
    one = responses.take(np.flatnonzero(responses.samples["run"] == "01"))
    first = Events(table=events.table.take(slice(0, 8)))
    with pytest.raises(DataError, match="one run has trials"):
        SingleTrialBetas(hrf="library").run(one, first)
    wrong = replace(planted.confounds, items=Table({"id": planted.confounds.items["id"]}))
    with pytest.raises(DataError, match="not those of scans"):
        SingleTrialBetas().run(responses, events, wrong)
    for settings in ({"noise_by": "cross_validated", "hrf_by": "in_sample"},
                     {"fractions": (0.5, 0.1)}, {"fraction": 0.0},
                     {"trial_types": ("a",), "nuisance_types": ("a",)}):  # fmt: skip
        with pytest.raises(ValidationError):
            SingleTrialBetas(**settings)


def read_localizer():
    """The Pinel localizer of pyhrf: its header's TR of 1 s is wrong."""
    import nibabel

    roots = [root / "localizer_fmri" for root in list_data_roots()]
    folder = next((root for root in roots if root.exists()), None)
    if folder is None:
        pytest.skip("real_data: localizer_fmri is in none of the data folders")
    bold = next(folder.rglob("subj0_bold_session0.nii.gz"))
    data = nibabel.load(bold).get_fdata(dtype=np.float32)
    mean = data.mean(axis=-1)
    data = data[mean > 0.3 * np.median(mean[mean > mean.mean()])].T
    with open(next(folder.rglob("paradigm_loc.csv"))) as file:
        rows = list(csv.reader(file, delimiter=" "))
    n = len(rows)
    table = {name: ["01"] * n for name in ("subject", "session", "run")} | {
        "onset": [float(row[2]) for row in rows], "duration": np.zeros(n),
        "trial_type": [row[1] for row in rows], "stimulus_id": [row[1] for row in rows],
    }  # fmt: skip
    times_s = np.arange(len(data)) * 2.4
    samples = make_samples(dataset="loc", stimulus_id=[""] * len(data), onset_s=times_s)
    return Responses(data=data, samples=samples, t_r=2.4), Events(table=Table(table))


@pytest.mark.real_data
def test_betas_of_a_fast_localizer():
    """80 trials of 10 conditions, 3.7 s apart on average, in 125 scans; the last is cut off."""
    responses, events = read_localizer()
    with pytest.raises(DataError, match="hardly see the responses of 1 trials"):
        SingleTrialBetas().run(responses, events)
    reliability = {}
    for name, settings in {
        "separate": {}, "all": {"method": "all"}, "ridge": {"method": "ridge", "fraction": 0.3},
    }.items():  # fmt: skip
        stage = SingleTrialBetas(unseen_trials="leave_out", **settings)
        made = stage.run(responses, events)["responses"]
        condition = np.unique(made.samples["stimulus_id"], return_inverse=True)[1]
        reliability[name] = estimate_reliability(made.data, condition, "ncsnr").rho.mean()
    assert reliability["separate"] > 0.18 and reliability["ridge"] > 0.18
    assert reliability["all"] < 0.15
