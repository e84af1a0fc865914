from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import Responses, make_samples
from neurodecode.core.errors import DataError
from neurodecode.core.leakage import check_scores
from neurodecode.core.trace import derive_lineage
from neurodecode.decoding.classify import Classify
from neurodecode.evaluation.split import Split
from neurodecode.preprocessing.average_repeats import AverageRepeats
from tests.examples import make_epochs, make_responses


def make_blocks():
    """Two runs: rest, cats, faces, cats; a volume's value is that of its block, plus -1, 0, 1."""
    labels = np.tile(np.repeat(["rest", "cat", "face", "cat"], 3), 2)
    run = np.repeat(["01", "02"], 12)
    samples = make_samples(
        dataset="blocks", stimulus_id=labels, run=run, category=labels,
        onset_s=np.tile(np.arange(12) * 2.5, 2),
    )  # fmt: skip
    value = np.repeat(np.arange(8.0), 3) * 10 + np.tile([-1, 0, 1], 8)
    return Responses(data=np.stack([value, -value], axis=1), samples=samples, t_r=2.5)


def test_blocks_are_averaged_within_their_run():
    out = AverageRepeats(by="block", leave_out=["rest"]).run(make_blocks())
    np.testing.assert_allclose(out.data[:, 0], [10, 20, 30, 50, 60, 70])
    np.testing.assert_allclose(out.data[:, 1], -out.data[:, 0])
    samples = out.samples
    assert samples["category"].tolist() == ["cat", "face", "cat"] * 2
    assert samples["run"].tolist() == ["01"] * 3 + ["02"] * 3
    assert samples["n_averaged"].tolist() == [3] * 6
    np.testing.assert_allclose(samples["onset_s"], [7.5, 15, 22.5] * 2)
    assert out.t_r is None
    shuffled = make_blocks().take(np.random.default_rng(0).permutation(24))
    again = AverageRepeats(by="block", leave_out=["rest"]).run(shuffled)
    assert sorted(again.data[:, 0].tolist()) == sorted(out.data[:, 0].tolist()), "time, not place"


def test_stimuli_are_averaged_within_what_is_asked_for():
    responses = make_responses()  # 12 stimuli shown twice, in three runs
    out = AverageRepeats().run(responses)
    assert len(out.data) == 12
    ids = responses.samples["stimulus_id"]
    for row, name in enumerate(out.samples["stimulus_id"]):
        expected = responses.data[ids == name].mean(axis=0)
        np.testing.assert_allclose(out.data[row], expected, rtol=1e-6)
    runs = [set(responses.samples["run"][ids == name]) for name in out.samples["stimulus_id"]]
    told = out.samples["run"].tolist()
    assert told == [r.pop() if len(r) == 1 else "averaged" for r in map(set, runs)]
    assert np.isnan(out.samples["onset_s"][np.array(told) == "averaged"]).all()
    assert len(AverageRepeats(within="run").run(responses).data) == 24


def test_rows_without_a_stimulus_are_in_no_mean_and_epochs_are_averaged_too():
    responses = make_epochs()
    ids = responses.samples["stimulus_id"].copy()
    ids[:3] = ""
    blank = replace(responses, samples=responses.samples.with_columns(stimulus_id=ids))
    out = AverageRepeats().run(blank)
    assert out.data.shape[1:] == responses.data.shape[1:]
    assert out.samples["n_averaged"].sum() == 21


def test_means_by_run_leak_nothing_across_runs_and_say_so_to_the_lineage():
    rng = np.random.default_rng(0)
    responses = make_blocks()
    responses = replace(responses, data=rng.normal(size=responses.data.shape))
    stage = AverageRepeats(by="block", leave_out=["rest"])
    means = derive_lineage(
        stage, {"responses": responses}, {"responses": stage.run(responses)}, step="means"
    )["responses"]
    split = Split(by="run", leave_one_out=True).run(means)
    inputs = {"responses": means, "split": split}
    decoded = derive_lineage(Classify(), inputs, dict(Classify().run(**inputs)), step="decoded")
    check_scores({"predictions": decoded["predictions"]}, step="scores")
    assert means.lineage.peers


def test_what_cannot_be_averaged_is_refused():
    with pytest.raises(DataError, match=r"no column 'kind'.*Columns: category"):
        AverageRepeats(by="block", label="kind").run(make_blocks())
    with pytest.raises(DataError, match="none of the 24 rows belongs to a block"):
        AverageRepeats(by="block", leave_out=["rest", "cat", "face"]).run(make_blocks())
    data = np.array(make_blocks().data)
    data[5] = np.nan
    with pytest.raises(DataError, match="NaN or infinite"):
        AverageRepeats(by="block").run(replace(make_blocks(), data=data))
