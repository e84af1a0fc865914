"""datasets.fmriprep: folders whose content is known come back as it was, mistakes are told."""

import json
import warnings

import nibabel
import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.core.store import Store
from neurodecode.datasets.fmriprep import Fmriprep
from tests.datasets.fmriprep_folder import DERIVATIVE, HAXBY, build_folder, build_from_haxby

SPACES = {"nifti": "T1w", "gifti": "fsaverage3", "cifti": "fsLR"}


def load(folder, **settings):
    given = {"path": str(folder / DERIVATIVE), "subject": "01", "events": str(folder), **settings}
    return Fmriprep(**given).run()


def find(folder, pattern):
    return sorted((folder / DERIVATIVE).rglob(pattern))


def change_json(path, **values):
    content = json.loads(path.read_text()) | values
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def cut_header(path, t_r, unit="sec"):
    image = nibabel.load(path)
    data = np.asarray(image.dataobj)
    image = nibabel.Nifti1Image(data, image.affine)
    image.header.set_zooms((*image.header.get_zooms()[:3], t_r))
    image.header.set_xyzt_units("mm", unit)
    nibabel.save(image, path)


@pytest.mark.parametrize("form", ["nifti", "gifti", "cifti"])
def test_every_scan_comes_back_at_its_place_and_time(tmp_path, form):
    truth = build_folder(tmp_path, form=form, space=SPACES[form])
    out = load(tmp_path)
    responses, samples = out["responses"], out["responses"].samples
    whole = np.concatenate([truth[s, r] for s in ("01", "02") for r in ("1", "2")])
    columns = {
        "nifti": np.flatnonzero(_make_intersection()),
        "gifti": np.arange(2 * 642),
        "cifti": np.arange(7),
    }[form]
    assert responses.data.dtype == np.float32
    assert not isinstance(responses.data, np.ndarray), "read when used"
    np.testing.assert_array_equal(np.asarray(responses.data), whole[:, columns])
    np.testing.assert_array_equal(responses.data[31:70:2, 1:3], whole[31:70:2, columns[1:3]])
    assert (responses.t_r, responses.units) == (2.0, "a.u.")
    assert samples["session"][[0, 59, 60]].tolist() == ["01", "01", "02"]
    assert samples["run"][[0, 29, 30]].tolist() == ["1", "1", "2"]
    np.testing.assert_allclose(samples["onset_s"][:30], np.arange(30) * 2 + 1.0)
    assert len(set(samples["sample_id"])) == 120
    space = responses.space
    if form == "nifti":
        assert space.kind == "volume"
        np.testing.assert_array_equal(space.mask, _make_intersection())
        assert np.asarray(space.affine)[:3, 3].tolist() == [-6, -8, 2]
    elif form == "gifti":
        assert (space.kind, space.mesh, len(space.vertices)) == ("surface", "fsaverage3", 1284)
    else:
        assert (space.kind, space.mesh) == ("surface", "fsLR32k")
        assert space.vertices.tolist() == [0, 5, 7, 32491, 32493, 32494, 32501]
        assert "4 subcortical voxels" in out["check"].html


def _make_intersection():
    mask = np.zeros((4, 5, 3), bool)
    mask[1:, 2:, :] = True
    return mask


def test_events_are_those_of_the_raw_data(tmp_path):
    build_folder(tmp_path)
    out = load(tmp_path)
    table = out["events"].table
    assert len(table) == 12
    assert table["onset"][:3].tolist() == [4.0, 16.0, 28.0]
    assert table["stimulus_id"][:2].tolist() == ["bottle.png", "cat.png"]
    assert table["trial_type"][0] == "bottle"
    assert set(table["session"]) == {"01", "02"}
    shown = out["responses"].samples["stimulus_id"]
    assert np.flatnonzero(shown[:30] != "").tolist() == [2, 8, 14]  # 4 s is where scan 2 begins
    named = load(tmp_path, stimulus_column="trial_type")["events"].table["stimulus_id"]
    assert named[0] == "bottle"
    with pytest.raises(DataError, match=r"no column 'stimfile'\. Did you mean 'stim_file'"):
        load(tmp_path, stimulus_column="stimfile")
    assert "events" not in load(tmp_path, events=None)


def test_subcortex_of_cifti_is_a_volume_in_c_order(tmp_path):
    truth = build_folder(tmp_path, form="cifti", space="fsLR")
    responses = load(tmp_path, structures="subcortex")["responses"]
    assert responses.space.kind == "volume"
    voxels = np.argwhere(responses.space.mask).tolist()
    assert voxels == [[0, 2, 1], [1, 1, 1], [1, 1, 2], [1, 2, 1]]
    np.testing.assert_array_equal(responses.data[:30], truth["01", "1"][:, [10, 7, 8, 9]])


@pytest.mark.parametrize("mask", ["intersection", "union", "all", "file"])
def test_masks(tmp_path, mask):
    build_folder(tmp_path)
    given = str(find(tmp_path, "*ses-01*run-1*mask.nii.gz")[0]) if mask == "file" else mask
    n_voxels = {"intersection": 27, "union": 36, "all": 60, "file": 36}[mask]
    assert load(tmp_path, mask=given)["responses"].data.shape == (120, n_voxels)


@pytest.mark.parametrize(
    "strategy", ["simple", "scrubbing", "compcor", ("motion", "global_signal")]
)
def test_confounds_are_nilearns(tmp_path, strategy):
    from nilearn.interfaces.fmriprep import load_confounds, load_confounds_strategy

    build_folder(tmp_path, n_unsteady=2, outliers=(12,), n_scans=70, sessions=("01",))
    out = load(tmp_path, confounds=strategy)
    ours, samples = out["confounds"], out["responses"].samples
    images = [str(path) for path in find(tmp_path, "*desc-preproc_bold.nii.gz")]
    columns = ours.extractor["columns"]
    for k, image in enumerate(images):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(strategy, str):
                theirs, kept = load_confounds_strategy(image, denoise_strategy=strategy)
            else:
                theirs, kept = load_confounds(image, strategy=strategy)
        assert set(theirs.columns) == set(columns)
        rows = slice(k * 68, (k + 1) * 68)
        expected = theirs[columns].to_numpy()[2:]  # they keep the scans not yet steady as rows
        np.testing.assert_allclose(ours.data[rows], expected, atol=1e-10)
        censored = np.setdiff1d(np.arange(70), kept)
        np.testing.assert_array_equal(np.flatnonzero(samples["censored"][rows]) + 2, censored[2:])
    assert ours.items["sample_id"].tolist() == samples["sample_id"].tolist()
    assert sum(last - first for first, last in ours.bands.values()) == len(columns)


@pytest.mark.parametrize(
    "settings",
    [
        {"motion": "derivatives", "wm_csf": "power2"},
        {"global_signal": "full"},
        {"compcor": "anat_separated", "n_compcor": 1},
    ],
)
def test_parts_of_strategies_are_nilearns(tmp_path, settings):
    from nilearn.interfaces.fmriprep import load_confounds

    build_folder(tmp_path, sessions=("01",), runs=("1",), n_scans=70)
    parts = ["high_pass", "motion", "wm_csf"]
    parts += [name for name in ("global_signal", "compcor") if name in settings]
    out = load(tmp_path, confounds=parts, **settings)
    theirs, _ = load_confounds(str(find(tmp_path, "*bold.nii.gz")[0]), strategy=parts, **settings)
    columns = out["confounds"].extractor["columns"]
    assert set(theirs.columns) == set(columns)
    np.testing.assert_allclose(out["confounds"].data, theirs[columns], atol=1e-10)


def test_what_becomes_of_scans_not_steady_or_moved(tmp_path):
    build_folder(tmp_path, sessions=("01",), n_unsteady=3, outliers=(15,), n_scans=60)
    given = {"confounds": ("motion", "scrub"), "scrub": 0, "std_dvars_threshold": 9.0}
    marked = load(tmp_path, **given)["responses"]
    assert marked.data.shape[0] == 2 * 57
    assert marked.samples["onset_s"][0] == 3 * 2.0 + 1.0, "dropped scans are counted"
    assert np.flatnonzero(marked.samples["censored"][:57]).tolist() == [12]
    dropped = load(tmp_path, **given, flagged="drop")["responses"]
    assert len(dropped.data) == 2 * 56
    kept = ~marked.samples["censored"]
    np.testing.assert_array_equal(dropped.samples["onset_s"], marked.samples["onset_s"][kept])
    np.testing.assert_array_equal(dropped.samples["sample_id"], marked.samples["sample_id"][kept])
    np.testing.assert_array_equal(np.asarray(dropped.data), np.asarray(marked.data)[kept])
    spiked = load(tmp_path, **given, flagged="regress")
    first, last = spiked["confounds"].bands["flagged"]
    spikes = spiked["confounds"].data[:, first:last]
    np.testing.assert_array_equal(np.argwhere(spikes), [[12, 0], [57 + 12, 1]])
    none = load(tmp_path, **given, drop=0)["responses"]
    assert np.flatnonzero(none.samples["censored"][:60]).tolist() == [0, 1, 2, 15]
    assert len(load(tmp_path, drop=5)["responses"].data) == 2 * 55


def test_columns_that_a_run_lacks_are_zero_there(tmp_path):
    build_folder(tmp_path, sessions=("01",), n_scans=70)
    table = find(tmp_path, "*run-2*timeseries.tsv")[0]
    lines = [line.split("\t") for line in table.read_text().splitlines()]
    at = lines[0].index("cosine01")
    table.write_text("".join("\t".join(c for k, c in enumerate(line) if k != at) + "\n"
                             for line in lines))  # fmt: skip
    confounds = load(tmp_path, confounds=("high_pass",))["confounds"]
    assert confounds.extractor["columns"] == ["cosine00", "cosine01"]
    assert (confounds.data[70:, 1] == 0).all()
    assert np.abs(confounds.data[:70, 1]).max() > 0.5


@pytest.mark.parametrize("unit", ["msec", "sec"])
def test_headers_in_other_units_agree(tmp_path, unit):
    build_folder(tmp_path, runs=("1",), sessions=("01",))
    cut_header(find(tmp_path, "*bold.nii.gz")[0], 2000.0, unit)
    assert load(tmp_path)["responses"].t_r == 2.0


def test_repetition_times_must_agree(tmp_path):
    build_folder(tmp_path, sessions=("01",), header_t_r=1.0)
    with pytest.raises(DataError, match=r"run-1: the repetition time is 2 s by the sidecar, 1 s by "
                       r"the image's header.*header_t_r: ignore and t_r: 2"):  # fmt: skip
        load(tmp_path)
    assert load(tmp_path, header_t_r="ignore")["responses"].t_r == 2.0
    with pytest.raises(DataError, match=r"2\.4 s by t_r in the pipeline, 2 s by the sidecar"):
        load(tmp_path, header_t_r="ignore", t_r=2.4)
    for path in find(tmp_path, "*bold.json"):
        change_json(path, RepetitionTime=None)
    with pytest.raises(DataError, match=r"not known\. Nothing but a header that is to be ignored"):
        load(tmp_path, header_t_r="ignore")
    (tmp_path / "task-view_bold.json").write_text(json.dumps({"RepetitionTime": 3.0}))
    with pytest.raises(DataError, match=r"2 s by t_r .* 3 s by the raw data's task-view_bold.json"):
        load(tmp_path, header_t_r="ignore", t_r=2.0)


def test_runs_of_other_timing_are_refused(tmp_path):
    build_folder(tmp_path, sessions=("01",))
    path = find(tmp_path, "*run-2*bold.json")[0]
    change_json(path, StartTime=0.5)
    with pytest.raises(DataError, match=r"runs differ in the time within a scan.*run-2 0\.5 s"):
        load(tmp_path)
    change_json(path, StartTime=None)
    with pytest.raises(DataError, match=r"run-2: slice timing was corrected.*start_time_s: 1 if"):
        load(tmp_path)
    assert load(tmp_path, start_time_s=1.0)["responses"].samples["onset_s"][0] == 1.0
    with pytest.raises(DataError, match="1 s by the sidecar and 0 s by start_time_s"):
        load(tmp_path, start_time_s=0.0)
    change_json(path, StartTime=2.5)
    with pytest.raises(DataError, match=r"StartTime is 2\.5 s\. Allowed: from 0 to"):
        load(tmp_path)
    for sidecar in find(tmp_path, "*bold.json"):
        change_json(sidecar, SliceTimingCorrected=False)
    assert load(tmp_path)["responses"].samples["onset_s"][0] == 0.0
    with pytest.raises(DataError, match="slice timing was not corrected"):
        load(tmp_path, start_time_s=1.0)
    change_json(path, RepetitionTime=3.0)
    with pytest.raises(DataError, match=r"runs differ in repetition time: .*run-2 3 s"):
        load(tmp_path, header_t_r="ignore")


def test_voxels_without_signal(tmp_path):
    build_folder(tmp_path, sessions=("01",))
    path = find(tmp_path, "*run-2*desc-preproc_bold.nii.gz")[0]
    image = nibabel.load(path)
    data = np.asarray(image.dataobj).copy()
    data[2, 3, 1] = 0
    data[3, 4, 2, 7] = np.nan
    nibabel.save(nibabel.Nifti1Image(data, image.affine, image.header), path)
    message = r"1 of 27 voxels hold NaN or infinity and 1 never change \(zeros, say\) in .*run-2"
    with pytest.raises(DataError, match=message):
        load(tmp_path)
    out = load(tmp_path, flat_voxels="drop")
    responses = out["responses"]
    assert responses.data.shape == (60, 25)
    assert not responses.space.mask[2, 3, 1]
    assert not responses.space.mask[3, 4, 2]
    assert int(np.sum(responses.space.mask)) == 25
    assert np.isfinite(np.asarray(responses.data)).all()
    assert "left out of all runs" in out["check"].html


def test_files_that_are_absent_or_do_not_fit(tmp_path):
    build_folder(tmp_path, sessions=("01",))

    def refuse(message, **settings):
        with pytest.raises(DataError, match=message):
            load(tmp_path, **settings)

    events = tmp_path / "sub-01/ses-01/func/sub-01_ses-01_task-view_run-2_events.tsv"
    text = events.read_text()
    events.unlink()
    refuse(r"run-2 has no events in .*allow_missing_events: true")
    assert len(load(tmp_path, allow_missing_events=True)["events"].table) == 3
    events.write_text(text.replace("4\t", "soon\t", 1))
    refuse("column 'onset' holds values that are no numbers")
    events.write_text(text.replace("onset", "start"))
    refuse("there is no column 'onset'")
    events.write_text(text)
    table = find(tmp_path, "*run-2*timeseries.tsv")[0]
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:-1]))
    refuse(r"it has 29 rows, but the run has 30 scans")
    table.write_text("".join([lines[0].replace("csf\t", "csv\t", 1), *lines[1:]]))
    refuse(r"1 columns of 'wm_csf' are not there or hold text \(csf\)", confounds="simple")
    table.write_text("".join([lines[0], lines[1], lines[2].replace(lines[2].split("\t")[0], "n/a"),
                              *lines[3:]]))  # fmt: skip
    refuse("column 'trans_x' is n/a in 1 rows beside the first", confounds="simple")
    table.unlink()
    refuse("run-2 has no table of confounds", confounds="simple")
    assert "whether its first scans were steady is not known" in load(tmp_path)["check"].html
    mask = find(tmp_path, "*run-2*mask.nii.gz")[0]
    image = nibabel.load(mask)
    moved = image.affine.copy()
    moved[0, 3] += 1
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), moved), mask)
    refuse("both must have one affine")
    mask.unlink()
    refuse("run-2 has no brain mask beside")
    refuse("Set mask to intersection, union or all", mask="intersect")
    bold = find(tmp_path, "*run-2*desc-preproc_bold.nii.gz")[0]
    data = nibabel.load(bold)
    nibabel.save(nibabel.Nifti1Image(np.asarray(data.dataobj), moved), bold)
    refuse("grids of one shape but different affines", mask="all", header_t_r="ignore")
    bold.write_bytes(bold.read_bytes()[:2000])
    refuse("cannot be read to its end", mask="all", header_t_r="ignore", runs=["2"])


def test_surfaces_must_be_what_their_name_says(tmp_path):
    build_folder(tmp_path, form="gifti", space="fsaverage5", sessions=("01",), runs=("1",))
    with pytest.raises(DataError, match=r"642 vertices on the left .* which is no fsaverage5"):
        load(tmp_path)
    with pytest.raises(ValueError, match="compcor goes with high_pass"):
        Fmriprep(path="x", subject="01", confounds=["compcor"])
    with pytest.raises(ValueError, match="Set desc: smoothAROMAnonaggr"):
        Fmriprep(path="x", subject="01", confounds="ica_aroma")


def test_a_scan_is_the_same_whichever_runs_are_read_beside_it(tmp_path):
    build_folder(tmp_path)
    whole, part = load(tmp_path)["responses"], load(tmp_path, runs=["2"])["responses"]
    rows = np.flatnonzero(whole.samples["run"] == "2")
    assert whole.samples["sample_id"][rows].tolist() == part.samples["sample_id"].tolist()


def test_sources_are_all_files_that_are_read(tmp_path):
    build_folder(tmp_path, sessions=("01",), runs=("1",))
    stage = Fmriprep(path=str(tmp_path / DERIVATIVE), subject="01", events=str(tmp_path))
    names = [path.name.split("run-1_")[1] for path in stage.sources()]
    assert sorted(names) == [
        "desc-confounds_timeseries.json", "desc-confounds_timeseries.tsv", "events.tsv",
        "space-T1w_desc-brain_mask.nii.gz", "space-T1w_desc-preproc_bold.json",
        "space-T1w_desc-preproc_bold.nii.gz",
    ]  # fmt: skip


def test_the_store_keeps_what_was_read(tmp_path):
    truth = build_folder(tmp_path / "folder", n_scans=40)
    store = Store(tmp_path / "cache")
    out = load(tmp_path / "folder", confounds="simple")
    card = store.write("datasets.fmriprep", "key", out, {})
    again = store.read(card)
    inside = np.flatnonzero(_make_intersection())
    np.testing.assert_array_equal(
        np.asarray(again["responses"].data)[:40], truth["01", "1"][:, inside]
    )
    assert again["confounds"].bands == out["confounds"].bands


@pytest.mark.real_data
def test_haxby_as_fmriprep_would_leave_it(tmp_path, find_data):
    root = find_data(HAXBY)
    build_from_haxby(tmp_path)
    out = load(tmp_path, confounds="simple")
    responses = out["responses"]
    mask = np.asarray(nibabel.load(root / "mask.nii.gz").dataobj) != 0
    whole = np.asarray(nibabel.load(root / "bold.nii.gz").dataobj)[mask].T
    assert responses.data.shape == (1452, 530)
    assert np.corrcoef(np.asarray(responses.data)[:, 100], whole[:, 100])[0, 1] > 0.9
    assert responses.t_r == 2.5
    assert len(out["events"].table) == 96
    assert set(out["events"].table["stimulus_id"]) == {
        path.name for path in (tmp_path / "stimuli").iterdir()
    }
    assert "csf" in out["confounds"].extractor["columns"]
