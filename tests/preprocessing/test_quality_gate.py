from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import Features, Responses, make_samples
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.numerics.simulation_time import make_ar1_noise
from neurodecode.preprocessing.quality_gate import MOTION, QualityGate
from tests.examples import make_responses

N, RUNS = 80, ("01", "02", "03")


def make_recording():
    """Three runs: a clean one; one with two jumps; one that moves all the time."""
    rng = np.random.default_rng(0)
    data = 100 + make_ar1_noise(3 * N, 120, 0.3, rng)
    data[N + 20] += 30
    motion = np.zeros((3 * N, 6))
    motion[N + 50 : 2 * N, 1] = 0.8  # one step of 0.8 mm
    motion[2 * N :] = np.cumsum(rng.choice([-0.3, 0.3], size=(N, 6)) * [1, 1, 1, 0, 0, 0], axis=0)
    samples = make_samples(
        dataset="quality", stimulus_id=[""] * 3 * N, run=np.repeat(RUNS, N),
        onset_s=np.tile(np.arange(N) * 2.0, 3),
    )  # fmt: skip
    ids = samples["sample_id"]
    names = [f"scan/{i}" for i in ids]
    order = rng.permutation(3 * N)  # motion is joined by name, not by place
    columns = ["csf", *MOTION]
    items = Table({"id": names, "source": names, "digest": names, "sample_id": ids}).take(order)
    values = np.concatenate([rng.normal(size=(3 * N, 1)), motion], axis=1)[order]
    features = Features(data=values, items=items, extractor={"name": "m", "columns": columns})
    return Responses(data=data, samples=samples, t_r=2.0), features


def find_marked(responses, run):
    inside = responses.samples["run"] == run
    return np.flatnonzero(responses.samples["censored"][inside]).tolist()


def test_bad_scans_are_marked_and_bad_runs_left_out_with_reasons():
    responses, motion = make_recording()
    out = QualityGate().run(responses, motion)
    kept = out["responses"]
    assert sorted(set(kept.samples["run"])) == ["01", "02"]
    assert find_marked(kept, "01") == []
    assert find_marked(kept, "02") == [20, 21, 50]
    html = out["report"].html
    for words in (
        "82 of 240 scans are bad", "1 of 3 runs do not meet the limits", "80 scans were dropped",
        "sub-01/ses-01/run-02: 20, 21, 50", "mean displacement 0.90 mm", "79 of 80 scans are bad",
    ):  # fmt: skip
        assert words in html
    assert out["report"].figures["quality.svg"].tobytes().startswith(b"<svg")


def test_what_is_done_with_them_is_a_setting():
    responses, motion = make_recording()
    dropped = QualityGate(scans="drop").run(responses, motion)["responses"]
    assert len(dropped.data) == 2 * N - 3
    assert not dropped.samples["censored"].any()
    marked = QualityGate(runs="mark").run(responses, motion)["responses"]
    assert len(marked.data) == 3 * N
    assert find_marked(marked, "03") == list(range(N))
    with pytest.raises(DataError, match=r"1 of 3 runs.*run-03: mean displacement"):
        QualityGate(runs="refuse").run(responses, motion)
    lenient = QualityGate(
        displacement_max_mm=None, mean_displacement_max_mm=None, dvars_max=None,
        outlier_share_max=None,
    ).run(responses, motion)["responses"]  # fmt: skip
    assert len(lenient.data) == 3 * N
    assert not lenient.samples["censored"].any()


def test_without_motion_the_signal_alone_is_judged():
    kept = QualityGate().run(make_recording()[0])["responses"]
    assert find_marked(kept, "02") == [20, 21]
    assert len(kept.data) == 3 * N


def test_runs_of_low_signal_or_reliability_are_left_out():
    responses, _ = make_recording()
    data = np.array(responses.data)
    data[:N] = 100 + 10 * (data[:N] - 100)
    kept = QualityGate(tsnr_min=50).run(replace(responses, data=data))["responses"]
    assert sorted(set(kept.samples["run"])) == ["02", "03"]
    rng = np.random.default_rng(5)
    signal = rng.normal(size=(30, 40))
    noisy = np.concatenate([signal + 0.5 * rng.normal(size=signal.shape) for _ in RUNS])
    noisy[30:60] = rng.normal(size=signal.shape)  # the second run shows other things than it says
    samples = make_samples(
        dataset="reliable", stimulus_id=[f"s{k}" for k in range(30)] * 3, run=np.repeat(RUNS, 30)
    )
    gate = QualityGate(reliability_min=0.3, outlier_share_max=None, dvars_max=None)
    out = gate.run(Responses(data=noisy, samples=samples))
    assert sorted(set(out["responses"].samples["run"])) == ["01", "03"]
    assert "reliability" in out["report"].html


def test_a_recording_of_zeros_is_refused():
    responses, _ = make_recording()
    zeros = replace(responses, data=np.zeros((3 * N, 6)))
    with pytest.raises(DataError, match=r"none of the 3 runs.*80 of 80 scans are bad"):
        QualityGate().run(zeros)


def test_what_does_not_fit_is_refused():
    responses, motion = make_recording()
    named = replace(motion, extractor={"columns": ["csf", *MOTION[:5], "x"]})
    with pytest.raises(DataError, match="name no columns rot_z"):
        QualityGate().run(responses, named)
    with pytest.raises(DataError, match="scan ids are wanted but absent"):
        QualityGate().run(responses, motion.take(np.arange(10)))
    with pytest.raises(DataError, match=r"run-01 has 4 scans"):
        QualityGate().run(responses.take(np.arange(4)))
    assert len(QualityGate(dvars_max=None).run(make_responses())["responses"].data)


@pytest.mark.real_data
def test_motion_of_alice_is_read_and_a_subject_of_zeros_would_not_pass(find_data):
    from neurodecode.datasets.alice import Alice

    find_data("alice_fmri/README_data.txt")
    out = Alice(subject="28").run()
    report = QualityGate(dvars_max=None, outlier_share_max=None).run(
        out["responses"], out["motion"]
    )["report"]
    assert "sub-28/ses-01/run-01" in report.html


def test_rows_of_a_run_in_another_order_are_judged_in_that_of_time():
    responses, motion = make_recording()
    order = np.random.default_rng(1).permutation(3 * N)
    marked = QualityGate(runs="mark").run(responses, motion)["responses"].samples["censored"]
    again = QualityGate(runs="mark").run(responses.take(order), motion)["responses"]
    np.testing.assert_array_equal(again.samples["censored"], marked[order])
