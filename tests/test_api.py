"""Pipelines from Python: the names of results, and what may be asked for."""

import numpy as np
import pytest

from neurodecode import api
from neurodecode.core.errors import PipelineError, UserError

TEXT = """\
each: {share: [0.5, 1.0]}
steps:
  digits: {stage: datasets.digits, n_items: 12}
  scan: {stage: datasets.simulated, stimuli: digits, n_vertices: 32, n_repeats: 1, n_runs: 2,
         subject_variability: "${share}", evoked_mean: 0}
  pixels: {stage: features.pixels, stimuli: digits, size_px: 4}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("api") / "pipe.yaml"
    path.write_text(TEXT)
    return path


def test_results_go_by_label_also_where_a_value_holds_a_point(file):
    results = api.run_pipeline(file, cache=file.parent / "cache")
    assert set(results) == {"digits", "scan[share=0.5]", "scan[share=1.0]", "pixels"}
    half = results["scan[share=0.5].responses"]
    assert half.data.shape == (12, 32)
    np.testing.assert_array_equal(half.data[:], results["scan[share=0.5]"].data[:])
    assert type(results["scan[share=1.0].ceiling"]).__name__ == "Scores"
    for wrong, words in (
        ("scan[share=0.5].respones", r"has no output 'respones'"),
        ("scan[share=0.7]", r"Did you mean 'scan\[share="),
        ("pixel", "Did you mean 'pixels'"),
    ):
        with pytest.raises(UserError, match=words):
            results[wrong]


def test_branches_are_text_and_overrides_a_list(file):
    kept = api.load_pipeline(file, share="0.5").instances
    assert [b for n, b in kept if n == "scan"] == [(("share", "0.5"),)]
    with pytest.raises(UserError, match="values of each are text"):
        api.load_pipeline(file, share=0.5)
    with pytest.raises(UserError, match="values of each are text"):
        api.load_pipeline(file, share=[0.5, 1.0])
    with pytest.raises(UserError, match=r"Give a list: \['seed=3'\]"):
        api.load_pipeline(file, "seed=3")
    with pytest.raises(PipelineError, match=r"no value '0\.7'"):
        api.load_pipeline(file, share="0.7")
