"""Checks that the values of a map have places to be drawn at."""

from __future__ import annotations

import numpy as np

from neurodecode.core.artifacts import Scores, Space
from neurodecode.core.errors import DataError
from neurodecode.plotting.cortex import Cortex


def check_places(scores: Scores, where: str) -> None:
    """Raise DataError unless there is one value per voxel of a volume or vertex of a surface."""
    values = np.asarray(scores.values)
    if scores.over != "voxels" or values.ndim != 1:
        raise DataError(
            f"{where}: the scores are over {scores.over}, shape {values.shape}. Give scores with "
            "one value per voxel or vertex (evaluation.encoding)."
        )
    check_space(scores.space, len(values), where)


def check_space(space: Space, n_values: int, where: str) -> None:
    """Raise DataError unless a space is a volume or a surface with so many places."""
    if space.kind == "sensors":
        raise DataError(
            f"{where}: these are scores of sensors, which do not lie on the cortex. Draw them as a "
            "chart (plotting.scores_chart)."
        )
    if space.kind not in ("surface", "volume"):
        raise DataError(
            f"{where}: the scores lie in a space of kind '{space.kind}'. Allowed: surface with "
            "vertices, volume with mask and affine. Draw others as a chart (plotting.roi_bars for "
            "parcels, plotting.scores_chart)."
        )
    if space.kind == "volume":
        if space.mask is None or space.affine is None:
            raise DataError(f"{where}: the volume lacks its mask or affine. Give both in space.")
        n_places = int(np.asarray(space.mask, bool).sum())
    else:
        if space.vertices is None:
            raise DataError(
                f"{where}: the surface '{space.mesh or 'unnamed'}' comes without vertices. Give "
                "them in space."
            )
        n_places = len(space.vertices)
    if n_places != n_values:
        raise DataError(
            f"{where}: {n_values} values for {n_places} places of the space. Give the scores "
            "the space of the responses that were predicted."
        )


def check_on_surface(scores: Scores, cortex: Cortex, where: str) -> None:
    """Raise DataError unless values fall on the surface's vertices, each once."""
    check_vertices(scores.space, cortex, where)
    if scores.space.kind == "volume":
        given = np.isfinite(np.asarray(scores.values, np.float64)).astype(float)
        if not np.nan_to_num(cortex.place(given, scores.space)).any():
            raise DataError(
                f"{where}: none of the {len(given)} targets has a value on the cortical surface of "
                f"{cortex.name}. A volume must be in its space (for fsaverage5: MNI): its affine "
                "gives millimetres there. Normalise it first, give scores of vertices, or draw "
                "slices (plotting.volume_map)."
            )
    elif not np.isfinite(np.asarray(scores.values, np.float64)).any():
        raise DataError(
            f"{where}: none of the {len(scores.values)} vertices has a value: all are NaN. Give "
            "scores that are defined somewhere."
        )


def check_vertices(space: Space, cortex: Cortex, where: str) -> None:
    """Raise DataError unless a surface's vertices are those of the mesh, each at most once."""
    if space.kind != "surface":
        return
    vertices = np.asarray(space.vertices)
    n_all = sum(cortex.n_vertices.values())
    outside = (vertices < 0) | (vertices >= n_all)
    n_twice = len(vertices) - len(np.unique(vertices))
    if outside.any() or n_twice:
        raise DataError(
            f"{where}: {int(outside.sum())} vertices lie outside 0 … {n_all - 1} and {n_twice} "
            f"come twice. Number the left hemisphere's from 0, the right one's from "
            f"{cortex.n_vertices['left']}, each once."
        )
