"""The pipelines of real recordings, run whole: what they report is what is known to be there."""

import numpy as np
import pytest

import neurodecode

pytestmark = [pytest.mark.real_data, pytest.mark.slow]


def read_rois(scores):
    """Return the mean score of each region, by name."""
    values = np.asarray(scores.values)
    return {name: np.nanmean(values[np.asarray(roi)]) for name, roi in scores.space.rois.items()}


def test_encode_localizer_conditions(tmp_path, find_data):
    find_data("localizer_fmri/paradigm_loc.csv")
    results = neurodecode.run_pipeline(
        "encode_localizer_conditions", ["scores.n_permutations=200"], cache=tmp_path
    )
    for recording, bar in (("subj0", 0.25), ("regions", 0.18)):
        scores = results[f"scores[recording={recording}]"]
        assert np.nanmean(scores.values) >= bar
        assert (np.asarray(scores.q) < 0.05).mean() > 0.15
        assert "plausible" in results[f"checked[recording={recording}].scores"].notices[0]


def test_encode_alice_wordrate(tmp_path, find_data):
    find_data("alice_fmri/README_data.txt")
    results = neurodecode.run_pipeline(
        "encode_alice_wordrate", ["scores.n_permutations=50", "scores.n_bootstrap=50"],
        cache=tmp_path,
    )  # fmt: skip
    group = results["mean_scores"]
    names = group.items["id"].tolist()
    r, q = dict(zip(names, group.values, strict=True)), np.asarray(group.q)
    for roi, bar in (("LIPL", 0.43), ("LPreM", 0.42), ("LPTL", 0.35)):
        assert r[roi] >= bar
        assert q[names.index(roi)] < 0.05, "above the null of the maximum over regions"
    listeners = results["listeners"].summary
    ends = zip(listeners["low"], listeners["high"], strict=True)
    told = dict(zip(listeners["name"].tolist(), ends, strict=True))
    for roi in ("LIPL", "LPreM", "LPTL"):
        low, high = told[roi]
        assert 0 < low < high < r[roi], "single listeners are lower than their mean"


def test_encode_objects81_partitioning(tmp_path, find_data):
    find_data("objects81/objects81.npz")
    results = neurodecode.run_pipeline("encode_objects81_partitioning", cache=tmp_path)
    assert np.nanmean(results["alexnet_scores"].values) >= 0.41
    added = results["word2vec_adds"]
    evc = np.asarray(added.space.rois["EVC"])
    assert read_rois(added)["EVC"] <= 0, "word2vec has no unique variance in EVC"
    assert not ((np.asarray(added.q)[evc] < 0.05) & (np.asarray(added.values)[evc] > 0)).any()
    assert read_rois(results["alexnet_adds"])["EVC"] > 0.1


def test_decode_haxby_categories(tmp_path, find_data):
    find_data("haxby2001_slice/bold.nii.gz")
    results = neurodecode.run_pipeline("decode_haxby_categories", cache=tmp_path)
    for step, bar in (("volume_scores", 0.70), ("block_scores", 0.85)):
        summary = results[step].summary
        assert summary["value"][0] >= bar
        assert summary["p"][0] < 0.01
