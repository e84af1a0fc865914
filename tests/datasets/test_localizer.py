import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.datasets import localizer
from neurodecode.datasets.localizer import FACTS, Localizer, read_paradigm

needs_files = pytest.mark.real_data
CONDITIONS = sorted(FACTS["conditions"])


def write_twin(root, recording="subj0", header_t_r=1.0, shape=None):
    """Write the published layout: voxel (x, y, z) at scan k holds 1000 x + 10 y + z + k."""
    import nibabel

    folder = root / FACTS["folder"]
    folder.mkdir(exist_ok=True)
    facts = FACTS["recordings"][recording]
    shape = shape or facts["shape"]
    x, y, z, k = np.ogrid[tuple(slice(n) for n in shape)]
    affine = np.diag([-3.0, 3.0, 3.0, 1.0])
    image = nibabel.Nifti1Image((1000 * x + 10 * y + z + k).astype(np.float32), affine)
    image.header.set_zooms((3, 3, 3, header_t_r))
    nibabel.save(image, folder / facts["bold"])
    parcels = np.zeros(shape[:3], np.int16)
    parcels[1, 2, 3], parcels[1, 2, 4], parcels[4, 0, 0] = 1, 2, 1
    nibabel.save(nibabel.Nifti1Image(parcels, affine), folder / facts["parcellation"])
    rng = np.random.default_rng(0)
    onsets = np.r_[rng.uniform(0, 290, FACTS["n_events"] - 1), FACTS["last_onset_s"]].round(1)
    lines = [f'0 "{CONDITIONS[i % 10]}" {t:.6f} 0.000000 1.' for i, t in enumerate(onsets)]
    (folder / FACTS["paradigm"]).write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEURODECODE_DATA", str(tmp_path))
    # a tenth of the real volume: the layout is what is looked at
    small = {
        name: {**facts, "shape": (5, 6, 7, facts["shape"][3])}
        for name, facts in FACTS["recordings"].items()
    }
    monkeypatch.setattr(localizer, "FACTS", {**FACTS, "recordings": small})
    return tmp_path


def test_voxels_scans_and_events_lie_where_the_file_has_them(root):
    write_twin(root, shape=(5, 6, 7, 125))
    out = Localizer().run()
    responses, events = out["responses"], out["events"]
    assert responses.data.shape == (125, 3)
    np.testing.assert_array_equal(responses.data[7], [1030, 1031, 4007])
    assert np.argwhere(responses.space.mask).tolist() == [[1, 2, 3], [1, 2, 4], [4, 0, 0]]
    assert responses.space.rois["parcel1"].tolist() == [True, False, True]
    assert responses.t_r == 2.4
    np.testing.assert_allclose(responses.samples["onset_s"][:3], [0, 2.4, 4.8])
    assert len(set(responses.samples["source"])) == 125, "no scan repeats another"
    assert len(events.table) == 80
    assert set(events.table["trial_type"]) == set(CONDITIONS)
    assert (np.diff(events.table["onset"]) >= 0).all()
    for column in ("subject", "session", "run"):
        assert set(events.table[column]) == set(responses.samples[column])
    assert "gives 1 s" in out["note"].html
    assert "Used: 2.4 s" in out["note"].html


def test_the_repetition_time_of_the_header_is_refused(root):
    write_twin(root, shape=(5, 6, 7, 125))
    with pytest.raises(DataError, match=r"t_r of 1 s.*125 s.*296\.7 s.*t_r_from: documented"):
        Localizer(t_r_from="header").run()
    write_twin(root, shape=(5, 6, 7, 125), header_t_r=2.4)
    assert Localizer(t_r_from="header").run()["responses"].t_r == pytest.approx(2.4)


def test_other_files_are_refused(root):
    folder = write_twin(root, shape=(5, 6, 8, 125))
    with pytest.raises(DataError, match=r"shape \(5, 6, 8, 125\)"):
        Localizer().run()
    write_twin(root, shape=(5, 6, 7, 125))
    write_twin(root, recording="regions", shape=(5, 6, 6, 128))
    parcels = FACTS["recordings"]
    (folder / parcels["regions"]["parcellation"]).rename(folder / parcels["subj0"]["parcellation"])
    with pytest.raises(DataError, match="lies elsewhere"):
        Localizer().run()
    (folder / parcels["subj0"]["bold"]).write_bytes(b"not NIfTI")
    with pytest.raises(DataError, match="cannot be read as NIfTI"):
        Localizer().run()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('0 "damier_H" 1.0 0.0\n', "line 1"),
        ('0 "damier_H" 1.0 0.0 1.\n0 "damier_H" one 0.0 1.\n', "line 2"),
        ('0 "rest" 1.0 0.0 1.\n', "condition 'rest'.*damier_H"),
        ("\n", "holds no events"),
    ],
)
def test_a_damaged_paradigm_is_told_by_its_line(tmp_path, text, message):
    path = tmp_path / "paradigm_loc.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_paradigm(path, "subj0")


@needs_files
@pytest.mark.parametrize("recording", FACTS["recordings"])
def test_the_recording_is_what_the_facts_say(find_data, recording):
    find_data(f"{FACTS['folder']}/{FACTS['recordings'][recording]['bold']}")
    out = Localizer(recording=recording).run()
    responses, table = out["responses"], out["events"].table
    facts = FACTS["recordings"][recording]
    n_voxels = facts["n_voxels"]
    assert responses.data.shape == (facts["shape"][3], n_voxels)
    assert responses.space.mask.shape == facts["shape"][:3]
    assert len(responses.space.rois) == facts["n_parcels"]
    assert sum(int(roi.sum()) for roi in responses.space.rois.values()) == n_voxels
    assert (np.ptp(responses.data, axis=0) > 0).all()
    assert len(table) == FACTS["n_events"]
    assert set(table["trial_type"]) == set(FACTS["conditions"])
    assert table["onset"].max() == FACTS["last_onset_s"]
    assert set(table["duration"]) == {FACTS["duration_s"]}
    with pytest.raises(DataError, match="the header is wrong"):
        Localizer(recording=recording, t_r_from="header").run()
