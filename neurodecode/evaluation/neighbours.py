"""Which voxels or vertices of a space are neighbours, for corrections by clusters. No stage."""

from __future__ import annotations

import numpy as np

from neurodecode.core.artifacts import Space
from neurodecode.core.errors import DataError
from neurodecode.numerics.clusters import link_vertices, link_voxels

EXTENT = {"volume": 0.5, "surface": 1.0}  # power of the extent: Smith and Nichols 2009; FSL


def link_space(space: Space, n_columns: int, where: str) -> np.ndarray:
    """Return the pairs of neighbouring columns, shape (n_edges, 2).

    Raises
    ------
    DataError
        The space has no neighbours, or a mesh whose triangles are not known.
    """
    if space.kind == "volume" and space.mask is not None:
        edges = link_voxels(np.asarray(space.mask, bool))
    elif space.kind == "surface" and space.vertices is not None:
        edges = link_vertices(_load_faces(space.mesh, where), np.asarray(space.vertices))
    else:
        raise DataError(
            f"{where}: columns of the space '{space.kind}' have no neighbours that are known, and "
            "clusters are asked for. Allowed: a volume with its mask, or the surface fsaverage5. "
            "Use correction: max or fdr."
        )
    if edges.size and edges.max() >= n_columns:
        raise DataError(
            f"{where}: the space has more than the {n_columns} columns that were scored, so that "
            "neighbours are not known. Use correction: max or fdr."
        )
    return edges


def _load_faces(mesh: str, where: str) -> np.ndarray:
    """Return the triangles of both hemispheres, the right one's vertices after the left one's."""
    if mesh != "fsaverage5":
        raise DataError(
            f"{where}: the triangles of the mesh '{mesh}' are not at hand, and clusters are asked "
            "for. Allowed: fsaverage5, which comes with nilearn. Use correction: max or fdr."
        )
    from nilearn.datasets import load_fsaverage

    parts = load_fsaverage("fsaverage5")["white_matter"].parts
    left, right = (parts[side] for side in ("left", "right"))
    return np.concatenate([np.asarray(left.faces), np.asarray(right.faces) + len(left.coordinates)])
