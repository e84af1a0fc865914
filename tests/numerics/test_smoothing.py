import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.numerics.smoothing import FWHM_PER_SIGMA, make_mesh_smoother, smooth_volume

AFFINE = np.array([[-3.0, 0, 0, 9], [0, 0, 2.0, 1], [0, 4.0, 0, 2], [0, 0, 0, 1]])


def test_a_volume_is_smoothed_as_nilearn_does():
    import nibabel
    from nilearn.image import smooth_img

    rng = np.random.default_rng(0)
    mask = rng.uniform(size=(9, 10, 11)) > 0.3
    rows = rng.normal(size=(3, int(mask.sum())))
    volumes = np.zeros((*mask.shape, 3))
    volumes[mask] = rows.T
    theirs = smooth_img(nibabel.Nifti1Image(volumes, AFFINE), fwhm=7.0).get_fdata()[mask].T
    np.testing.assert_allclose(smooth_volume(rows, mask, AFFINE, 7.0, False), theirs, atol=1e-6)


def test_what_lies_outside_the_mask_does_not_count_within():
    mask = np.zeros((12, 12, 12), bool)
    mask[3:8, 3:9, 4:9] = True
    ones = np.full((1, int(mask.sum())), 5.0)
    np.testing.assert_allclose(smooth_volume(ones, mask, AFFINE, 9.0, True), 5.0)
    assert smooth_volume(ones, mask, AFFINE, 9.0, False).min() < 3


def make_grid(n, spacing_mm):
    """A flat sheet of triangles with six neighbours each, like an icosahedral mesh."""
    row, column = np.divmod(np.arange(n * n), n)
    points = np.stack([column + row / 2, row * np.sqrt(0.75), np.zeros(n * n)], axis=1) * spacing_mm
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    faces = np.concatenate([
        np.stack([corner, corner + 1, corner + n], axis=1),
        np.stack([corner + 1, corner + n + 1, corner + n], axis=1),
    ])  # fmt: skip
    return points, faces


@pytest.mark.parametrize("fwhm_mm", [6.0, 12.0])
def test_steps_on_a_mesh_make_a_kernel_of_the_width_asked_for(fwhm_mm):
    points, faces = make_grid(61, 2.0)
    step, n_steps = make_mesh_smoother(points, faces, np.arange(len(points)), fwhm_mm)
    middle = 30 * 61 + 30
    kernel = np.zeros(len(points))
    kernel[middle] = 1
    for _ in range(n_steps):
        kernel = step.T @ kernel
    along = points[:, 0] - points[middle, 0]
    sigma = np.sqrt((kernel * along**2).sum() / kernel.sum())
    assert sigma * FWHM_PER_SIGMA == pytest.approx(fwhm_mm, rel=0.05)


def test_vertices_without_data_are_no_neighbours():
    points, faces = make_grid(9, 2.0)
    kept = np.flatnonzero(np.arange(81) // 9 != 4)  # a row of vertices is missing: two halves
    step, n_steps = make_mesh_smoother(points, faces, kept, 6.0)
    values = np.where(kept < 36, 1.0, -1.0)
    for _ in range(n_steps):
        values = step @ values
    np.testing.assert_allclose(values, np.where(kept < 36, 1.0, -1.0))


def test_a_kernel_smaller_than_the_mesh_is_refused():
    points, faces = make_grid(9, 4.0)
    with pytest.raises(DataError, match=r"4\.0 mm apart.*with 2 mm.*Raise fwhm_mm"):
        make_mesh_smoother(points, faces, np.arange(81), 2.0)
