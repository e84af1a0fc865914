"""The lint on real recordings: block designs that are known, and a file sorted by class."""

import numpy as np
import pytest

from neurodecode.core.artifacts import Responses, make_samples
from neurodecode.core.lint import find_in_result
from neurodecode.datasets.digit69 import Digit69
from neurodecode.evaluation.split import Split

pytestmark = pytest.mark.real_data


def lint(responses, **settings):
    stage = Split(**settings)
    made = find_in_result(stage, {"responses": responses}, {"split": stage.run(responses)})
    return {one["code"]: (one["severity"], one["text"]) for one in made["found"]}


@pytest.fixture
def haxby(find_data):
    """864 volumes of Haxby et al. 2001: one block of nine for each of eight categories, 12 runs."""
    path = find_data("haxby2001_slice/attributes_literal.txt")
    label, run = np.loadtxt(path, dtype=str).T
    at = np.concatenate([np.arange((run == r).sum()) for r in dict.fromkeys(run)]) * 2.5
    shown = label != "rest"
    samples = make_samples(
        dataset="haxby", stimulus_id=[f"volume{i}" for i in range(shown.sum())], run=run[shown],
        onset_s=at[shown], category=label[shown],
    )  # fmt: skip
    return Responses(data=np.zeros((len(samples), 2)), samples=samples, t_r=2.5)


def test_random_volumes_of_haxby_leak_and_runs_do_not(haxby):
    found = lint(haxby, by="sample", n_folds=5, stratify="category")
    severity, text = found["block_design"]
    assert severity == "warning"
    assert text.startswith(
        "category stays the same over 9.0 rows on average (1.1 expected in random order), and 864 "
        "of 864 test rows lie in a block of which other rows train"
    )
    severity, text = found["temporal_neighbours"]
    assert severity == "warning"
    assert text.startswith("863 of 864 test rows lie within 10 s of a training row of their run")
    assert set(found) == {"block_design", "temporal_neighbours"}

    by_run = lint(haxby, by="run", leave_one_out=True)
    assert set(by_run) == {"block_design"}
    assert by_run["block_design"][0] == "note"


@pytest.fixture
def attention(find_data):
    """The 80 squares of EEGLAB's sample; their position changes every 5 or 10 trials."""
    from scipy.io import loadmat

    held = loadmat(find_data("eeglab_sample/eeglab_data.set"), simplify_cells=True)["EEG"]
    squares = [e for e in held["event"] if e["type"] == "square"]
    samples = make_samples(
        dataset="eeglab", stimulus_id=[f"trial{i}" for i in range(len(squares))],
        onset_s=[e["latency"] / held["srate"] for e in squares],
        category=[str(int(e["position"])) for e in squares],
    )  # fmt: skip
    return Responses(data=np.zeros((len(samples), 2, 64)), samples=samples, sfreq=128.0, tmin=0.0)


def test_positions_of_the_attention_task_come_in_blocks(attention):
    found = lint(attention, by="sample", n_folds=5)
    severity, text = found["block_design"]
    assert severity == "warning"
    mean = float(text.split(" over ")[1].split()[0])
    assert 5 <= mean <= 10
    assert "whatever drifts tells each category" in text
    change = np.diff(attention.samples["category"].astype(int)) != 0
    block = np.cumsum(np.r_[False, change])
    whole = Responses(
        data=attention.data, samples=attention.samples.with_columns(block=block), sfreq=128.0
    )
    assert lint(whole, by="column:block", n_folds=5)["block_design"][0] == "note"


def test_digit69_is_sorted_by_class_and_says_so(find_data):
    find_data("digit69/digit69_28x28.mat")
    found = lint(Digit69().run()["responses"], n_folds=10, stratify="category")
    assert set(found) == {"block_design"}
    severity, text = found["block_design"]
    assert severity == "warning"
    assert text.startswith("category stays the same over 25.0 rows on average (2.0 expected")
    assert "no onset_s, so that it is not known whether they come in the order of time" in text
