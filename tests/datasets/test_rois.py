from dataclasses import replace

import nibabel
import numpy as np
import pytest
from nibabel.freesurfer import write_annot

from neurodecode.core.artifacts import Responses, Space, make_samples
from neurodecode.core.errors import DataError
from neurodecode.datasets.rois import Rois

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
SHAPE = (6, 5, 4)


def make_volume():
    mask = np.zeros(SHAPE, bool)
    mask[1:5, 1:4, 1:3] = True
    space = Space(kind="volume", mask=mask, affine=AFFINE, rois={"old": np.ones(mask.sum(), bool)})
    samples = make_samples(dataset="made", stimulus_id=["a", "b"])
    return Responses(data=np.zeros((2, mask.sum())), samples=samples, space=space)


def make_surface():
    vertices = np.array([3, 5, 10241, 10242 + 5, 10242 + 9000])
    space = Space(kind="surface", mesh="fsaverage5", vertices=vertices)
    samples = make_samples(dataset="made", stimulus_id=["a", "b"])
    return Responses(data=np.zeros((2, 5)), samples=samples, space=space)


def save(path, labels, affine=AFFINE):
    nibabel.save(nibabel.Nifti1Image(labels.astype(np.int16), affine), path)
    return str(path)


def save_gifti(path, labels, names=None):
    table = nibabel.gifti.GiftiLabelTable()
    for key, name in (names or {}).items():
        label = nibabel.gifti.GiftiLabel(key=key)
        label.label = name
        table.labels.append(label)
    array = nibabel.gifti.GiftiDataArray(labels.astype(np.int32), "label")
    nibabel.save(nibabel.gifti.GiftiImage(darrays=[array], labeltable=table), path)
    return str(path)


def find(made, name):
    return np.flatnonzero(np.asarray(made.space.rois[name])).tolist()


def test_masks_and_atlases_of_the_same_grid(tmp_path):
    responses = make_volume()
    labels = np.random.default_rng(0).integers(0, 3, SHAPE)
    inside = labels[np.asarray(responses.space.mask)]
    atlas = save(tmp_path / "atlas.nii.gz", labels)
    mask = save(tmp_path / "mask.nii.gz", labels == 2)
    made = Rois(files={"atlas": atlas, "V2": mask}).run(responses)
    assert list(made.space.rois) == ["old", "atlas_1", "atlas_2", "V2"]
    for number in (1, 2):
        assert find(made, f"atlas_{number}") == np.flatnonzero(inside == number).tolist()
    assert find(made, "V2") == find(made, "atlas_2")
    named = Rois(files={"atlas": atlas}, names={1: "visual", 2: "visual"}).run(responses)
    assert find(named, "visual") == np.flatnonzero(inside > 0).tolist()


def test_an_atlas_of_another_grid_is_looked_up(tmp_path):
    responses = make_volume()
    fine = np.zeros((24, 20, 16), int)
    fine[12:] = 1  # from 6 - 0.5 * 0.5 mm on in x
    fine_affine = np.diag([0.5, 0.5, 0.5, 1.0])
    path = save(tmp_path / "fine.nii.gz", fine, fine_affine)
    with pytest.raises(DataError, match="lies on another grid"):
        Rois(files={"right": path}).run(responses)
    made = Rois(files={"right": path}, grid="nearest").run(responses)
    x_mm = 2.0 * np.argwhere(np.asarray(responses.space.mask))[:, 0]
    assert find(made, "right") == np.flatnonzero(x_mm >= 6).tolist()


def test_labels_of_both_hemispheres_are_one_region(tmp_path):
    labels = {side: np.zeros(10242, int) for side in ("L", "R")}
    labels["L"][[5, 10241]] = 7
    labels["R"][[5, 9000]] = 7
    labels["R"][0] = 3
    files = {
        side: save_gifti(tmp_path / f"hemi-{side}.label.gii", values, {7: "V1", 3: "V3"})
        for side, values in labels.items()
    }
    made = Rois(files=files, allow_empty=True).run(make_surface())
    assert find(made, "V1") == [1, 2, 3, 4]
    assert "V3" not in made.space.rois
    apart = Rois(files=files, by_hemisphere=True, allow_empty=True).run(make_surface())
    assert (find(apart, "V1_left"), find(apart, "V1_right")) == ([1, 2], [3, 4])
    with pytest.raises(DataError, match=r"1 of 2 regions hold none .* \(V3\)"):
        Rois(files=files).run(make_surface())


def test_freesurfer_annotations_and_labels(tmp_path):
    labels = np.zeros(10242, int)
    labels[[3, 9000]] = 1
    colours = np.array([[0, 0, 0, 0, 0], [10, 20, 30, 0, 0]])
    write_annot(
        str(tmp_path / "lh.areas.annot"), labels, colours, ["unknown", "V1"], fill_ctab=True
    )
    write_annot(
        str(tmp_path / "rh.areas.annot"), labels, colours, ["unknown", "V1"], fill_ctab=True
    )
    files = {side: str(tmp_path / f"{side}.areas.annot") for side in ("lh", "rh")}
    made = Rois(files=files).run(make_surface())
    assert find(made, "V1") == [0, 4]
    (tmp_path / "lh.FFA.label").write_text("#!ascii label\n2\n5 0 0 0 0\n10241 0 0 0 0\n")
    made = Rois(files={"FFA": str(tmp_path / "lh.FFA.label")}).run(make_surface())
    assert find(made, "FFA") == [1, 2]


def test_files_of_another_space_are_refused(tmp_path):
    mask = save(tmp_path / "mask.nii.gz", np.ones(SHAPE))
    with pytest.raises(DataError, match="is a volume, but the responses lie in a space of kind"):
        Rois(files={"V1": mask}).run(make_surface())
    small = save_gifti(tmp_path / "hemi-L.small.gii", np.ones(10), {1: "V1"})
    with pytest.raises(DataError, match="has 10 vertices, fsaverage5 10242"):
        Rois(files={"V1": small}).run(make_surface())
    nameless = save_gifti(tmp_path / "small.gii", np.ones(10242), {1: "V1"})
    with pytest.raises(DataError, match="does not tell the hemisphere"):
        Rois(files={"V1": nameless}).run(make_surface())
    image = nibabel.Nifti1Image(np.random.default_rng(0).uniform(size=SHAPE), AFFINE)
    nibabel.save(image, tmp_path / "probability.nii.gz")
    with pytest.raises(DataError, match="no whole numbers"):
        Rois(files={"V1": str(tmp_path / "probability.nii.gz")}).run(make_volume())
    with pytest.raises(DataError, match=r"does not hold the numbers \[4\]"):
        Rois(files={"V1": mask}, names={4: "V4"}).run(make_volume())
    (tmp_path / "broken.nii.gz").write_bytes(b"no image")
    with pytest.raises(DataError, match="cannot be read"):
        Rois(files={"V1": str(tmp_path / "broken.nii.gz")}).run(make_volume())
    own = replace(make_surface(), space=replace(make_surface().space, mesh="fsnative"))
    right = save_gifti(tmp_path / "hemi-R.own.gii", np.ones(100), {1: "V1"})
    with pytest.raises(DataError, match="is not known"):
        Rois(files={"V1": right}).run(own)
