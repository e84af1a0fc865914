"""datasets.haxby: a twin of its files with planted labels, and the recording itself."""

import nibabel
import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.datasets import haxby
from neurodecode.datasets.haxby import FACTS, SLICE, Haxby

N_SCANS, N_RUNS, T_R = FACTS["n_scans"], FACTS["n_runs"], FACTS["t_r"]


def save(path, data, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([3.1, 3.75, 3.75, 1]) if affine is None else affine
    nibabel.save(nibabel.Nifti1Image(data, affine), path)


def list_labels():
    """Blocks of nine scans, six of rest between them, in an order that differs by run."""
    rows = []
    for run in range(N_RUNS):
        labels = ["rest"] * N_SCANS
        for k in range(8):
            start = 6 + 14 * k
            labels[start : start + 9] = [FACTS["categories"][(k + run) % 8]] * 9
        rows += [(label, run) for label in labels]
    return rows


@pytest.fixture
def twin(tmp_path, monkeypatch):
    """All four recordings, of the shapes of the facts, in a folder of raw data."""
    monkeypatch.setenv("NEURODECODE_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(haxby, "FACTS", {**FACTS, "grids": {**FACTS["grids"], "full": (4, 5, 3)}})
    rows = list_labels()
    mask = np.zeros((40, 20, 1), np.int16)
    mask.ravel()[100:630] = 1
    scan = np.arange(N_SCANS * N_RUNS, dtype=np.int16)
    volumes = np.broadcast_to(mask[..., None] * 1000, (*mask.shape, len(scan))) + scan
    slice_ = tmp_path / SLICE
    save(slice_ / "bold.nii.gz", volumes.astype(np.int16))
    save(slice_ / "mask.nii.gz", mask)
    (slice_ / "attributes_literal.txt").write_text("".join(f"{a} {r}\n" for a, r in rows))
    coarse = np.zeros((6, 10, 10), np.uint8)
    coarse.ravel()[10:139] = 1
    masks = slice_ / "openfmri/sub001/masks/25mm"
    for name, last in (("brain", 139), ("gray", 38), ("white", 60), ("vt", 11)):
        part = np.zeros_like(coarse)
        part.ravel()[10:last] = 1
        save(masks / f"{name}.nii.gz", part)
    for run in range(N_RUNS):
        place = slice_ / f"openfmri/sub001/BOLD/task001_run{run + 1:03d}"
        here = slice(run * N_SCANS, (run + 1) * N_SCANS)
        save(place / "bold_1slice.nii.gz", volumes[..., here].astype(np.int16))
        save(place / "bold_25mm.nii.gz", (coarse[..., None] * scan[here]).astype(np.int16))
        lines = [
            f"{(6 + 14 * k) * T_R}\t22.5\t{FACTS['categories'][(k + run) % 8]}" for k in range(8)
        ]
        (place / "bold_events.tsv").write_text("onset\tduration\ttrial_type\n" + "\n".join(lines))
    full = tmp_path / "haxby2001"
    whole = np.zeros((4, 5, 3, len(scan)), np.int16) + scan
    save(full / "subj2/bold.nii.gz", whole)
    (full / "subj2/labels.txt").write_text(
        "labels chunks\n" + "".join(f"{a} {r}\n" for a, r in rows)
    )
    brain = np.ones((4, 5, 3), np.uint8)
    save(full / "mask.nii.gz", brain)
    for k, name in enumerate(haxby.REGIONS.values()):
        part = np.zeros_like(brain)
        part[k] = 1
        save(full / "subj2" / name, part)
    return tmp_path


@pytest.mark.parametrize(
    ("recording", "subject", "n_voxels", "rois"),
    [
        ("slice", "1", 530, []),
        ("openfmri_1slice", "1", 530, []),
        ("openfmri_25mm", "1", 129, ["gray", "vt", "white"]),
        ("full", "2", 60, ["face_vt", "house_vt", "vt"]),
    ],
)
def test_every_layout_gives_the_same_scans_and_blocks(twin, recording, subject, n_voxels, rois):
    out = Haxby(recording=recording, subject=subject).run()
    responses, events = out["responses"], out["events"].table
    assert responses.data.shape == (N_RUNS * N_SCANS, n_voxels)
    base = 1000 if n_voxels == 530 else 0
    np.testing.assert_array_equal(responses.data[:, 5], base + np.arange(N_RUNS * N_SCANS))
    samples = responses.samples
    assert samples["category"].tolist() == [label for label, _ in list_labels()]
    assert samples["run"][[0, N_SCANS, -1]].tolist() == ["01", "02", "12"]
    assert samples["onset_s"][[0, N_SCANS - 1, N_SCANS]].tolist() == [0.0, 300.0, 0.0]
    assert set(samples["stimulus_id"]) == {"", *FACTS["categories"]}
    assert responses.t_r == T_R
    assert sorted(responses.space.rois) == rois
    assert len(events) == 96
    assert events["onset"][:2].tolist() == [15.0, 50.0]
    assert set(events["duration"]) == {22.5}
    assert events["trial_type"][[0, 8]].tolist() == ["bottle", "cat"]
    assert "lag_check" in out["check"].html


def test_ventral_temporal_cortex_alone(twin):
    out = Haxby(recording="full", subject="2", mask="vt").run()
    assert out["responses"].data.shape[1] == 15
    assert np.asarray(out["responses"].space.rois["vt"]).all()


def test_other_files_are_refused(twin):
    def refuse(message, **settings):
        with pytest.raises(DataError, match=message):
            Haxby(**settings).run()

    refuse(
        r"openfmri_1slice: Unknown subject '2'\. Known: 1", recording="openfmri_1slice", subject="2"
    )
    refuse("'haxby2001/subj3/bold.nii.gz' is in none .*fetch_haxby", recording="full", subject="3")
    path = twin / SLICE / "attributes_literal.txt"
    text = path.read_text()
    path.write_text(text.replace("bottle", "bottel"))
    refuse("holds the labels bottel")
    path.write_text(text.replace("bottle 0\n", "bottle 1\n"))
    refuse("names runs of")
    path.write_text(text.split("\n", 1)[1])
    refuse("has 1451 lines")
    path.write_text(text)
    mask = nibabel.load(twin / SLICE / "mask.nii.gz")
    data = np.asarray(mask.dataobj).copy()
    data[-1, -1] = 1
    save(twin / SLICE / "mask.nii.gz", data)
    refuse("holds 531 voxels. Allowed: 530")
    save(twin / SLICE / "bold.nii.gz", np.zeros((40, 20, 1, 50), np.int16))
    refuse(r"grid \(40, 20, 1\) and 50 scans")


@pytest.mark.real_data
def test_the_recording_is_what_the_facts_say(find_data):
    find_data(f"{SLICE}/bold.nii.gz")
    first = Haxby().run()
    again = Haxby(recording="openfmri_1slice").run()
    category = first["responses"].samples["category"]
    assert {c: int((category == c).sum()) for c in FACTS["categories"]} == dict.fromkeys(
        FACTS["categories"], FACTS["n_scans_per_category"]
    )
    np.testing.assert_array_equal(first["responses"].data, again["responses"].data)
    for name in first["events"].table:
        column = first["events"].table[name].tolist()
        assert column == again["events"].table[name].tolist(), name
    assert set(first["events"].table["duration"]) == {FACTS["block_s"]}
    coarse = Haxby(recording="openfmri_25mm").run()["responses"]
    assert coarse.data.shape == (1452, FACTS["n_voxels"]["openfmri_25mm"])
    assert coarse.space.rois["gray"].sum() == 28
