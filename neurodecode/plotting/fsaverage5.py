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
