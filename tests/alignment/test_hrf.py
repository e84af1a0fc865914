import numpy as np
import pytest
from pydantic import ValidationError

from neurodecode.alignment.hrf import Hrf
from neurodecode.core.artifacts import Events, Features, Responses, make_items, make_samples
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.numerics.hrf import GLOVER, respond_to_events

T_R, N_SCANS = 2.0, 40


def make_series(n_runs=2, shift_s=0.0):
    runs = np.repeat([f"{r + 1:02d}" for r in range(n_runs)], N_SCANS)
    times = np.tile(np.arange(N_SCANS) * T_R + shift_s, n_runs)
    samples = make_samples(
        dataset="made", stimulus_id=np.full(len(runs), ""), run=runs, onset_s=times
    )
    return Responses(data=np.zeros((len(runs), 1), np.float32), samples=samples, t_r=T_R)


def make_events(**columns):
    table = {
        "run": ["01", "01", "02", "02"], "onset": [4.0, 21.0, 6.5, 30.0],
        "duration": [2.0, 4.0, 2.0, 0.0], "trial_type": ["face", "house", "house", "face"],
        "stimulus_id": ["a", "b", "b", "c"], "amplitude": [1.0, 2.0, 3.0, 0.5],
    }  # fmt: skip
    return Events(table=Table({**table, **columns}))


def make_features():
    data = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]])
    return Features(
        data=data, items=make_items(["a", "b", "c"], data), bands={"x": (0, 1), "y": (1, 2)}
    )


def test_conditions_are_sums_of_responses_within_their_run():
    made = Hrf(model="glover").run(make_events(), make_series())
    assert made.extractor["columns"] == ["face", "house"]
    times = np.arange(N_SCANS) * T_R
    first = respond_to_events(times, np.array([4.0, 21.0]), np.array([2.0, 4.0]), GLOVER)
    second = respond_to_events(times, np.array([30.0, 6.5]), np.array([0.0, 2.0]), GLOVER)
    np.testing.assert_allclose(made.data, np.concatenate([first, second]), atol=1e-7)


def test_features_are_weighted_by_what_was_shown():
    made = Hrf(amplitude="amplitude").run(make_events(), make_series(), make_features())
    times = np.arange(N_SCANS) * T_R
    responses = respond_to_events(times, np.array([6.5, 30.0]), np.array([2.0, 0.0]))
    expected = responses @ np.array([[0.0, 6.0], [1.5, 0.5]])
    np.testing.assert_allclose(made.data[N_SCANS:], expected, atol=1e-6)
    assert made.bands == {"x": (0, 1), "y": (1, 2)}


def test_derivatives_stand_beside_their_column():
    made = Hrf(derivatives="time_and_dispersion").run(make_events(), make_series())
    assert made.data.shape == (2 * N_SCANS, 6)
    assert made.extractor["columns"][:3] == [
        "face", "face (time derivative)", "face (dispersion derivative)",
    ]  # fmt: skip
    assert made.bands == {"conditions": (0, 6)}


def test_all_events_are_the_sum_of_their_kinds():
    apart = Hrf().run(make_events(), make_series())
    together = Hrf(by=None).run(make_events(), make_series())
    assert together.extractor["columns"] == ["events"]
    np.testing.assert_allclose(together.data[:, 0], np.sum(apart.data, axis=1), atol=1e-6)


def test_a_shift_of_events_is_one_of_the_scans():
    shifted = Hrf(shift_s=3.0).run(make_events(), make_series())
    moved = Hrf().run(make_events(), make_series(shift_s=-3.0))
    np.testing.assert_allclose(shifted.data, moved.data, atol=1e-7)


def test_scans_keep_their_order_and_names():
    responses = make_series()
    order = np.random.default_rng(0).permutation(len(responses.samples))
    shuffled = Hrf().run(make_events(), responses.take(order))
    straight = Hrf().run(make_events(), responses)
    np.testing.assert_array_equal(shuffled.data, straight.data[order])
    np.testing.assert_array_equal(
        shuffled.items["sample_id"], responses.samples["sample_id"][order]
    )


def test_chosen_conditions_and_empty_runs():
    events = make_events(trial_type=["face", "house", "house", "house"])
    with pytest.raises(DataError, match=r"1 of 2 runs have no events .*01/01/02"):
        Hrf(conditions=("face",)).run(events, make_series())
    made = Hrf(conditions=("face",), allow_empty_runs=True).run(events, make_series())
    assert not made.data[N_SCANS:].any()
    assert made.data[:N_SCANS].any()


@pytest.mark.parametrize(
    ("settings", "columns", "message"),
    [
        ({"by": "kind"}, {}, "Unknown column of the events 'kind'"),
        ({"conditions": ("fase",)}, {}, "Did you mean 'face'"),
        ({"amplitude": "trial_type"}, {}, "no finite numbers"),
        ({}, {"onset": [4.0, np.nan, 6.5, 30.0]}, r"1 of 4 events .* \(first: event 1"),
        ({}, {"duration": [4.0, 1.0, -1.0, 0.0]}, "duration below 0"),
        ({}, {"run": ["01", "01", "02", "03"]}, "events of 01/01/03"),
        ({}, {"onset": [400.0, 500.0, 6.5, 30.0]}, r"all 2 events of run 01/01/01 start after"),
    ],
)
def test_what_cannot_be_is_refused(settings, columns, message):
    with pytest.raises(DataError, match=message):
        Hrf(**settings).run(make_events(**columns), make_series())


def test_trials_are_no_scans():
    responses = make_series()
    samples = responses.samples
    trials = Responses(data=responses.data, samples=samples)
    with pytest.raises(DataError, match="no t_r"):
        Hrf().run(make_events(), trials)
    untimed = Responses(
        data=responses.data,
        samples=samples.with_columns(onset_s=np.full(len(samples), np.nan)),
        t_r=T_R,
    )
    with pytest.raises(DataError, match="80 of 80 scans have no onset_s"):
        Hrf().run(make_events(), untimed)


def test_settings_that_do_not_belong_together():
    with pytest.raises(ValidationError, match="has no derivatives"):
        Hrf(model="none", derivatives="time")
    with pytest.raises(ValidationError, match="delay_s: only for model: double_gamma"):
        Hrf(delay_s=4.0)
    early = Hrf(model="double_gamma", delay_s=4.0).run(make_events(), make_series())
    late = Hrf().run(make_events(), make_series())
    assert early.data[:N_SCANS, 0].argmax() < late.data[:N_SCANS, 0].argmax()
