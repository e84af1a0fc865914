"""Pictures of the cortex, of a solid shape or flat, as arrays of pixels.

Solid shapes are seen from far away (orthographic); flat maps of fsaverage5 lie side by side with
the occipital poles towards the middle. Beneath the values: gyri light grey, sulci darker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurodecode.plotting.cortex import Cortex
from neurodecode.plotting.surface_raster import OVERSAMPLING, Raster, rasterize, shrink

GYRUS, SULCUS = 0.86, 0.70  # grey levels
MARGIN_PX = 6
Colours = Callable[[np.ndarray], np.ndarray]  # values to (..., 3) in [0, 1]
View = str
VIEWS = ("lateral", "medial", "dorsal", "ventral", "posterior", "anterior")

# The direction to the right of the picture, to its top, and to the viewer, in right, anterior,
# superior. Seen from below, with the front up, the body's right is on the left.
_AXES = {
    "left": ((0, -1, 0), (0, 0, 1), (-1, 0, 0)),
    "right": ((0, 1, 0), (0, 0, 1), (1, 0, 0)),
    "dorsal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "ventral": ((-1, 0, 0), (0, 1, 0), (0, 0, -1)),
    "posterior": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "anterior": ((-1, 0, 0), (0, 0, 1), (0, 1, 0)),
}


@dataclass(frozen=True, eq=False)
class Paint:
    """What is painted on one hemisphere.

    Parameters
    ----------
    values : array of float, shape (n_vertices,)
        NaN where only the cortex is to be seen.
    colours : callable
        From values to colours.
    opacity : array of float in [0, 1], shape (n_vertices,), or None
        None paints all values in full.
    """

    values: np.ndarray
    colours: Colours
    opacity: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture of one hemisphere.

    Parameters
    ----------
    pixels : array of float in [0, 1], shape (height, width, 3)
    positions : array, shape (n_vertices, 2)
        Of the vertices, pixels: x to the right, y downwards.
    raster : Raster
        At ``OVERSAMPLING`` times the resolution.
    """

    pixels: np.ndarray
    positions: np.ndarray
    raster: Raster


def measure_solid(cortex: Cortex, shape: str, hemisphere: str, view: View) -> tuple[float, float]:
    """Return the width and height of a solid shape in a view, mm."""
    points, _ = cortex.meshes[hemisphere, shape]
    width, height = np.ptp(_project(points, hemisphere, view)[:, :2], axis=0)
    return float(width), float(height)


def measure_flat(cortex: Cortex, hemisphere: str, shown: np.ndarray | None = None) -> np.ndarray:
    """Return the part of a flat map to draw: [[left, bottom], [right, top]], mm of the map.

    Parameters
    ----------
    shown : array of bool, shape (n_vertices,), or None
        Vertices that must be seen, with a margin; None takes the whole map.
    """
    points, faces = cortex.meshes[hemisphere, "flat"]
    on_map = np.zeros(len(points), bool)
    on_map[faces] = True
    whole = points[on_map, :2]
    box = np.stack([whole.min(axis=0), whole.max(axis=0)])
    if shown is None or not (shown & on_map).any():
        return box
    wanted = points[shown & on_map, :2]
    margin_mm = 12.0
    near = np.stack([wanted.min(axis=0) - margin_mm, wanted.max(axis=0) + margin_mm])
    return np.stack([np.maximum(near[0], box[0]), np.minimum(near[1], box[1])])


def draw_solid(
    cortex: Cortex, shape: str, hemisphere: str, view: View, paint: Paint, px_per_mm: float
) -> Panel:
    """Draw an inflated, pial or white surface."""
    points, faces = cortex.meshes[hemisphere, shape]
    projected = _project(points, hemisphere, view)
    normals = _compute_normals(points, faces)
    facing = normals @ np.array(_find_axes(hemisphere, view)[2], np.float64)
    front = faces[facing[faces].max(axis=1) > 0]
    box = np.stack([projected[:, :2].min(axis=0), projected[:, :2].max(axis=0)])
    # Light from the viewer and a little from above gives the form without hiding a colour.
    light = np.clip(0.80 + 0.17 * facing + 0.05 * normals[:, 2], 0, 1)
    return _draw(cortex, hemisphere, projected, front, box, paint, px_per_mm, light)


def draw_flat(
    cortex: Cortex, hemisphere: str, paint: Paint, px_per_mm: float, box: np.ndarray
) -> Panel:
    """Draw the part of a flat map that lies in a box given in mm (see measure_flat)."""
    points, faces = cortex.meshes[hemisphere, "flat"]
    return _draw(cortex, hemisphere, points, faces, box, paint, px_per_mm, None)


def _find_axes(hemisphere: str, view: View) -> tuple[tuple[int, int, int], ...]:
    if view in ("lateral", "medial"):
        other = {"left": "right", "right": "left"}[hemisphere]
        return _AXES[hemisphere if view == "lateral" else other]
    return _AXES[view]


def _project(points: np.ndarray, hemisphere: str, view: View) -> np.ndarray:
    return points @ np.array(_find_axes(hemisphere, view), np.float64).T


def _compute_normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = points[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    summed = np.zeros_like(points)
    for k in range(3):
        np.add.at(summed, faces[:, k], normal)
    return summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12)


def _draw(
    cortex: Cortex,
    hemisphere: str,
    points: np.ndarray,
    faces: np.ndarray,
    box: np.ndarray,
    paint: Paint,
    px_per_mm: float,
    light: np.ndarray | None,
) -> Panel:
    width, height = (int(np.ceil(n * px_per_mm)) + 2 * MARGIN_PX for n in box[1] - box[0])
    x = (points[:, 0] - box[0, 0]) * px_per_mm + MARGIN_PX
    y = (box[1, 1] - points[:, 1]) * px_per_mm + MARGIN_PX
    positions = np.stack([x, y], axis=1)
    fine = positions * OVERSAMPLING
    raster = rasterize(fine, points[:, 2], faces, (height * OVERSAMPLING, width * OVERSAMPLING))
    # A narrow ramp about zero instead of a step keeps the border of a sulcus smooth.
    ramp = np.clip(raster.interpolate(cortex.curvature[hemisphere]) / 0.06 + 0.5, 0, 1)
    pixels = np.repeat((GYRUS + (SULCUS - GYRUS) * ramp)[:, None], 3, axis=1)
    shown = raster.interpolate(paint.values)
    seen = np.isfinite(shown)
    coloured = paint.colours(shown[seen])
    if paint.opacity is not None:
        opacity = raster.interpolate(np.where(np.isfinite(paint.values), paint.opacity, np.nan))
        share = np.clip(opacity[seen], 0, 1)[:, None]
        coloured = share * coloured + (1 - share) * pixels[seen]
    pixels[seen] = coloured
    if light is not None:
        pixels *= raster.interpolate(light)[:, None]
    return Panel(shrink(raster.spread(pixels, 1.0)), positions, raster)
