"""The fsaverage5 surface: 10,242 vertices in each hemisphere, read from nilearn's own files.

Fischl et al. 1999, "High-resolution intersubject averaging and a coordinate system for the
cortical surface". Vertices of both hemispheres are numbered together, left first.
"""

from __future__ import annotations

from functools import cache

import numpy as np

N_VERTICES = 10_242  # of one hemisphere
HEMISPHERES = ("left", "right")


@cache
def find_files() -> dict[str, str]:
    """Return the files that nilearn ships; nothing is fetched."""
    from nilearn.datasets import fetch_surf_fsaverage

    return dict(fetch_surf_fsaverage("fsaverage5"))


@cache
def load_mesh(hemisphere: str, shape: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a mesh of one hemisphere.

    Parameters
    ----------
    hemisphere : {"left", "right"}
    shape : {"white", "pial", "infl", "flat"}
        A flat map lacks the faces along its cuts and of the medial wall.

    Returns
    -------
    points : array of float64, shape (10242, 3)
        Millimetres: right, anterior, superior; of the flat map the third is 0.
    faces : array of int, shape (n_faces, 3)
    """
    import nibabel

    points, faces = (a.data for a in nibabel.load(find_files()[f"{shape}_{hemisphere}"]).darrays)
    return np.asarray(points, np.float64), np.asarray(faces, np.int64)


@cache
def load_curvature(hemisphere: str) -> np.ndarray:
    """Return the curvature, shape (10242,): positive in sulci, negative on gyri."""
    import nibabel

    return np.asarray(nibabel.load(find_files()[f"curv_{hemisphere}"]).darrays[0].data, np.float64)


DEPTHS = (0.1, 0.3, 0.5, 0.7, 0.9)  # of the way from the white to the pial surface


def project_volume(volume: np.ndarray, mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return a volume's values at the vertices of fsaverage5.

    A vertex gets the mean of the voxels met at five depths between the white and the pial surface.
    Voxels outside the mask and voxels without a number are left out, where interpolation over
    neighbours would mix them in; NaN where none is left.

    Parameters
    ----------
    volume : array of float, shape (x, y, z);  mask : array of bool, same shape
    affine : array, shape (4, 4)
        From voxels to millimetres of the MNI space.

    Returns
    -------
    values : array of float64, shape (20484,)
    """
    to_voxels = np.linalg.inv(affine)
    shape = np.array(volume.shape)
    usable = mask & np.isfinite(volume)
    inside_out = [(load_mesh(side, "white")[0], load_mesh(side, "pial")[0]) for side in HEMISPHERES]
    white, pial = (np.concatenate(points) for points in zip(*inside_out, strict=True))
    total, count = np.zeros(len(white)), np.zeros(len(white))
    for depth in DEPTHS:
        places = white + depth * (pial - white)
        voxels = np.rint(places @ to_voxels[:3, :3].T + to_voxels[:3, 3]).astype(int)
        within = ((voxels >= 0) & (voxels < shape)).all(axis=1)
        at = tuple(np.where(within[:, None], voxels, 0).T)
        hit = within & usable[at]
        total += np.where(hit, volume[at], 0)
        count += hit
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
