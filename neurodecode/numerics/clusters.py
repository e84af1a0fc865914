"""Neighbours, clusters and threshold-free cluster enhancement, on volumes and meshes alike.

A map is a value per voxel and a list of edges between neighbours: voxels of a mask that share a
face, vertices of a mesh that share a side.

cluster_size, cluster_mass   how many neighbours in a row lie above a threshold, or the sum of what
                             they lie above it (Bullmore et al. 1999); the largest cluster of each
                             permutation is the null (Nichols and Holmes 2002).
tfce                         sum over heights h of extent^E h^H dh (Smith and Nichols 2009), with
                             H = 2 and E = 0.5 in volumes, as there, and E = 1 on surfaces, as FSL
                             takes for sheets. The step dh is the same for all maps, and is part
                             of the sum; nilearn takes a hundredth of each map's own maximum, and
                             leaves it out, so that its permutations are not on one scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np

ClusterStatistic = Literal["cluster_size", "cluster_mass", "tfce"]
TFCE_STEP = 0.1
TFCE_HEIGHT = 2.0


def link_voxels(mask: np.ndarray) -> np.ndarray:
    """Return the pairs of voxels of a mask that share a face.

    Parameters
    ----------
    mask : array of bool, shape (x, y, z)

    Returns
    -------
    edges : array of int, shape (n_edges, 2)
        Numbers of voxels in the mask's C order.

    Examples
    --------
    >>> link_voxels(np.array([[[True, True], [True, False]]])).tolist()
    [[0, 2], [0, 1]]
    """
    mask = np.asarray(mask, bool)
    number = np.full(mask.shape, -1)
    number[mask] = np.arange(mask.sum())
    pairs = []
    for axis in range(mask.ndim):
        first = np.moveaxis(number, axis, 0)[:-1].ravel()
        second = np.moveaxis(number, axis, 0)[1:].ravel()
        both = (first >= 0) & (second >= 0)
        pairs.append(np.stack([first[both], second[both]], axis=1))
    return np.concatenate(pairs)


def link_vertices(faces: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Return the pairs of a map's vertices that share a side of a triangle.

    Parameters
    ----------
    faces : array of int, shape (n_faces, 3)
        Vertices of the whole mesh.
    vertices : array of int, shape (n_columns,)
        Vertex of each column of the map.

    Examples
    --------
    >>> link_vertices(np.array([[0, 1, 2], [1, 2, 3]]), np.array([3, 2, 1])).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    number = np.full(int(max(faces.max(), vertices.max())) + 1, -1)
    number[vertices] = np.arange(len(vertices))
    sides = number[np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])]
    return np.unique(np.sort(sides[(sides >= 0).all(axis=1)], axis=1), axis=0)


def measure_clusters(
    values: np.ndarray, edges: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the size and the mass of the cluster that each voxel belongs to; 0 outside any.

    Parameters
    ----------
    values : array, shape (n_voxels,)
        NaN is never in a cluster.
    threshold : float
        Voxels above it form clusters.
    """
    above = values > threshold
    edges = _keep_edges(edges[np.argsort(edges[:, 0], kind="stable")], above)
    labels, n_labels = _label(int(above.sum()), edges)
    size = np.bincount(labels, minlength=n_labels)
    mass = np.bincount(labels, weights=values[above] - threshold, minlength=n_labels)
    found = np.zeros((2, len(values)))
    found[:, above] = size[labels], mass[labels]
    return found[0], found[1]


def enhance_clusters(
    values: np.ndarray, edges: np.ndarray, *, extent: float = 0.5, step: float = TFCE_STEP
) -> np.ndarray:
    """Threshold-free cluster enhancement of the positive values of a map.

    Parameters
    ----------
    values : array, shape (n_voxels,)
        In units of a standard deviation (z, t).
    extent : float
        Power of the extent: 0.5 in volumes, 1 on surfaces.
    step : float
        Between heights.
    """
    enhanced = np.zeros(len(values))
    values, columns = np.asarray(values, np.float64), np.arange(len(values))
    edges = edges[np.argsort(edges[:, 0], kind="stable")]
    top = float(np.nanmax(values)) if np.isfinite(values).any() else 0.0
    # the last height may lie on the maximum itself, up to rounding
    for height in step * np.arange(1, int(np.floor(top / step + 1e-9)) + 1):
        above = values >= height - 1e-9  # what is below stays below: the graph only shrinks
        edges = _keep_edges(edges, above)
        values, columns = values[above], columns[above]
        labels, n_labels = _label(len(values), edges)
        size = np.bincount(labels, minlength=n_labels)
        enhanced[columns] += size[labels] ** extent * height**TFCE_HEIGHT * step
    return enhanced


def make_statistic(
    kind: ClusterStatistic, edges: np.ndarray, *, threshold: float, extent: float
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that turns a map into its size, mass, or enhanced values."""
    if kind == "tfce":
        return lambda values: enhance_clusters(values, edges, extent=extent)
    which = 0 if kind == "cluster_size" else 1
    return lambda values: measure_clusters(values, edges, threshold)[which]


def correct_by_clusters(
    observed: np.ndarray,
    maps: Iterable[np.ndarray],
    statistic: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Family-wise p-values of voxels, by the largest cluster or enhanced value of each null map.

    Parameters
    ----------
    observed : array, shape (n_voxels,)
        In the same units as the maps; NaN where there is no score.
    maps : iterable of arrays, shape (n_voxels,)
        One per permutation, the observed one not among them.

    Returns
    -------
    p : array, shape (n_voxels,)
        1 outside any cluster.
    """
    reached = statistic(observed)
    largest = np.sort([statistic(values).max(initial=0.0) for values in maps])
    slack = 1e-9 * np.maximum(1.0, np.abs(reached))
    hits = len(largest) - np.searchsorted(largest, reached - slack, side="left")
    p = np.where(reached > 0, (1 + hits) / (1 + len(largest)), 1.0)
    return np.where(np.isfinite(observed), p, np.nan)


def _keep_edges(edges: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Return the edges between voxels that are above, which are then numbered among themselves."""
    place = np.cumsum(above) - 1
    return place[edges[above[edges[:, 0]] & above[edges[:, 1]]]]


def _label(n: int, edges: np.ndarray) -> tuple[np.ndarray, int]:
    """Number the connected parts of a graph of n voxels, its edges sorted by their first voxel."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    starts = np.concatenate([[0], np.cumsum(np.bincount(edges[:, 0], minlength=n))])
    graph = csr_matrix((np.ones(len(edges), np.int8), edges[:, 1], starts), shape=(n, n))
    n_labels, labels = connected_components(graph, directed=False)
    return labels, int(n_labels)
