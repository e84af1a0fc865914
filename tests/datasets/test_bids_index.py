"""datasets.bids_index: runs found by their names, and what is said where they are not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from neurodecode.core.errors import DataError
from neurodecode.datasets.bids_index import find_beside, find_bold, find_inherited
from neurodecode.datasets.bids_names import list_sidecars, parse_name, read_sidecar


def write(folder, *names, text=""):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def folder(tmp_path):
    """Two subjects, two sessions, two tasks, three spaces; names alone, since no image is read."""
    root = tmp_path / "fmriprep"
    for session in ("01", "02"):
        func = f"sub-01/ses-{session}/func/sub-01_ses-{session}"
        for run in ("1", "2", "10"):
            stem = f"{func}_task-view_run-{run}"
            write(
                root,
                f"{stem}_space-MNI152NLin2009cAsym_res-2_desc-preproc_bold.nii.gz",
                f"{stem}_space-MNI152NLin2009cAsym_res-2_desc-brain_mask.nii.gz",
                f"{stem}_hemi-L_space-fsaverage5_bold.func.gii",
                f"{stem}_hemi-R_space-fsaverage5_bold.func.gii",
                f"{stem}_space-fsLR_den-91k_bold.dtseries.nii",
                f"{stem}_desc-confounds_timeseries.tsv",
                f"{stem}_space-MNI152NLin2009cAsym_boldref.nii.gz",
            )
        write(root, f"{func}_task-rest_space-MNI152NLin2009cAsym_res-2_desc-preproc_bold.nii.gz")
    write(root, "sub-02/func/sub-02_task-rest_desc-preproc_bold.nii.gz")
    return root


MNI = "MNI152NLin2009cAsym"


def test_runs_come_in_order_with_what_their_names_say(folder):
    runs = find_bold(folder, "01", task="view", space=MNI)
    places = [(run.session, run.run) for run in runs]
    assert places == [(s, r) for s in ("01", "02") for r in ("1", "2", "10")]
    assert {run.form for run in runs} == {"nifti"}
    assert runs[0].name == "sub-01/ses-01/run-1"
    mask = find_beside(runs[2], ("mask.nii.gz",), "brain", prepared=True)
    assert mask.name == f"sub-01_ses-01_task-view_run-10_space-{MNI}_res-2_desc-brain_mask.nii.gz"
    table = find_beside(runs[2], ("timeseries.tsv",), "confounds", prepared=False)
    assert table.name == "sub-01_ses-01_task-view_run-10_desc-confounds_timeseries.tsv"
    surface = find_bold(folder, "sub-01", task="view", space="fsaverage5", runs=["01"])
    assert [[f.entities["hemi"] for f in run.files] for run in surface] == [["L", "R"]] * 2
    assert find_beside(surface[0], ("timeseries.tsv",), "confounds", prepared=False) is not None
    assert {r.form for r in find_bold(folder, "01", task="view", space="fsLR")} == {"cifti"}


def test_native_space_and_names_without_session_or_run(folder):
    (run,) = find_bold(folder, "02")
    assert (run.session, run.run, run.task) == ("01", "01", "rest")
    assert find_bold(folder, "02", space="func")[0].files == run.files


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"subject": "1"}, "no subject '1'. Did you mean '01'"),
        ({"subject": "7"}, "no subject '7'. Known: 01, 02"),
        ({}, r"several values of 'task' \(rest, view\). Set task"),
        ({"task": "veiw"}, "no preprocessed BOLD of task veiw. Did you mean 'view'"),
        ({"task": "view"}, f"several values of 'space' \\({MNI}, fsLR, fsaverage5\\)"),
        ({"task": "view", "space": "T1w"}, f"BOLD of space T1w. Known: {MNI}, fsLR, fsaverage5"),
        ({"task": "view", "space": MNI, "runs": ["2", "3"]}, "BOLD of run 3. Known: 1, 10, 2"),
        ({"task": "view", "space": MNI, "sessions": ["4"]}, "BOLD of ses 4. Known: 01, 02"),
        ({"task": "view", "space": MNI, "form": "cifti"}, "no cifti files .* Known: nifti"),
        ({"task": "view", "space": MNI, "entities": {"res": "1"}}, "of res 1. Known: 2"),
        ({"task": "view", "desc": "denoised"}, None),
    ],
)
def test_what_is_not_there_is_said_with_what_is(folder, asked, message):
    if message is None:  # surfaces state no desc, and are of any
        assert {r.form for r in find_bold(folder, "01", space="fsLR", **asked)} == {"cifti"}
        return
    with pytest.raises(DataError, match=message):
        find_bold(folder, **{"subject": "01", **asked})


def test_files_that_differ_in_something_else_are_told_apart_by_it(folder):
    stem = f"sub-01/ses-01/func/sub-01_ses-01_task-view_run-1_space-{MNI}_res-1"
    write(folder, f"{stem}_desc-preproc_bold.nii.gz")
    with pytest.raises(DataError, match=r"ses-01/run-1 has 2 BOLD files that differ in res: 1, 2"):
        find_bold(folder, "01", task="view", space=MNI)
    asked = {"task": "view", "space": MNI, "entities": {"res": "2"}}
    assert len(find_bold(folder, "01", **asked)) == 6
    write(folder, f"{stem.replace('_res-1', '_echo-1_res-2')}_desc-preproc_bold.nii.gz")
    with pytest.raises(DataError, match=r"differ in echo: \(none\), 1"):
        find_bold(folder, "01", **asked)
    asked["entities"]["echo"] = ""
    assert len(find_bold(folder, "01", **asked)) == 6
    lone = folder / "sub-01/ses-02/func/sub-01_ses-02_task-view_run-2_hemi-R_space-fsaverage5_bold"
    lone.with_suffix(".func.gii").unlink()
    with pytest.raises(DataError, match=r"ses-02/run-2 has hemispheres L .* Get the other"):
        find_bold(folder, "01", task="view", space="fsaverage5")


def test_raw_folder_in_its_place(tmp_path):
    write(tmp_path, "sub-01/func/sub-01_task-rest_bold.nii.gz")
    with pytest.raises(DataError, match=r"no BOLD with desc-preproc\. Name the folder"):
        find_bold(tmp_path, "01")
    with pytest.raises(DataError, match=r"no folder 'sub-\*'"):
        find_bold(tmp_path / "sub-01", "01")
    with pytest.raises(DataError, match="Correct the path"):
        find_bold(tmp_path / "nowhere", "01")


def test_metadata_are_inherited_and_the_nearest_counts(folder):
    write(folder, "task-view_bold.json", text=json.dumps({"RepetitionTime": 9, "TaskName": "v"}))
    write(folder, "task-rest_bold.json", text=json.dumps({"RepetitionTime": 7}))
    stem = f"sub-01/ses-01/func/sub-01_ses-01_task-view_run-1_space-{MNI}_res-2_desc-preproc_bold"
    write(folder, f"{stem}.json", text=json.dumps({"RepetitionTime": 2.0, "StartTime": 1.0}))
    first, second, *_ = find_bold(folder, "01", task="view", space=MNI)
    assert (first.t_r, second.t_r) == (2.0, 9.0)
    assert first.sidecar == {"RepetitionTime": 2.0, "StartTime": 1.0, "TaskName": "v"}
    assert [p.name for p in list_sidecars(folder, first.files[0])] == [
        f"{stem}.json".rsplit("/", 1)[1], "task-view_bold.json",
    ]  # fmt: skip
    write(folder, "task-view_bold.json", text="{")
    with pytest.raises(DataError, match=r"task-view_bold\.json: it cannot be read as JSON"):
        read_sidecar(folder, first.files[0])


def test_events_of_the_raw_data_by_the_same_entities(folder, tmp_path):
    raw = tmp_path / "raw"
    write(raw, "sub-01/ses-01/func/sub-01_ses-01_task-view_run-01_events.tsv",
          "task-view_events.tsv", "task-rest_events.tsv")  # fmt: skip
    runs = find_bold(folder, "01", task="view", space="fsaverage5")
    found = [find_inherited(raw, run, "events", ".tsv") for run in runs[:2]]
    assert found[0].name == "sub-01_ses-01_task-view_run-01_events.tsv"
    assert found[1] == raw / "task-view_events.tsv"
    (rest,) = find_bold(folder, "02")
    (raw / "task-rest_events.tsv").unlink()
    assert find_inherited(raw, rest, "events", ".tsv") is None


def test_names_are_read():
    parsed = parse_name(Path("x/sub-01_a-b-c_bold.nii.gz"))
    assert dict(parsed.entities) == {"sub": "01", "a": "b-c"}


def test_listing_runs_reads_no_image():
    code = (
        "import sys, neurodecode.datasets.bids_index\n"
        "heavy = {'nibabel', 'nilearn', 'pandas', 'scipy', 'h5py'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
