import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.evaluation.inter_subject import InterSubject
from neurodecode.numerics.inter_subject import expect_agreement
from tests.evaluation.evaluation_data import make_responses
from tests.numerics.test_inter_subject import plant_subjects

GAIN, OWN, NOISE = np.array([1.0, 0.6, 1.5]), np.array([0.5, 1.0, 0.0]), np.array([1.0, 1.0, 4.0])
NAMES = ("01", "02", "03")


def test_repeats_are_averaged_and_stimuli_joined_by_id():
    """Noise is halved by two repeats; each subject saw its own stimuli besides the shared ones."""
    rng = np.random.default_rng(0)
    n, n_voxels = 800, 50
    given = {}
    clean = plant_subjects(GAIN, OWN, np.zeros(3), n, n_voxels, seed=1)
    for s, name in enumerate(NAMES):
        data = np.tile(clean[s], (2, 1))
        data += np.sqrt(NOISE[s]) * rng.standard_normal(data.shape)
        extra = rng.standard_normal((30, n_voxels))
        ids = [*[f"s{i}" for i in range(n)] * 2, *[f"only{name}-{i}" for i in range(30)]]
        order = rng.permutation(len(ids))
        given[name] = make_responses(
            np.concatenate([data, extra])[order], np.array(ids)[order], subject=name
        )
    truth = expect_agreement(GAIN, OWN, NOISE / 2)
    found = InterSubject().run(given)
    for s, name in enumerate(NAMES):
        assert found.items[f"r/{name}"].mean() == pytest.approx(truth[s], abs=0.015)
    wanted = np.tanh(np.arctanh(truth).mean())
    assert found.values.mean() == pytest.approx(wanted, abs=0.01)
    inside = (found.items["low"] <= wanted) & (wanted <= found.items["high"])
    assert inside.mean() > 0.85
    assert found.summary["low"][0] < wanted < found.summary["high"][0]
    assert found.scale == "r" and "not a noise ceiling" in found.notices[0]
    one = InterSubject(subject="03").run(given)
    np.testing.assert_array_equal(one.items["r/03"], found.items["r/03"])
    np.testing.assert_allclose(one.values, found.items["r/03"])


def test_time_series_are_joined_by_run_and_position():
    n = 300
    data = plant_subjects(GAIN, OWN, NOISE, 2 * n, 80, seed=2)
    given = {}
    for s, name in enumerate(NAMES):
        blocks = {"1": data[s, :n], "2": data[s, n:]}
        runs = ["1", "2"] if s != 1 else ["2", "1"]  # the second subject saw them the other way
        given[name] = make_responses(
            np.concatenate([blocks[r] for r in runs]), [""] * (2 * n), subject=name, t_r=1.5,
            run=np.repeat(runs, n), onset_s=np.tile(np.arange(n) * 1.5, 2),
        )  # fmt: skip
    found = InterSubject(match="position", block_s=15).run(given)
    truth = np.tanh(np.arctanh(expect_agreement(GAIN, OWN, NOISE)).mean())
    assert found.values.mean() == pytest.approx(truth, abs=0.015)
    inside = (found.items["low"] <= truth) & (truth <= found.items["high"])
    assert inside.mean() > 0.85


def test_bad_input_is_refused():
    ids = [f"s{i}" for i in range(6)]
    data = np.random.default_rng(3).normal(size=(6, 4))
    one, two = (make_responses(data, ids, subject=name) for name in ("01", "02"))
    with pytest.raises(DataError, match="one subject"):
        InterSubject().run({"01": one})
    with pytest.raises(DataError, match="Unknown subject '07'"):
        InterSubject(subject="07").run({"01": one, "02": two})
    other = make_responses(data[:, :3], ids, subject="02")
    with pytest.raises(DataError, match="do not correspond"):
        InterSubject().run({"01": one, "02": other})
    other = make_responses(data, [f"t{i}" for i in range(6)], subject="02")
    with pytest.raises(DataError, match="0 stimuli"):
        InterSubject().run({"01": one, "02": other})
