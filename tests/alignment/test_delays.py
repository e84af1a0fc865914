import numpy as np
import pytest
from pydantic import ValidationError

from neurodecode.alignment.delays import Delays
from neurodecode.alignment.hrf import Hrf
from neurodecode.core.artifacts import Features, make_items
from neurodecode.core.errors import DataError
from neurodecode.numerics.hrf import SPM, integrate_response
from tests.alignment.test_hrf import N_SCANS, T_R, make_events, make_series


def make_stimulation():
    return Hrf(model="none", conditions=("face",)).run(make_events(), make_series())


def test_weights_of_delays_are_the_response():
    delayed = Delays(delays=tuple(range(12))).run(make_stimulation())
    rng = np.random.default_rng(0)
    hrf = np.diff(integrate_response(np.arange(-1, 12) * T_R, SPM))
    truth = np.asarray(delayed.data) @ hrf
    X = np.asarray(delayed.data, np.float64)
    found = np.linalg.lstsq(X, truth + 1e-6 * rng.normal(size=len(truth)), rcond=None)[0]
    np.testing.assert_allclose(found, hrf, atol=1e-4)


def test_nothing_crosses_the_edge_of_a_run():
    features = make_stimulation()
    data = np.zeros_like(np.asarray(features.data))
    data[N_SCANS - 1] = 1  # the last scan of the first run
    at_the_end = Features(data=data, items=features.items, extractor=features.extractor)
    made = np.asarray(Delays(delays=(0, 1, 2)).run(at_the_end).data)
    assert made[N_SCANS - 1].tolist() == [1, 0, 0]
    assert not made[N_SCANS:].any()


def test_bands_and_names_follow():
    features = Hrf().run(make_events(), make_series())
    made = Delays(delays=(1, 2)).run(features)
    assert made.extractor["columns"] == [
        "face (delay 1)", "face (delay 2)", "house (delay 1)", "house (delay 2)",
    ]  # fmt: skip
    assert made.bands == {"conditions": (0, 4)}


def test_what_has_no_even_time_is_refused():
    data = np.zeros((2, 1))
    with pytest.raises(DataError, match="describe stimuli, not scans"):
        Delays().run(Features(data=data, items=make_items(["a", "b"], data)))
    features = make_stimulation().take(np.delete(np.arange(2 * N_SCANS), 7))
    with pytest.raises(DataError, match=r"run 01/01/01 are not evenly spaced \(4 s after 12 s"):
        Delays().run(features)
    with pytest.raises(ValidationError, match="names a delay twice"):
        Delays(delays=(1, 1))
