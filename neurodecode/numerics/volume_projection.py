"""Weights that carry the voxels of a volume to the vertices of a surface.

A vertex is the mean over several depths between the white and the pial surface; at each depth it
takes the nearest voxel, or interpolates between the eight around. Voxels outside the mask take no
part, and the weights of a vertex add up to one over those that do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

DEPTHS = (0.1, 0.3, 0.5, 0.7, 0.9)


def make_projection(
    white: np.ndarray,
    pial: np.ndarray,
    mask: np.ndarray,
    affine: np.ndarray,
    depths: Sequence[float] = DEPTHS,
    interpolation: Literal["nearest", "linear"] = "linear",
) -> csr_matrix:
    """Return the weights of voxels for each vertex.

    Parameters
    ----------
    white, pial : array, shape (n_vertices, 3)
        Millimetres, of the same vertices.
    mask : array of bool, shape (x, y, z)
    affine : array, shape (4, 4)
        From voxels to millimetres.
    depths : sequence of float
        0 is the white, 1 the pial surface.

    Returns
    -------
    weights : sparse matrix, shape (n_vertices, n_voxels)
        Voxels are those of the mask in C order. Rows add up to one, or to zero where a vertex
        meets no voxel of the mask.
    """
    from scipy.sparse import coo_matrix, diags

    n_voxels = int(mask.sum())
    column = np.full(mask.shape, -1)
    column[mask] = np.arange(n_voxels)
    back = np.linalg.inv(affine)
    rows, columns, values = [], [], []
    for depth in depths:
        places = white + depth * (pial - white)
        voxels = places @ back[:3, :3].T + back[:3, 3]
        for corner, weight in _list_corners(voxels, interpolation):
            within = np.all((corner >= 0) & (corner < mask.shape), axis=1)
            met = np.where(within, column[tuple(np.where(within[:, None], corner, 0).T)], -1)
            hit = np.flatnonzero((met >= 0) & (weight > 0))
            rows.append(hit)
            columns.append(met[hit])
            values.append(weight[hit])
    shape = (len(white), n_voxels)
    where = (np.concatenate(rows), np.concatenate(columns))
    weights = coo_matrix((np.concatenate(values), where), shape=shape).tocsr()
    total = np.asarray(weights.sum(axis=1)).ravel()
    return (diags(1 / np.where(total > 0, total, 1.0)) @ weights).tocsr()


def _list_corners(
    voxels: np.ndarray, interpolation: Literal["nearest", "linear"]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (voxel of each vertex, its weight) for the voxel nearest, or the eight around."""
    if interpolation == "nearest":
        return [(np.rint(voxels).astype(int), np.ones(len(voxels)))]
    floor = np.floor(voxels).astype(int)
    share = voxels - floor
    corners = []
    for step in np.ndindex(2, 2, 2):
        beyond = np.array(step)
        weight = np.where(beyond == 1, share, 1 - share).prod(axis=1)
        corners.append((floor + beyond, weight))
    return corners
