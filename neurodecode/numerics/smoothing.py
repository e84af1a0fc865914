"""Gaussian smoothing in a volume, and its like on a mesh by averaging over neighbours.

In a volume the kernel has sigma = fwhm / sqrt(8 ln 2) along each axis, in voxels by the affine, as
in nilearn. Within a mask, values are divided by the smoothed mask, so that voxels at its edge are
means of what lies inside and are not pulled towards the zeros outside.

On a mesh, each vertex is replaced by the mean of itself and its neighbours, again and again
(Hagler, Saygin, Sereno 2006, NeuroImage 33, 1093-1103). One step is a step of a random walk, of
variance v = mean over vertices of sum(d²) / (2 (k + 1)) along a direction, with k neighbours at
distances d; so sigma² / v steps make a kernel of that sigma.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodecode.core.errors import DataError

FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))


def smooth_volume(
    rows: np.ndarray, mask: np.ndarray, affine: np.ndarray, fwhm_mm: float, within_mask: bool
) -> np.ndarray:
    """Return rows smoothed in the volume that their columns lie in.

    Parameters
    ----------
    rows : array, shape (n_rows, n_voxels)
        Columns are the true voxels of the mask in C order.
    mask : array of bool, shape (x, y, z)
    affine : array, shape (4, 4)
    fwhm_mm : float
    within_mask : bool
        Divide by the smoothed mask; without, voxels outside count as zeros.

    Returns
    -------
    smoothed : array of float64, shape (n_rows, n_voxels)
    """
    from scipy.ndimage import gaussian_filter

    size_mm = np.sqrt((np.asarray(affine, np.float64)[:3, :3] ** 2).sum(axis=0))
    sigma = fwhm_mm / (FWHM_PER_SIGMA * size_mm)
    share = gaussian_filter(mask.astype(np.float64), sigma)[mask] if within_mask else 1.0
    out = np.empty(rows.shape, np.float64)
    volume = np.zeros(mask.shape)
    for number, row in enumerate(rows):  # one at a time: memory stays that of one volume
        volume[mask] = row
        out[number] = gaussian_filter(volume, sigma)[mask] / share
    return out


def make_mesh_smoother(
    points: np.ndarray, faces: np.ndarray, kept: np.ndarray, fwhm_mm: float
) -> tuple[Any, int]:
    """Return the matrix of one averaging step among some vertices, and how many steps to take.

    Parameters
    ----------
    points : array, shape (n_vertices, 3)
        Millimetres.
    faces : array of int, shape (n_faces, 3)
    kept : array of int, shape (n_kept,)
        Vertices that there are data of; others are no neighbours.
    fwhm_mm : float

    Returns
    -------
    step : sparse matrix, shape (n_kept, n_kept)
        Rows sum to 1.
    n_steps : int

    Raises
    ------
    DataError
        The mesh is too coarse for so small a kernel.
    """
    from scipy.sparse import coo_matrix, diags, identity

    n = len(points)
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ends = np.unique(np.sort(ends, axis=1), axis=0)
    place = np.full(n, -1)
    place[kept] = np.arange(len(kept))
    inside = (place[ends] >= 0).all(axis=1)
    start, end = place[ends[inside]].T
    links = coo_matrix((np.ones(len(start)), (start, end)), shape=(len(kept), len(kept)))
    links = (links + links.T).tocsr()
    step = diags(1 / (np.asarray(links.sum(axis=1)).ravel() + 1)) @ (
        links + identity(len(kept), format="csr")
    )
    squares = ((points[ends[:, 0]] - points[ends[:, 1]]) ** 2).sum(axis=1)
    total = np.bincount(ends.ravel(), weights=np.repeat(squares, 2), minlength=n)
    degree = np.bincount(ends.ravel(), minlength=n)
    linked = degree > 0
    variance = float((total[linked] / (2 * (degree[linked] + 1))).mean())
    n_steps = round((fwhm_mm / FWHM_PER_SIGMA) ** 2 / variance)
    if n_steps < 1:
        least = FWHM_PER_SIGMA * np.sqrt(variance)
        raise DataError(
            f"smoothing: a mesh of vertices {np.sqrt(squares.mean()):.1f} mm apart cannot be "
            f"smoothed with {fwhm_mm:g} mm. Allowed: about {least:.1f} mm or more. Raise fwhm_mm."
        )
    return step.tocsr(), n_steps
