"""datasets.fmriprep_confounds against nilearn's own reading of the same tables."""

import json
import warnings

import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.datasets.fmriprep_confounds import (
    STRATEGIES,
    Choice,
    read_confounds,
    scrub_segments,
)
from tests.datasets.fmriprep_folder import DERIVATIVE, build_folder

N_SCANS = 80


@pytest.fixture
def run(tmp_path):
    """Paths of a run's BOLD and its confounds, with temporal components and moved scans."""
    build_folder(tmp_path, sessions=("01",), runs=("1",), n_scans=N_SCANS, n_unsteady=1,
                 outliers=(20, 24, 76))  # fmt: skip
    (table,) = (tmp_path / DERIVATIVE).rglob("*timeseries.tsv")
    rng = np.random.default_rng(0)
    lines = table.read_text().splitlines()
    named = ["t_comp_cor_00", "t_comp_cor_01", "w_comp_cor_00", "c_comp_cor_00"]
    numbers = ["\t".join(f"{x:.6f}" for x in rng.normal(size=4)) for _ in lines[1:]]
    added = ["\t".join(named), *numbers]
    table.write_text("".join(f"{a}\t{b}\n" for a, b in zip(lines, added, strict=True)))
    meta = table.with_suffix(".json")
    content = json.loads(meta.read_text()) | {name: {"Method": "tCompCor"} for name in named}
    meta.write_text(json.dumps(content))
    (bold,) = (tmp_path / DERIVATIVE).rglob("*desc-preproc_bold.nii.gz")
    return str(bold), table


def read_with_nilearn(bold, parts, **options):
    from nilearn.interfaces.fmriprep import load_confounds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame, kept = load_confounds(bold, strategy=parts, demean=False, **options)
    return frame, np.setdiff1d(np.arange(N_SCANS), kept)


@pytest.mark.parametrize(
    ("parts", "options"),
    [
        (("motion",), {"motion": "basic"}),
        (("motion",), {"motion": "power2"}),
        (("motion", "wm_csf"), {"wm_csf": "full"}),
        (("global_signal",), {"global_signal": "derivatives"}),
        (("high_pass", "compcor"), {"compcor": "anat_combined"}),
        (("high_pass", "compcor"), {"compcor": "anat_separated", "n_compcor": 1}),
        (("high_pass", "compcor"), {"compcor": "temporal"}),
        (("high_pass", "compcor"), {"compcor": "temporal_anat_combined", "n_compcor": 2}),
        (("high_pass", "compcor"), {"compcor": "temporal_anat_separated"}),
        (("motion", "ica_aroma"), {"ica_aroma": "basic"}),
        (("motion", "scrub"), {"scrub": 5}),
        (("motion", "scrub"), {"scrub": 0, "fd_threshold": 0.2}),
        (("motion", "scrub"), {"scrub": 4, "std_dvars_threshold": 1.1}),
    ],
)
def test_parts_have_nilearns_columns_values_and_scans(run, parts, options):
    bold, table = run
    frame, removed = read_with_nilearn(bold, parts, **options)
    found = read_confounds(table, N_SCANS, Choice.of(parts, **options))
    assert set(found.values) == set(frame.columns)
    for name, values in found.values.items():
        np.testing.assert_allclose(values, frame[name], atol=1e-12, err_msg=name)
    np.testing.assert_array_equal(np.flatnonzero(found.flagged), removed)
    assert found.n_unsteady == 1


def test_strategies_are_nilearns():
    from nilearn.interfaces.fmriprep.load_confounds_strategy import preset_strategies

    assert set(STRATEGIES) == set(preset_strategies)
    for name, theirs in preset_strategies.items():
        ours = Choice.of(name)
        assert set(ours.parts) == set(theirs["strategy"]), name
        for option in ("motion", "wm_csf", "compcor", "ica_aroma", "scrub", "fd_threshold",
                       "std_dvars_threshold"):  # fmt: skip
            if option in theirs:
                assert getattr(ours, option) == theirs[option], (name, option)
    assert "global_signal" in Choice.of("simple", global_signal="full").parts
    assert Choice.of("scrubbing", wm_csf="basic").wm_csf == "basic"


def test_short_stretches_go_as_in_nilearn():
    from nilearn.interfaces.fmriprep.load_confounds_scrub import optimize_scrub

    rng = np.random.default_rng(0)
    for _ in range(50):
        outliers = rng.random(60) < 0.12
        if not outliers.any():
            continue
        for shortest in (1, 3, 5, 8):
            expected = np.zeros(60, bool)
            expected[optimize_scrub(np.flatnonzero(outliers), 60, shortest)] = True
            np.testing.assert_array_equal(scrub_segments(outliers, shortest), expected)
    assert not scrub_segments(np.zeros(4, bool), 9).any()


def test_what_a_table_lacks_is_named(run):
    _, table = run
    text = table.read_text()

    def refuse(message, parts, **options):
        with pytest.raises(DataError, match=message):
            read_confounds(table, N_SCANS, Choice.of(parts, **options))

    table.write_text(text.replace("std_dvars", "stdDVARS", 1))
    refuse(r"columns of 'scrub' are not there or hold text \(std_dvars\)", ("scrub",))
    table.write_text(text.replace("aroma_motion_01", "noise_01", 1))
    refuse("no columns of ICA-AROMA", ("ica_aroma",), ica_aroma="basic")
    table.write_text(text.replace("t_comp_cor_0", "tcompcor0"))
    refuse("no CompCor columns of the kind 'temporal'", ("compcor",), compcor="temporal")
    table.write_text(text)
    table.with_suffix(".json").unlink()
    refuse("it says which mask each CompCor column comes", ("compcor",))
    lines = text.splitlines()
    at = lines[0].split("\t").index("non_steady_state_outlier00")
    cells = [line.split("\t") for line in lines]
    cells[1][at], cells[9][at] = "0", "1"
    table.write_text("\n".join("\t".join(row) for row in cells) + "\n")
    refuse(r"scans \[8\] are marked as not yet steady, not only the first", ("motion",))
