import numpy as np
import pytest
from pydantic import ValidationError

from neurodecode.core.artifacts import Space
from neurodecode.core.errors import DataError
from neurodecode.evaluation.noise_ceiling import NoiseCeiling
from tests.evaluation.evaluation_data import make_responses
from tests.numerics.ceiling_data import plant_repeats

METHODS = ("ncsnr", "split_half", "explainable_variance")


def plant(n_repeats, n_stimuli=150, n_voxels=80, rho=0.5, seed=0):
    rng = np.random.default_rng(seed)
    signal = np.sqrt(rho) * rng.normal(size=(n_stimuli, n_voxels))
    noise = np.sqrt(1 - rho) * rng.normal(size=(n_repeats, n_stimuli, n_voxels))
    ids = np.tile([f"s{i}" for i in range(n_stimuli)], n_repeats)
    return make_responses((signal + noise).reshape(-1, n_voxels), ids), signal


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_repeats", [2, 3])
def test_planted_ceilings(method, n_repeats):
    responses, signal = plant(n_repeats)
    single = NoiseCeiling(method=method).run(responses)
    assert np.median(single.values) == pytest.approx(0.5, abs=0.03)
    mean = NoiseCeiling(method=method, n_averaged=None).run(responses)
    expected = n_repeats * 0.5 / (1 + (n_repeats - 1) * 0.5)
    assert np.median(mean.values) == pytest.approx(expected, abs=0.03)
    # The true model's r² with the mean of the repeats is what the ceiling promises.
    averaged = responses.data.reshape(n_repeats, *signal.shape).mean(axis=0)
    r = [np.corrcoef(signal[:, v], averaged[:, v])[0, 1] for v in range(signal.shape[1])]
    assert np.median(np.square(r)) == pytest.approx(expected, abs=0.03)
    in_r = NoiseCeiling(method=method, scale="r").run(responses)
    assert (in_r.scale, single.scale) == ("r", "r2")
    np.testing.assert_allclose(in_r.values**2, single.values)
    np.testing.assert_allclose(in_r.items["low"] ** 2, np.abs(single.items["low"]))
    assert single.summary["low"][0] < 0.5 < single.summary["high"][0]


def test_unequal_repeats_take_the_norm_term_of_algonauts():
    data, stimulus = plant_repeats(0.4, 3, 300, 50, mixed=True, seed=1)
    responses = make_responses(data, [f"s{i}" for i in stimulus])
    found = NoiseCeiling(n_averaged=None).run(responses)
    n_of_each = np.bincount(np.bincount(stimulus))[1:]  # stimuli with 1, 2, 3 repeats
    norm_term = (n_of_each / np.arange(1, 4)).sum() / n_of_each.sum()
    squared = found.items["ncsnr"] ** 2
    np.testing.assert_allclose(found.values, squared / (squared + norm_term))


@pytest.mark.parametrize(
    ("method", "scale", "n_averaged"),
    [("ncsnr", "r2", 1), ("ncsnr", "r", None), ("split_half", "r2", None),
     ("explainable_variance", "r", 1)],
)  # fmt: skip
def test_means_over_voxels_are_covered_though_voxels_share_errors(method, scale, n_averaged):
    """Twenty voxels with one signal, three alike in noise: 300 experiments of 100 stimuli."""
    rng = np.random.default_rng(2)
    n, n_voxels, truth = 100, 20, np.linspace(0.05, 0.6, 20)
    of_mean = truth if n_averaged else 2 * truth / (1 + truth)
    wanted = of_mean.mean() if scale == "r2" else np.sqrt(of_mean.mean())
    ids = np.tile([f"s{i}" for i in range(n)], 2)
    stage = NoiseCeiling(method=method, scale=scale, n_averaged=n_averaged)
    covered, values = [], []
    for _ in range(300):
        signal = np.sqrt(truth) * rng.standard_normal((n, 1))
        noise = rng.standard_normal((2, n, n_voxels))
        noise[..., :3] = noise[..., :1]
        data = (signal + np.sqrt(1 - truth) * noise).reshape(-1, n_voxels)
        row = stage.run(make_responses(data, ids)).summary
        covered.append(row["low"][0] <= wanted <= row["high"][0])
        values.append(row["value"][0])
    assert np.mean(values) == pytest.approx(wanted, abs=0.012)
    assert 0.91 <= np.mean(covered) <= 0.985  # 300 draws: standard error 1.3 %


def test_noise_has_a_mean_ceiling_of_zero_and_a_clipped_map_says_so():
    responses, _ = plant(2, rho=0.0, n_voxels=400)
    kept = NoiseCeiling().run(responses)
    zero = NoiseCeiling(negative="zero").run(responses)
    assert abs(kept.summary["value"][0]) < 0.02
    assert kept.summary["value"][0] == zero.summary["value"][0]
    assert zero.values.min() == 0 and kept.values.min() < -0.1
    np.testing.assert_array_equal(zero.values, np.maximum(kept.values, 0))
    assert "not in the summary" in zero.notices[1] and "kept" in kept.notices[1]
    assert (kept.q < 0.05).mean() < 0.01
    assert kept.p is not None and 0.02 < (kept.p < 0.05).mean() < 0.08


def test_time_series_match_by_position_within_runs_that_show_the_same():
    rng = np.random.default_rng(3)
    n_scans, n_voxels = 200, 60
    films = {name: rng.normal(size=(n_scans, n_voxels)) for name in ("a", "b", "c")}
    shows = ["a", "b", "a", "c", "b"]
    data = np.concatenate([films[s] + rng.normal(size=(n_scans, n_voxels)) for s in shows])
    order = rng.permutation(len(data))
    responses = make_responses(
        data[order], np.full(len(data), "")[order], t_r=2.0,
        run=np.repeat(["1", "2", "3", "4", "5"], n_scans)[order],
        onset_s=np.tile(np.arange(n_scans) * 2.0, 5)[order],
        film=np.repeat(shows, n_scans)[order],
    )  # fmt: skip
    stage = NoiseCeiling(match="position", same="film", method="explainable_variance", block_s=10)
    found = stage.run(responses)
    assert found.values.mean() == pytest.approx(0.5, abs=0.02)
    assert found.summary["n_units"][0] == 2 * 40
    assert "400 time points shown in 2 runs" in found.notices[0]
    mixed = NoiseCeiling(match="position").run(responses)  # all runs taken to show the same
    assert mixed.values.mean() < 0.25


def test_rois_have_their_own_means_and_voxel_blocks_change_nothing(monkeypatch):
    responses, _ = plant(2, n_voxels=40)
    responses.data[:, :10] = np.random.default_rng(4).normal(size=(300, 10))
    inside = np.arange(40) < 10
    object.__setattr__(responses, "space", Space(rois={"noise": inside, "signal": ~inside}))
    whole = NoiseCeiling().run(responses)
    assert whole.summary["name"].tolist()[1:3] == [
        "mean ceiling of r2 in noise", "mean ceiling of r2 in signal",
    ]  # fmt: skip
    assert abs(whole.summary["value"][1]) < 0.08
    assert whole.summary["value"][2] == pytest.approx(0.5, abs=0.05)
    monkeypatch.setattr("neurodecode.evaluation.noise_ceiling.BLOCK_BYTES", 8 * 300 * 7)
    parts = NoiseCeiling().run(responses)
    np.testing.assert_allclose(parts.values, whole.values)
    for column in ("value", "low", "high"):
        np.testing.assert_allclose(parts.summary[column], whole.summary[column])


def test_constant_voxels_have_no_ceiling():
    responses, _ = plant(2)
    responses.data[:, 3] = 2.0
    for method in METHODS:
        found = NoiseCeiling(method=method, n_averaged=None).run(responses)
        assert np.flatnonzero(np.isnan(found.values)).tolist() == [3]
        assert np.isfinite(found.summary["value"]).all()
        assert "1 voxels are constant" in found.notices[1]


def test_bad_input_is_refused():
    with pytest.raises(DataError, match="needs repeats"):
        NoiseCeiling().run(make_responses(np.zeros((5, 2))))
    responses, _ = plant(2)
    with pytest.raises(DataError, match="no t_r"):
        NoiseCeiling(match="position").run(responses)
    data, stimulus = plant_repeats(0.4, 3, 30, 2, mixed=True)
    unequal = make_responses(data, [f"s{i}" for i in stimulus])
    with pytest.raises(DataError, match="2 to 3 repeats"):
        NoiseCeiling(method="split_half", interval="normal").run(unequal)
    two = make_responses(np.zeros((4, 2)), ["a", "b", "a", "b"], subject=["1", "1", "2", "2"])
    with pytest.raises(DataError, match="2 subjects"):
        NoiseCeiling().run(two)
    runs = {"run": ["1", "1", "1", "2", "2"], "t_r": 1.0}
    with pytest.raises(DataError, match="Trim"):
        NoiseCeiling(match="position").run(make_responses(np.zeros((5, 2)), [""] * 5, **runs))
    with pytest.raises(DataError, match="Unknown column 'film'"):
        NoiseCeiling(match="position", same="film").run(
            make_responses(np.zeros((5, 2)), [""] * 5, **runs)
        )
    for settings in ({"level": 1.0}, {"same": "film"}, {"match": "position", "interval": "normal"}):
        with pytest.raises(ValidationError):
            NoiseCeiling(**settings)
