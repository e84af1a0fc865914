from dataclasses import replace

import numpy as np
import pytest

from neurodecode.alignment.stack import Stack
from neurodecode.core.artifacts import Responses, Space, make_samples
from neurodecode.core.errors import DataError
from neurodecode.core.trace import derive_lineage
from neurodecode.preprocessing.average_subjects import AverageSubjects
from tests.examples import make_responses

N, SIGMA = 200, 1.0
SPACE = Space(kind="parcels", names=np.array(["LIPL", "LPTL"]))


def make_subject(name, signal, seed, lag=0):
    rng = np.random.default_rng(seed)
    moments = [f"story/{k}" for k in range(lag, N + lag)]
    samples = make_samples(
        dataset="group", subject=name, stimulus_id=moments, source=moments, digest=moments,
        onset_s=np.arange(lag, N + lag) * 2.0,
    )  # fmt: skip
    data = signal[lag : N + lag] + SIGMA * rng.normal(size=(N, 2))
    return Responses(data=data.astype(np.float32), samples=samples, space=SPACE, t_r=2.0)


@pytest.fixture
def group():
    signal = np.random.default_rng(9).normal(size=(N + 10, 2))
    return signal, {f"{s:02d}": make_subject(f"{s:02d}", signal, s) for s in range(16)}


def test_noise_averages_out_and_what_is_shared_stays(group):
    signal, subjects = group
    out = AverageSubjects().run(subjects)
    left = out.data - signal[:N]
    assert left.std() == pytest.approx(SIGMA / 4, rel=0.1), "noise of 16 subjects shrinks by four"
    assert set(out.samples["subject"]) == {"mean"}
    assert set(out.samples["n_subjects"]) == {16}
    assert out.samples["sample_id"].tolist() == subjects["00"].samples["sample_id"].tolist()
    assert out.t_r == 2.0
    stacked = Stack().run(subjects)
    np.testing.assert_allclose(AverageSubjects().run({"all": stacked}).data, out.data, atol=1e-6)
    by_stimulus = AverageSubjects(match="stimulus").run(subjects)
    np.testing.assert_array_equal(by_stimulus.data, out.data)


def test_rows_are_matched_by_their_time_not_by_their_place(group):
    signal, subjects = group
    subjects = dict(subjects)
    subjects["16"] = make_subject("16", signal, 16, lag=3)
    with pytest.raises(DataError, match=r"6 of 203 rows.*ses-01 run-01 0\.00s, absent for 16"):
        AverageSubjects().run(subjects)
    out = AverageSubjects(min_subjects=2).run(subjects)
    assert len(out.data) == N
    assert out.samples["n_subjects"].tolist() == [16] * 3 + [17] * (N - 3)
    parts = [subjects[f"{s:02d}"].data[3:N] for s in range(16)] + [subjects["16"].data[: N - 3]]
    np.testing.assert_allclose(out.data[3:], np.mean(parts, axis=0), atol=1e-5)
    turned = subjects["05"].take(np.random.default_rng(0).permutation(N))
    again = AverageSubjects(min_subjects=2).run({**subjects, "05": turned})
    np.testing.assert_allclose(again.data, out.data, atol=1e-5)


def test_a_mean_of_moments_has_seen_these_moments_alone(group):
    _, subjects = group
    stage = AverageSubjects()
    out = derive_lineage(
        stage, {"responses": subjects}, {"responses": stage.run(subjects)}, step="mean"
    )["responses"]
    for peers in out.lineage.peers:
        assert len(np.unique(peers.groups)) == N
    assert not out.lineage.contacts()


def test_what_does_not_correspond_is_refused(group):
    _, subjects = group
    one = {"00": subjects["00"]}
    with pytest.raises(DataError, match="there is one subject, 00"):
        AverageSubjects().run(one)
    with pytest.raises(DataError, match=r"subject '00' has .*0\.00s twice"):
        AverageSubjects().run({**one, "again": subjects["00"]})
    names = replace(SPACE, names=np.array(["LPTL", "LIPL"]))
    with pytest.raises(DataError, match="do not correspond"):
        AverageSubjects().run({**one, "01": replace(subjects["01"], space=names)})
    with pytest.raises(DataError, match=r"t_r 2\.5"):
        AverageSubjects().run({**one, "01": replace(subjects["01"], t_r=2.5)})
    with pytest.raises(DataError, match="min_subjects is 20, but there are 16"):
        AverageSubjects(min_subjects=20).run(subjects)
    blank = subjects["01"].samples.with_columns(stimulus_id=np.full(N, ""))
    with pytest.raises(DataError, match="Set match: onset"):
        AverageSubjects(match="stimulus").run({**one, "01": replace(subjects["01"], samples=blank)})
    late = subjects["01"].samples.with_columns(onset_s=np.full(N, np.nan))
    with pytest.raises(DataError, match="Set match: stimulus"):
        AverageSubjects().run({**one, "01": replace(subjects["01"], samples=late)})
    assert AverageSubjects().run({s: make_responses(s) for s in ("01", "02")}).data.shape == (24, 8)
