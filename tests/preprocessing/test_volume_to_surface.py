import nibabel
import numpy as np
import pytest
from pydantic import ValidationError

from neurodecode.core.artifacts import Foldwise, Responses, Space, make_samples
from neurodecode.core.errors import DataError
from neurodecode.plotting.cortex import load_fsaverage5, project_volume
from neurodecode.plotting.fsaverage5 import load_mesh
from neurodecode.preprocessing.volume_to_surface import VolumeToSurface

AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
AFFINE[:3, 3] = (-72, -108, -72)
SHAPE = (37, 46, 37)


def make_volume(n_samples=3, seed=0):
    rng = np.random.default_rng(seed)
    mask = np.zeros(SHAPE, bool)
    mask[:, :20] = True  # the back of the head
    data = rng.normal(size=(n_samples, mask.sum())).astype(np.float32)
    x = np.argwhere(mask)[:, 0]
    space = Space(kind="volume", mask=mask, affine=AFFINE, rois={"left": x < 18})
    samples = make_samples(dataset="made", stimulus_id=[f"s{i}" for i in range(n_samples)])
    return Responses(data=data, samples=samples, space=space)


def average_nearest(filled):
    """The mean of the voxels nearest to each vertex, at five depths, one by one."""
    white, pial = (
        np.concatenate([load_mesh(side, kind)[0] for side in ("left", "right")])
        for kind in ("white", "pial")
    )
    met = np.full((5, len(white)), np.nan)
    for row, depth in zip(met, (0.1, 0.3, 0.5, 0.7, 0.9), strict=True):
        at = np.rint(((white + depth * (pial - white)) - AFFINE[:3, 3]) / 4).astype(int)
        inside = ((at >= 0) & (at < SHAPE)).all(axis=1)
        row[inside] = filled[tuple(at[inside].T)]
    known = np.isfinite(met).sum(axis=0)
    return np.where(known > 0, np.nansum(met, axis=0) / np.maximum(known, 1), np.nan)


def test_nearest_voxels_are_averaged_as_for_maps():
    volume = make_volume()
    made = VolumeToSurface(interpolation="nearest").run(volume)
    mask = np.asarray(volume.space.mask)
    for row, values in zip(made.data, volume.data, strict=True):
        filled = np.full(SHAPE, np.nan)
        filled[mask] = values
        expected = average_nearest(filled)
        drawn = project_volume(load_fsaverage5(), filled, mask, AFFINE)
        np.testing.assert_allclose(drawn, expected, atol=1e-6)
        vertices = np.asarray(made.space.vertices)
        np.testing.assert_array_equal(np.flatnonzero(np.isfinite(expected)), vertices)
        np.testing.assert_allclose(row, expected[vertices], atol=1e-5)


def test_regions_and_places_come_along():
    made = VolumeToSurface().run(make_volume())
    vertices = np.asarray(made.space.vertices)
    left = np.asarray(made.space.rois["left"])
    assert made.space.mesh == "fsaverage5"
    assert left[vertices < 10242].mean() > 0.95
    assert left[vertices >= 10242].mean() < 0.05
    back = np.concatenate([load_mesh(side, "pial")[0][:, 1] for side in ("left", "right")])
    assert back[vertices].max() < AFFINE[1, 3] + 4 * 21


def test_a_subject_has_surfaces_of_its_own(tmp_path):
    files = {}
    for side in ("left", "right"):
        for kind in ("white", "pial"):
            points, faces = load_mesh(side, kind)
            image = nibabel.gifti.GiftiImage(
                darrays=[
                    nibabel.gifti.GiftiDataArray(points.astype(np.float32), "pointset"),
                    nibabel.gifti.GiftiDataArray(faces.astype(np.int32), "triangle"),
                ]
            )
            files[f"{kind}_{side}"] = str(tmp_path / f"{kind}_{side}.surf.gii")
            nibabel.save(image, files[f"{kind}_{side}"])
    own = VolumeToSurface(mesh="fsnative", mesh_files=files).run(make_volume())
    ours = VolumeToSurface().run(make_volume())
    assert own.space.mesh == "fsnative"
    np.testing.assert_allclose(own.data, ours.data, atol=1e-4)
    with pytest.raises(ValidationError, match="Name \\('white_left'"):
        VolumeToSurface(mesh="fsnative", mesh_files={"white_left": "a"})
    (tmp_path / "white_left.surf.gii").write_text("damaged")
    with pytest.raises(DataError, match="cannot be read as a surface"):
        VolumeToSurface(mesh="fsnative", mesh_files=files).run(make_volume())


def test_what_cannot_be_projected_is_refused():
    volume = make_volume()
    with pytest.raises(ValidationError, match="'fsnative' does not ship"):
        VolumeToSurface(mesh="fsnative")
    with pytest.raises(DataError, match="space of kind 'unknown'"):
        VolumeToSurface().run(Responses(data=volume.data, samples=volume.samples))
    far = np.array(AFFINE)
    far[:3, 3] += 1000
    moved = Space(kind="volume", mask=volume.space.mask, affine=far)
    with pytest.raises(DataError, match="no vertex of fsaverage5 meets a voxel"):
        VolumeToSurface().run(Responses(data=volume.data, samples=volume.samples, space=moved))
    steps = Foldwise.identity(2, volume.data.shape[1], "")
    with pytest.raises(DataError, match="within each fold"):
        VolumeToSurface().run(
            Responses(data=volume.data, samples=volume.samples, space=volume.space, foldwise=steps)
        )
