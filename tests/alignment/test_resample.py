import numpy as np
import pytest
from pydantic import ValidationError

from neurodecode.alignment.resample import Resample
from neurodecode.core.artifacts import Events, Features, make_items
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.numerics.resampling import make_lanczos_weights
from tests.alignment.test_hrf import N_SCANS, T_R, make_series


def make_words(n=200, seed=0):
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(5, 3))
    ids = np.array([f"word{i}" for i in range(5)])
    shown = ids[rng.integers(5, size=n)]
    onsets = rng.uniform(0, N_SCANS * T_R, n)
    runs = np.array(["01", "02"])[rng.integers(2, size=n)]
    table = Table({"run": runs, "onset": onsets, "duration": np.zeros(n), "stimulus_id": shown})
    return Features(data=data, items=make_items(ids, data)), Events(table=table)


def test_words_are_filtered_within_their_run():
    features, events = make_words()
    made = Resample().run(features, make_series(), events)
    table = events.table
    mine = np.flatnonzero(table["run"] == "02")
    weights = make_lanczos_weights(table["onset"][mine], np.arange(N_SCANS) * T_R, 1 / T_R)
    expected = weights @ features.read_for(table["stimulus_id"][mine])
    np.testing.assert_allclose(made.data[N_SCANS:], expected, atol=1e-5)


def test_a_lower_cutoff_is_smoother():
    features, events = make_words()
    rough = Resample().run(features, make_series(), events)
    smooth = Resample(cutoff_hz=0.05).run(features, make_series(), events)

    def roughness(made):
        data = np.asarray(made.data)[:N_SCANS]
        return (np.diff(data, axis=0) ** 2).sum() / (data**2).sum()

    assert roughness(smooth) < 0.5 * roughness(rough)
    with pytest.raises(DataError, match="above half the scans' frequency"):
        Resample(cutoff_hz=0.4).run(features, make_series(), events)


def test_items_may_have_their_own_times():
    times = np.tile(np.arange(0, N_SCANS * T_R, 0.5), 2)
    runs = np.repeat(["01", "02"], len(times) // 2)
    data = np.where(runs == "01", np.sin(0.1 * times), 5.0)[:, None]
    items = make_items([f"f{i}" for i in range(len(times))], data)
    features = Features(data=data, items=items.with_columns(run=runs, onset_s=times))
    for settings in (
        {"method": "linear"}, {"normalize": True}, {"method": "box", "normalize": True},
    ):  # fmt: skip
        made = np.asarray(Resample(**settings).run(features, make_series()).data)[:, 0]
        inside = slice(3, N_SCANS - 3)
        expected = np.sin(0.1 * np.arange(N_SCANS) * T_R)
        np.testing.assert_allclose(made[:N_SCANS][inside], expected[inside], atol=0.05)
        np.testing.assert_allclose(made[N_SCANS:], 5, atol=1e-5)


def test_box_counts_words():
    features, events = make_words()
    one = Features(data=np.ones((5, 1)), items=features.items)
    made = Resample(method="box").run(one, make_series(), events)
    counted = np.asarray(made.data).sum()
    inside = events.table["onset"] < (N_SCANS - 0.5) * T_R
    assert counted == inside.sum()


def test_what_cannot_be_is_refused():
    features, events = make_words()
    with pytest.raises(DataError, match="have no onset_s"):
        Resample().run(features, make_series())
    twice = Events(table=events.table.take(np.array([0, 0, 1, 2])).with_columns(run=["01"] * 4))
    with pytest.raises(DataError, match="several items at one time"):
        Resample(method="linear", allow_empty_runs=True).run(features, make_series(), twice)
    with pytest.raises(ValidationError, match="cutoff_hz belongs to method: lanczos"):
        Resample(method="box", cutoff_hz=0.1)
