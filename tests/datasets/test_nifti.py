"""datasets.nifti: planted volumes come back as they were; what cannot be right is refused."""

import re

import nibabel
import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.core.store import Store
from neurodecode.datasets import scan_files
from neurodecode.datasets.nifti import Nifti
from neurodecode.datasets.repetition_time import read_header_t_r, settle_t_r

SHAPE, N_SCANS, T_R = (6, 5, 4), 20, 2.4


@pytest.fixture
def folder(tmp_path):
    """Two runs of scaled integers in Fortran order, a mask, and events."""
    rng = np.random.default_rng(0)
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    for run in (1, 2):
        data = np.asfortranarray(rng.integers(500, 1500, (*SHAPE, N_SCANS)).astype(np.int16))
        save(tmp_path / f"run-{run}.nii.gz", data, affine)
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:4, 1:4, 1:3] = 1
    save(tmp_path / "mask.nii.gz", mask, affine, None)
    (tmp_path / "events.tsv").write_text(
        "onset\tduration\ttrial_type\tpicture\n5\t1\tb\tdog.png\n0\tn/a\ta\tn/a\n"
    )
    return tmp_path


def save(path, data, affine, t_r=T_R):
    image = nibabel.Nifti1Image(data, affine)
    image.header.set_slope_inter(1, 0)
    image.header.set_xyzt_units("mm", "sec")
    if t_r is not None:
        image.header.set_zooms((3, 3, 3, t_r))
    nibabel.save(image, path)


def load(folder, **settings):
    files = [str(folder / f"run-{run}.nii.gz") for run in (1, 2)]
    given = {"files": files, "name": "toy", "mask": str(folder / "mask.nii.gz"), **settings}
    return Nifti(**given).run()


def read(path):
    return np.asarray(nibabel.load(path).dataobj)


@pytest.mark.parametrize("block_bytes", [1 << 26, 8 * 120 * 3])
def test_volumes_come_back_voxel_by_voxel(folder, block_bytes, monkeypatch):
    monkeypatch.setattr(scan_files, "BLOCK_BYTES", block_bytes)
    out = load(folder)
    responses = out["responses"]
    mask = read(folder / "mask.nii.gz") != 0
    expected = np.concatenate([read(folder / f"run-{run}.nii.gz")[mask].T for run in (1, 2)])
    assert (responses.data.shape, responses.data.dtype) == ((40, 18), np.float32)
    np.testing.assert_array_equal(np.asarray(responses.data), expected)
    np.testing.assert_array_equal(responses.data[18:23, 2], expected[18:23, 2])
    np.testing.assert_array_equal(responses.space.mask, mask)
    np.testing.assert_array_equal(responses.space.affine, np.diag([3.0, 3.0, 3.0, 1.0]))
    assert responses.t_r == pytest.approx(T_R)
    assert responses.samples["run"][[0, 39]].tolist() == ["01", "02"]
    np.testing.assert_allclose(responses.samples["onset_s"][20:], np.arange(20) * T_R)
    assert "events" not in out


def test_no_more_than_a_run_is_held(folder, monkeypatch):
    opened = []
    original = scan_files.iterate_scans

    def count(file, columns):
        opened.append(file.paths[0].name)
        return original(file, columns)

    monkeypatch.setattr(scan_files, "iterate_scans", count)
    data = load(folder)["responses"].data
    opened.clear()
    for start in range(0, 40, 7):  # as the store writes it: block by block, front to back
        assert data[start : start + 7].shape[1] == 18
    assert opened == ["run-1.nii.gz", "run-2.nii.gz"]


def test_memory_is_that_of_one_run(tmp_path, monkeypatch):
    """Six runs are looked through and stored within what little more than one of them takes."""
    import tracemalloc

    monkeypatch.setattr(scan_files, "BLOCK_BYTES", 1 << 20)
    affine = np.diag([3.0, 3, 3, 1])
    data = np.random.default_rng(0).integers(1, 999, (30, 30, 30, 40)).astype(np.int16)
    for run in range(6):
        save(tmp_path / f"run-{run}.nii", data, affine)
    files = [str(tmp_path / f"run-{run}.nii") for run in range(6)]
    one = data.size * 4
    del data
    tracemalloc.start()
    out = Nifti(files=files, name="big", mask="all").run()
    looked = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    Store(tmp_path / "cache").write("datasets.nifti", "key", {"responses": out["responses"]}, {})
    stored = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert looked < 2 * one
    # the run itself, and blocks of 16 MB on their way to the file
    assert stored < one + 3 * (1 << 24)
    assert stored < 5 * 6 * one


def test_events_labels_and_dropped_scans(folder):
    table = str(folder / "events.tsv")
    out = load(folder, events=[table], stimulus_column="picture", drop=3, runs=["a", "b"],
               sessions=["1", "1"], start_time_s=1.2, subject="07")  # fmt: skip
    events, samples = out["events"].table, out["responses"].samples
    assert events["onset"].tolist() == [0.0, 5.0, 0.0, 5.0], "in order of time"
    assert events["run"].tolist() == ["a", "a", "b", "b"]
    assert events["stimulus_id"].tolist() == ["", "dog.png", "", "dog.png"]
    assert np.isnan(events["duration"][0])
    assert samples["onset_s"][0] == pytest.approx(3 * T_R + 1.2)
    assert len(samples) == 34
    assert set(samples["subject"]) == {"07"}
    with pytest.raises(DataError, match=r"no column 'pictures'\. Did you mean 'picture'"):
        load(folder, events=[table], stimulus_column="pictures")


def test_the_header_and_the_user_must_agree(folder):
    with pytest.raises(DataError) as caught:
        load(folder, t_r=1.0)
    assert str(caught.value) == (
        "datasets.nifti: run-1.nii.gz: the repetition time is 1 s by t_r in the pipeline, 2.4 s by "
        "the image's header. Scans would be laid beside the wrong events. Set header_t_r: ignore "
        "if the header is what is wrong (converters often write 1); if it is right, correct the "
        "other."
    )
    assert load(folder, t_r=1.0, header_t_r="ignore")["responses"].t_r == 1.0
    assert load(folder, t_r=2.4)["responses"].t_r == 2.4
    with pytest.raises(ValueError, match="Set t_r"):
        Nifti(files=["x"], name="x", mask="all", header_t_r="ignore")
    save(folder / "run-2.nii.gz", read(folder / "run-2.nii.gz"), np.diag([3.0, 3, 3, 1]), 2.0)
    with pytest.raises(DataError, match=r"run-1\.nii\.gz 2\.4 s, run-2\.nii\.gz 2 s"):
        load(folder)
    save(folder / "run-2.nii.gz", read(folder / "run-2.nii.gz"), np.diag([3.0, 3, 3, 1]), 0.0)
    with pytest.raises(DataError, match=r"run-2.* not known\. Neither header nor sidecar"):
        load(folder)


def test_repetition_times_are_settled():
    assert read_header_t_r(720.0, "unknown") == 0.72
    assert read_header_t_r(2.0, "msec") == 0.002
    assert read_header_t_r(float("nan"), "sec") is None
    given = {"ignore_header": False, "where": "run-1"}
    assert settle_t_r(None, {"the sidecar": 2.0}, 2.0004, **given) == 2.0
    with pytest.raises(DataError, match=r"Correct what is wrong: t_r, or the sidecar's"):
        settle_t_r(2.0, {"the sidecar": 2.5}, 2.0, **given)
    with pytest.raises(DataError, match=re.escape("Set header_t_r: ignore and t_r: 2.5 if")):
        settle_t_r(None, {"the sidecar": 2.5}, 1.0, **given)


def test_voxels_without_a_signal(folder):
    path = folder / "run-2.nii.gz"
    data = read(path).astype(np.float32)
    data[1, 1, 1] = 0
    data[2, 2, 2, 4] = np.nan
    data[0, 0, 0] = 0  # outside the mask: nobody minds
    save(path, data, np.diag([3.0, 3, 3, 1]))
    with pytest.raises(DataError, match=r"1 of 18 voxels hold NaN .* 1 never change .*run-02"):
        load(folder)
    out = load(folder, flat_voxels="drop")
    assert out["responses"].data.shape == (40, 16)
    assert np.isfinite(np.asarray(out["responses"].data)).all()
    assert "first columns: [0, 9]" in out["check"].html
    save(path, np.zeros((*SHAPE, N_SCANS), np.int16), np.diag([3.0, 3, 3, 1]))
    with pytest.raises(DataError, match="Nothing would be left"):
        load(folder, flat_voxels="drop")


def test_grids_and_masks_must_fit(folder):
    data, affine = read(folder / "run-2.nii.gz"), np.diag([3.0, 3, 3, 1])
    save(folder / "run-2.nii.gz", data[:5], affine)
    with pytest.raises(DataError, match=r"run-1\.nii\.gz has grid \(6, 5, 4\), run-2\.nii\.gz"):
        load(folder)
    save(folder / "run-2.nii.gz", data, np.diag([3.0, 3, 3.1, 1]))
    with pytest.raises(DataError, match="different affines"):
        load(folder)
    save(folder / "run-2.nii.gz", data, affine)
    mask = read(folder / "mask.nii.gz")
    for wrong, message in (
        (mask[:5], r"has shape \(5, 5, 4\), the scans \(6, 5, 4\)"),
        (mask * 3, "holds values from 0 to 3. Allowed: 0 and 1"),
        (mask * 0, "the mask holds no voxel"),
    ):
        save(folder / "mask.nii.gz", wrong, affine, None)
        with pytest.raises(DataError, match=message):
            load(folder)
    with pytest.raises(DataError, match="Correct the path"):
        load(folder, mask="nowhere.nii.gz")


def test_files_that_are_no_time_series(folder):
    save(folder / "run-2.nii.gz", read(folder / "mask.nii.gz"), np.diag([3.0, 3, 3, 1]), None)
    with pytest.raises(DataError, match=r"shape \(6, 5, 4\)\. Allowed: volumes over time"):
        load(folder)
    (folder / "run-2.nii.gz").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"run-2\.nii\.gz cannot be read as an image"):
        load(folder)
    (folder / "run.txt").write_text("1")
    with pytest.raises(DataError, match=r"run\.txt is no time series"):
        load(folder, files=[str(folder / "run.txt")])
    with pytest.raises(DataError, match=r"18 of its 20 scans are to be dropped"):
        load(folder, drop=18, files=[str(folder / "run-1.nii.gz")])
    with pytest.raises(DataError, match="more than once"):
        load(folder, files=[str(folder / "run-1.nii.gz")] * 2, runs=["1", "1"])
    with pytest.raises(ValueError, match="runs names 1, files 2"):
        load(folder, files=[str(folder / "run-1.nii.gz")] * 2, runs=["1"])


def test_masks_of_nilearn_find_a_bright_ball(tmp_path):
    rng = np.random.default_rng(1)
    place = np.stack(np.meshgrid(*[np.arange(48)] * 3, indexing="ij"), axis=-1) - 24
    ball = (place**2).sum(axis=-1) < 256
    data = rng.normal(20, 5, (48, 48, 48, 3)) + 1000 * ball[..., None]
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = -96
    save(tmp_path / "run.nii.gz", data.astype(np.float32), affine)
    found = Nifti(files=[str(tmp_path / "run.nii.gz")], name="ball", mask="epi").run()
    mask = np.asarray(found["responses"].space.mask)
    assert (mask == ball).mean() > 0.97
    brain = Nifti(files=[str(tmp_path / "run.nii.gz")], name="ball", mask="brain").run()
    inside = np.asarray(brain["responses"].space.mask)
    assert 1.2e6 < inside.sum() * 4**3 < 2.2e6, "cubic millimetres of the MNI template's brain"
    centre = np.argwhere(inside).mean(axis=0) * 4 - 96
    np.testing.assert_allclose(centre, [0, -18, 15], atol=10)
    assert not inside[[0, -1]].any()
    assert 0.9 < inside[:24].sum() / inside[25:].sum() < 1.1, "the template is symmetric"


@pytest.mark.real_data
def test_the_localizer_header_is_caught(find_data):
    path = find_data("localizer_fmri/subj0_bold_session0.nii.gz")
    given = {"files": [str(path)], "name": "localizer", "mask": "all", "flat_voxels": "drop"}
    with pytest.raises(DataError, match=r"2\.4 s by t_r .* 1 s by the image's header"):
        Nifti(t_r=2.4, **given).run()
    responses = Nifti(t_r=2.4, header_t_r="ignore", **given).run()["responses"]
    assert responses.data.shape == (125, 1272)
