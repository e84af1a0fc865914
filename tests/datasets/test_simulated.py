import time
from dataclasses import fields

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.linear_model import Ridge

from neurodecode.core.artifacts import Stimuli, make_items
from neurodecode.core.errors import DataError
from neurodecode.datasets.simulated import Simulated
from neurodecode.numerics import simulation

N_LEFT = 10242  # vertices of one hemisphere of fsaverage5


def make_images(n=200, size=16, colours=1, seed=0, names="image"):
    rng = np.random.default_rng(seed)
    f = np.fft.fftfreq(size)
    radius = np.hypot(f[:, None], f[None, :])
    radius[0, 0] = 1.0
    white = np.fft.fft2(rng.standard_normal((n, colours, size, size)))
    noise = np.fft.ifft2(white / radius).real
    data = np.clip(0.5 + 0.2 * noise / noise.std(), 0, 1)
    data = np.moveaxis((255 * data).astype(np.uint8), 1, 3)
    return Stimuli(data=data, items=make_items([f"{names}{k}" for k in range(n)], data))


IMAGES = make_images()


def find_rows_shown(outputs):
    """Row of the stimuli for each sample, by identity."""
    known = {name: k for k, name in enumerate(outputs["truth"].arrays["stimulus_id"].tolist())}
    return np.array([known[i] for i in outputs["responses"].samples["stimulus_id"].tolist()])


def split_by_repeat(outputs):
    """Responses as (n_repeats, n_images, n_vertices)."""
    shown, repeat = find_rows_shown(outputs), outputs["responses"].samples["repeat"]
    data = outputs["responses"].read()
    split = np.empty((repeat.max() + 1, shown.max() + 1, data.shape[1]))
    split[repeat, shown] = data
    return split


def test_outputs_fit_together():
    out = Simulated(subject="07", n_vertices=101, n_repeats=3).run(IMAGES)
    responses, truth = out["responses"], out["truth"]
    assert responses.data.shape == (600, 101)
    assert responses.data.dtype == np.float32
    assert set(responses.samples["subject"]) == {"07"}
    assert sorted(set(responses.samples["run"])) == ["01", "02", "03", "04"]
    assert {"source", "digest", "sample_id", "repeat"} <= set(responses.samples)
    assert len(set(responses.samples["sample_id"])) == 600
    space = responses.space
    assert (space.kind, space.mesh) == ("surface", "fsaverage5")
    left = space.vertices < N_LEFT
    assert left.sum() == 51
    assert (np.diff(space.vertices) > 0).all()  # left first, and no vertex twice
    assert (space.coordinates_mm[left, 0] < 0).all()
    assert (space.coordinates_mm[~left, 0] > 0).all()
    assert (space.coordinates_mm[:, 1] < -60).all()  # posterior
    assert list(space.rois) == list(simulation.AREAS)
    assert sum(roi.astype(int) for roi in space.rois.values()).tolist() == [1] * 101
    assert truth.arrays["responses"].shape == (200, 101)
    assert truth.n_folds == 0
    assert out["ceiling"].scale == "r2"
    assert len(out["ceiling"].items) == 101
    assert "events" not in out


def test_repeats_recover_the_noise_ceiling():
    out = Simulated(n_vertices=300, n_repeats=2, noise_ceiling=0.3).run(make_images(400))
    first, second = split_by_repeat(out)
    shared = ((first - first.mean(0)) * (second - second.mean(0))).mean(axis=0)
    empirical = shared / (0.5 * (first.var(axis=0) + second.var(axis=0)))
    true = out["ceiling"].values
    assert out["ceiling"].summary["value"][0] == pytest.approx(0.3, abs=1e-3)
    assert np.median(empirical) == pytest.approx(0.3, abs=0.02)
    assert np.corrcoef(empirical, true)[0, 1] > 0.8  # vertex by vertex, too
    assert np.mean(empirical - true) == pytest.approx(0, abs=0.01)


def test_true_responses_explain_the_ceiling_exactly_in_expectation():
    out = Simulated(n_vertices=200, n_repeats=4, noise_ceiling=0.6).run(IMAGES)
    truth, gain = out["truth"].arrays["responses"], out["truth"].arrays["gain"]
    ceiling = out["ceiling"].values
    np.testing.assert_allclose(truth.var(axis=0), ceiling * gain**2, rtol=1e-4)
    noise = out["responses"].read() - truth[find_rows_shown(out)]
    ratio = noise.var(axis=0) / ((1 - ceiling) * gain**2)
    assert ratio.mean() == pytest.approx(1, abs=0.02)


def test_ridge_on_the_known_features_reaches_the_ceiling():
    images = make_images(600)
    stage = Simulated(n_vertices=50, noise_ceiling=0.5, ceiling_spread=0.0, rho=0.0)
    out = stage.run(images)
    truth, shown = out["truth"].arrays, find_rows_shown(out)
    seen = simulation.view_images(images.data[:].astype(np.float32) / 255)
    pooled = simulation.pool_channels(
        simulation.compute_channels(seen), truth["centres_deg"], truth["sizes_deg"], 8.4
    )
    active = simulation.compute_object_units(
        pooled, truth["object_units"], truth["object_thresholds"]
    )
    train, data = shown < 400, out["responses"].read()
    late = truth["areas"] == simulation.OBJECT_AREA

    def score(features, v):
        model = Ridge(alpha=0.1).fit(features[shown[train]], data[train, v])
        predicted = model.predict(features[shown[~train]])
        return np.corrcoef(predicted, data[~train, v])[0, 1] ** 2

    early = [score(pooled[:, :, v], v) for v in np.flatnonzero(~late)]
    assert np.median(early) == pytest.approx(0.5, abs=0.04)
    linear = [score(pooled[:, :, v], v) for v in np.flatnonzero(late)]
    objects = [score(active[:, v], v) for v in np.flatnonzero(late)]
    assert np.median(objects) == pytest.approx(0.5, abs=0.06)
    assert np.median(objects) > np.median(linear) + 0.05  # the object code is not linear


def test_without_a_ceiling_nothing_but_noise():
    out = Simulated(n_vertices=200, noise_ceiling=0.0).run(IMAGES)
    assert not out["ceiling"].values.any()
    first, second = split_by_repeat(out)
    r = [np.corrcoef(first[:, v], second[:, v])[0, 1] for v in range(200)]
    assert np.mean(r) == pytest.approx(0, abs=4 / np.sqrt(200 * 200))
    signal = out["truth"].arrays["signal"]
    r = [np.corrcoef(first[:, v], signal[:, v])[0, 1] for v in range(200)]
    assert np.mean(r) == pytest.approx(0, abs=4 / np.sqrt(200 * 200))
    assert not out["truth"].arrays["responses"].any()


def test_each_half_of_an_image_drives_the_other_hemisphere():
    data = np.full_like(IMAGES.data, 128)
    data[:, :, :8] = IMAGES.data[:, :, :8]  # the left half differs
    left_half = Stimuli(data=data, items=make_items(IMAGES.items["id"], data))
    out = Simulated(n_vertices=400).run(left_half)
    left = out["responses"].space.vertices < N_LEFT
    truth = out["truth"].arrays
    assert (truth["centres_deg"][left, 0] >= 0).all()
    assert (truth["centres_deg"][~left, 0] <= 0).all()
    assert truth["signal"][:, ~left].any(axis=0).all()
    code = simulation.VisualCode(**{f.name: truth[f.name] for f in fields(simulation.VisualCode)})
    seen = simulation.view_images(data.astype(np.float32) / 255)
    spread = simulation.compute_drive(seen, code, 8.4).std(axis=0)
    away = (truth["areas"] == 0) & (np.abs(truth["centres_deg"][:, 0]) > 1.5)
    assert np.median(spread[~left & away]) > 10 * np.median(spread[left & away])
    silent = ~truth["signal"].any(axis=0)
    assert (silent & left).sum() > 3
    assert not truth["ceiling"][silent].any()
    assert np.median(out["ceiling"].values[~silent]) == pytest.approx(0.3, abs=1e-3)


def test_noise_is_autocorrelated_within_runs_only():
    out = Simulated(n_vertices=300, n_runs=20, rho=0.5, noise_ceiling=0.4).run(IMAGES)
    data, run = out["responses"].read(), out["responses"].samples["run"]
    noise = data - out["truth"].arrays["responses"][find_rows_shown(out)]
    noise /= out["truth"].arrays["gain"] * np.sqrt(1 - out["ceiling"].values)
    same = run[1:] == run[:-1]
    assert (~same).sum() == 19
    pairs = noise[1:] * noise[:-1]
    assert pairs[same].mean() == pytest.approx(0.5, abs=0.02)
    assert pairs[~same].mean() == pytest.approx(0, abs=4 / np.sqrt(19 * 300))


def test_subjects_are_more_alike_with_less_variability():
    likeness = []
    for variability in (0.0, 0.3, 0.8):
        a, b = (
            Simulated(subject=s, subject_variability=variability, n_vertices=100).run(IMAGES)
            for s in ("01", "02")
        )
        signals = [out["truth"].arrays["signal"] for out in (a, b)]
        likeness.append((signals[0] * signals[1]).mean())
        noises = [
            out["responses"].read() - out["truth"].arrays["responses"][find_rows_shown(out)]
            for out in (a, b)
        ]
        assert abs((noises[0] * noises[1]).mean()) < 0.02
    assert likeness[0] == pytest.approx(1, abs=1e-4)
    assert likeness[0] > likeness[1] + 0.02 > likeness[2] + 0.1


@pytest.mark.parametrize("output", ["betas", "timeseries"])
def test_the_same_viewing_gives_the_same_bytes(output):
    stage = Simulated(n_vertices=60, output=output)
    a, b = stage.run(IMAGES), stage.run(IMAGES)
    assert a["responses"].read().tobytes() == b["responses"].read().tobytes()
    for name, array in a["truth"].arrays.items():
        assert array.tobytes() == b["truth"].arrays[name].tobytes()
    other = Simulated(n_vertices=60, output=output, seed=1).run(IMAGES)
    assert not np.allclose(a["responses"].read(), other["responses"].read())


def test_other_sessions_and_other_images_share_the_code_but_no_noise():
    more = make_images(seed=5, names="more")
    stage = Simulated(n_vertices=200)
    runs = [stage.run(IMAGES), Simulated(n_vertices=200, session="02").run(IMAGES), stage.run(more)]
    noises = [
        out["responses"].read() - out["truth"].arrays["responses"][find_rows_shown(out)]
        for out in runs
    ]
    np.testing.assert_array_equal(
        runs[0]["truth"].arrays["tuning"], runs[2]["truth"].arrays["tuning"]
    )
    np.testing.assert_array_equal(
        runs[0]["truth"].arrays["responses"], runs[1]["truth"].arrays["responses"]
    )
    for other in noises[1:]:
        assert abs(np.corrcoef(noises[0].ravel(), other.ravel())[0, 1]) < 0.02


def test_order_of_presentations():
    def shown(**settings):
        samples = Simulated(n_vertices=32, n_repeats=3, **settings).run(IMAGES)["responses"].samples
        return samples["stimulus_id"], samples["run"]

    ids, run = shown()
    pairs = list(zip(run.tolist(), ids.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)  # no image twice in a run
    assert not np.array_equal(ids, shown(subject="02")[0])
    alike = [shown(subject=s, shared_order=True)[0] for s in ("01", "02")]
    np.testing.assert_array_equal(*alike)
    ids, run = shown(repeat_within_run=True, n_runs=1)
    assert set(run) == {"01"}


def test_time_series():
    stage = Simulated(
        n_vertices=100, output="timeseries", noise_ceiling=0.5, t_r=1.5, isi_s=4.0, n_runs=3
    )
    out = stage.run(IMAGES)
    responses, samples, events = out["responses"], out["responses"].samples, out["events"].table
    assert responses.t_r == 1.5
    assert len(events) == 400
    for name in ("01", "02", "03"):
        scans = np.flatnonzero(samples["run"] == name)
        np.testing.assert_allclose(samples["onset_s"][scans], 1.5 * np.arange(len(scans)))
        here = events["run"] == name
        starts = scans[samples["stimulus_id"][scans] != ""]
        np.testing.assert_array_equal(samples["stimulus_id"][starts], events["stimulus_id"][here])
        lag = events["onset"][here] - samples["onset_s"][starts]
        assert (lag > -1e-6).all()
        assert (lag < 1.5).all()
    idle = samples["stimulus_id"] == ""
    assert len(set(samples["source"][idle])) == idle.sum()
    first = np.flatnonzero(~idle)[0]
    row = IMAGES.items["id"].tolist().index(samples["stimulus_id"][first])
    assert samples["digest"][first] == IMAGES.items["digest"][row]


def test_time_series_hold_the_bold_that_the_truth_predicts():
    from neurodecode.numerics.simulation_time import simulate_bold

    settings = {"noise_ceiling": 0.5, "n_runs": 4, "isi_s": 8.0, "evoked_mean": 0.2}
    stage = Simulated(n_vertices=100, output="timeseries", **settings)
    out = stage.run(IMAGES)
    truth, samples, events = out["truth"].arrays, out["responses"].samples, out["events"].table
    assert truth["hrf_peaks_s"].std() > 0.3
    known = {name: k for k, name in enumerate(truth["stimulus_id"].tolist())}
    shares = []
    for name in sorted(set(samples["run"])):
        here = events["run"] == name
        amplitudes = truth["responses"][[known[i] for i in events["stimulus_id"][here].tolist()]]
        scans = samples["run"] == name
        times = samples["onset_s"][scans]
        peaks = np.round(truth["hrf_peaks_s"].astype(np.float64), 1)
        bold = simulate_bold(amplitudes, events["onset"][here], times, peaks, duration_s=2.0)
        bold -= bold.mean(axis=0)
        data = out["responses"].read(scans)
        shares.append([np.cov(data[:, v], bold[:, v])[0, 1] / bold[:, v].var() for v in range(100)])
    assert np.mean(shares) == pytest.approx(1, abs=0.03)  # amplitudes are in the units of the data
    data = out["responses"].read()
    expected = out["ceiling"].values * (truth["gain"] ** 2)
    assert np.mean(data.var(axis=0) / truth["gain"] ** 2) == pytest.approx(1, abs=0.05)
    assert np.median(expected / truth["gain"] ** 2) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("size", "colours"), [(8, 1), (40, 3), (100, 1)])
def test_any_images_can_be_viewed(size, colours):
    images = make_images(20, size=size, colours=colours)
    out = Simulated(n_vertices=64).run(images)
    assert np.isfinite(out["responses"].read()).all()
    assert out["truth"].arrays["signal"].any(axis=0).all()


def test_what_is_no_image_is_refused():
    words = np.array(["a dog", "a cat"])
    text = Stimuli(data=words, items=make_items(["a", "b"], words), of="text")
    with pytest.raises(DataError, match="stimuli are text"):
        Simulated().run(text)
    with pytest.raises(DataError, match="two images or more"):
        Simulated().run(IMAGES.take(slice(0, 1)))
    data = np.repeat(IMAGES.data[:1], 4, axis=0)
    alike = Stimuli(data=data, items=make_items(list("abcd"), data))
    with pytest.raises(DataError, match="look the same"):
        Simulated().run(alike)
    with pytest.raises(DataError, match="not unique"):
        Simulated().run(IMAGES.take(np.array([0, 1, 1])))
    with pytest.raises(DataError, match="shape"):
        Simulated().run(Stimuli(data=IMAGES.data[..., 0], items=IMAGES.items))
    with pytest.raises(DataError, match=r"\[0, 1\]"):
        Simulated().run(Stimuli(data=IMAGES.data.astype(np.float32), items=IMAGES.items))


def test_more_runs_than_presentations_are_refused():
    with pytest.raises(DataError, match="fewer than n_runs = 50"):
        Simulated(n_runs=50).run(IMAGES.take(slice(0, 20)))


@pytest.mark.parametrize(
    "settings",
    [
        {"noise_ceiling": 1.2},
        {"noise_ceiling": 1.0},
        {"noise_ceiling": -0.1},
        {"subject_variability": 1.5},
        {"rho": 1.0},
        {"output": "beta"},
        {"n_vertices": 4},
        {"n_repeats": 5, "n_runs": 4},
        {"isi_s": 1.0},
        {"output": "timeseries", "t_r": 5.0},
        {"hrf_jitter_s": 3.0},
        {"hrf_undershoot_s": 5.5},
        {"subject": "a/b"},
        {"seed": -1},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValidationError):
        Simulated(**settings)


def test_speed():
    images = make_images(300)
    Simulated(n_vertices=32).run(images)  # imports nilearn
    start = time.perf_counter()
    Simulated().run(images)
    assert time.perf_counter() - start < 3
