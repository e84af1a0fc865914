import numpy as np
import pytest

from neurodecode.core.artifacts import Events, Responses, make_samples
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.core.trace import derive_lineage
from neurodecode.evaluation.lag_check import LagCheck
from neurodecode.numerics.simulation_time import make_ar1_noise, make_drift, simulate_bold
from tests.examples import make_epochs, make_responses

T_R, N_SCANS = 2.0, 150


def make_recording(lag_s=0.0, runs=("01", "02", "03"), effect=2.0, seed=0):
    """Blocks of two conditions; responses come ``lag_s`` later than the table says."""
    rng = np.random.default_rng(seed)
    weights = effect * rng.normal(size=(2, 60))
    data, events = [], {"run": [], "onset": [], "trial_type": []}
    times = np.arange(N_SCANS) * T_R
    for run in runs:
        onsets = 10 + np.cumsum(rng.uniform(10, 29, 14))
        which = rng.permutation(np.arange(14) % 2)
        bold = simulate_bold(
            weights[which], onsets + lag_s, times, np.full(60, 5.0), duration_s=8.0
        )
        noise = make_ar1_noise(N_SCANS, 60, 0.3, rng) + 3 * make_drift(N_SCANS, 60, rng)
        data.append(bold + noise)
        events["run"] += [run] * 14
        events["onset"] += onsets.tolist()
        events["trial_type"] += [("face", "house")[k] for k in which]
    samples = make_samples(
        dataset="lag", stimulus_id=[""] * N_SCANS * len(runs), run=np.repeat(runs, N_SCANS),
        onset_s=np.tile(times, len(runs)),
    )  # fmt: skip
    n = len(events["run"])
    table = Table(
        {"subject": ["01"] * n, "session": ["01"] * n, **events, "duration": np.full(n, 8.0)}
    )
    responses = Responses(data=np.concatenate(data).astype(np.float32), samples=samples, t_r=T_R)
    return responses, Events(table=table)


def test_true_onsets_pass_and_are_handed_on_as_they_came():
    responses, events = make_recording()
    out = LagCheck().run(responses, events)
    assert out["events"].table is events.table
    scores = out["scores"]
    assert "The lag is plausible" in scores.notices[0]
    best = scores.items["shift_s"][scores.values.argmax()]
    assert abs(best) <= 1
    assert scores.summary["value"][0] > scores.summary["value"][2], "an HRF helps"
    svg = out["figure"].figures["lag.svg"].tobytes().decode()
    assert svg.startswith("<svg") and "onsets moved by" in svg


def test_onsets_that_hold_the_delay_are_refused_and_mended_by_the_shift_that_is_told():
    """The response peaks 5 s after a short event, and later in a block of 8 s."""
    responses, events = make_recording(lag_s=-6.0)
    with pytest.raises(
        DataError, match=r"hold the haemodynamic delay already.*Set shift_s: -[567]"
    ):
        LagCheck().run(responses, events)
    told = LagCheck(on_mismatch="report").run(responses, events)["scores"].notices[0]
    shift = float(told.partition("shift_s: ")[2].split(" ")[0])
    out = LagCheck(shift_s=shift).run(responses, events)
    assert "plausible" in out["scores"].notices[0]
    np.testing.assert_allclose(out["events"].table["onset"], events.table["onset"] + shift)


@pytest.mark.parametrize("lag_s", [8.0, -10.5])
def test_other_lags_are_refused_with_other_words(lag_s):
    with pytest.raises(DataError, match=r"do not lie where the responses say.*dropped volumes"):
        LagCheck().run(*make_recording(lag_s=lag_s))


def test_one_run_is_scored_on_its_own_stretches():
    out = LagCheck().run(*make_recording(runs=("01",), effect=4.0))
    assert "plausible" in out["scores"].notices[0]
    with pytest.raises(DataError, match="haemodynamic delay already"):
        LagCheck().run(*make_recording(runs=("01",), lag_s=-6, effect=4.0))


def test_without_a_response_nothing_is_claimed():
    told = LagCheck().run(*make_recording(effect=0.0))["scores"].notices[0]
    assert told.startswith(("No response", "The lag is uncertain", "The lag is plausible"))


def test_events_that_are_handed_on_have_seen_no_response():
    responses, events = make_recording()
    stage = LagCheck()
    inputs = {"responses": responses, "events": events}
    made = derive_lineage(stage, inputs, dict(stage.run(**inputs)), step="checked")
    assert not made["events"].lineage.contacts()


def test_what_does_not_fit_is_refused():
    responses, events = make_recording()
    table = events.table
    with pytest.raises(DataError, match="no column 'duration'"):
        LagCheck().run(
            responses, Events(table=Table({c: table[c] for c in table if c != "duration"}))
        )
    other = Events(table=table.with_columns(run=np.full(len(table), "09")))
    with pytest.raises(DataError, match=r"runs that have no scans \(sub-01/ses-01/run-09\)"):
        LagCheck().run(responses, other)
    with pytest.raises(DataError, match="no events are left of 42"):
        LagCheck(leave_out=["face", "house"]).run(responses, events)
    with pytest.raises(DataError, match="no time series"):
        LagCheck().run(make_epochs(), events)
    far = Events(table=table.with_columns(onset=table["onset"] + 1e4))
    with pytest.raises(DataError, match=r"0 of 6 runs or stretches.*same zero"):
        LagCheck().run(responses, far)
    assert make_responses().t_r == 2.0


@pytest.mark.real_data
def test_the_events_of_the_openfmri_folder_are_refused(find_data):
    """Twelve runs of Haxby et al. 2001: their onsets hold the haemodynamic delay."""
    import nibabel

    folder = find_data("haxby2001_slice/mask.nii.gz").parent
    mask = np.asarray(nibabel.load(folder / "mask.nii.gz").dataobj) > 0
    data, rows = [], []
    for run in range(1, 13):
        own = folder / f"openfmri/sub001/BOLD/task001_run{run:03d}"
        bold = np.asarray(nibabel.load(own / "bold_1slice.nii.gz").dataobj, np.float32)
        data.append(bold[mask].T)
        lines = (own / "bold_events.tsv").read_text().splitlines()[1:]
        rows += [(f"{run:02d}", *line.split("\t")) for line in lines]
    samples = make_samples(
        dataset="haxby", stimulus_id=[""] * 12 * 121,
        run=np.repeat([f"{run:02d}" for run in range(1, 13)], 121),
        onset_s=np.tile(np.arange(121) * 2.5, 12),
    )  # fmt: skip
    responses = Responses(data=np.concatenate(data), samples=samples, t_r=2.5)
    run, onset, duration, trial_type = (list(column) for column in zip(*rows, strict=True))
    n = len(rows)
    columns = {"subject": ["01"] * n, "session": ["01"] * n, "run": run, "trial_type": trial_type}
    times = {"onset": np.array(onset, float), "duration": np.array(duration, float)}
    events = Events(table=Table({**columns, **times}))
    with pytest.raises(DataError, match=r"already.*moved by -[67]\.\d s.*Set shift_s: -[67]"):
        LagCheck().run(responses, events)
    told = LagCheck(shift_s=-7.0).run(responses, events)["scores"].notices[0]
    assert "plausible" in told


@pytest.mark.real_data
@pytest.mark.parametrize("recording", ["subj0", "regions"])
def test_the_events_of_the_localizer_pass(find_data, recording):
    from neurodecode.datasets.localizer import Localizer

    find_data("localizer_fmri/paradigm_loc.csv")
    out = Localizer(recording=recording).run()
    told = LagCheck().run(out["responses"], out["events"])["scores"].notices[0]
    assert "The lag is plausible: responses follow best with onsets moved by " in told


@pytest.mark.real_data
@pytest.mark.parametrize("subject", ["18", "22", "45", "51"])
def test_the_words_of_alice_are_not_refused(find_data, subject):
    from neurodecode.datasets.alice import Alice

    find_data("alice_fmri/README_data.txt")
    out = Alice(subject=subject).run()
    LagCheck(degree=5).run(out["responses"], out["words"])
