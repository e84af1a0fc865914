"""Pictures of the cortex, inflated and flat, as arrays of pixels.

The inflated surfaces are seen from far away (orthographic); the flat maps lie side by side with
the occipital poles towards the middle. Beneath the values: gyri light grey, sulci darker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurodecode.plotting.fsaverage5 import load_curvature, load_mesh
from neurodecode.plotting.surface_raster import OVERSAMPLING, Raster, rasterize, shrink

GYRUS, SULCUS = 0.86, 0.70  # grey levels
MARGIN_PX = 6
Colours = Callable[[np.ndarray], np.ndarray]  # values to (..., 3) in [0, 1]

# For each view of each hemisphere: the direction to the right of the picture and to the viewer,
# in right, anterior, superior.
VIEWS = {
    ("left", "lateral"): ((0, -1, 0), (-1, 0, 0)),
    ("left", "medial"): ((0, 1, 0), (1, 0, 0)),
    ("right", "lateral"): ((0, 1, 0), (1, 0, 0)),
    ("right", "medial"): ((0, -1, 0), (-1, 0, 0)),
    ("left", "posterior"): ((1, 0, 0), (0, -1, 0)),
    ("right", "posterior"): ((1, 0, 0), (0, -1, 0)),
}


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture of one hemisphere.

    Parameters
    ----------
    pixels : array of float in [0, 1], shape (height, width, 3)
    positions : array, shape (10242, 2)
        Of the vertices, pixels: x to the right, y downwards.
    raster : Raster
        At ``OVERSAMPLING`` times the resolution.
    """

    pixels: np.ndarray
    positions: np.ndarray
    raster: Raster


def measure_inflated(hemisphere: str, view: str) -> tuple[float, float]:
    """Return the width and height of an inflated surface in a view, mm."""
    points, _ = load_mesh(hemisphere, "infl")
    width, height = np.ptp(_project(points, hemisphere, view)[:, :2], axis=0)
    return float(width), float(height)


def measure_flat(hemisphere: str, shown: np.ndarray | None = None) -> np.ndarray:
    """Return the part of a flat map to draw: [[left, bottom], [right, top]], mm of the map.

    Parameters
    ----------
    shown : array of bool, shape (10242,), or None
        Vertices that must be seen, with a margin; None takes the whole map.
    """
    points, faces = load_mesh(hemisphere, "flat")
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


def draw_inflated(
    hemisphere: str, view: str, values: np.ndarray, colours: Colours, px_per_mm: float
) -> Panel:
    """Draw an inflated surface.

    Parameters
    ----------
    values : array of float, shape (10242,)
        NaN where only the cortex is to be seen.
    colours : callable
        From values to colours.
    """
    points, faces = load_mesh(hemisphere, "infl")
    projected = _project(points, hemisphere, view)
    normals = _compute_normals(points, faces)
    to_viewer = np.array(VIEWS[hemisphere, view][1], np.float64)
    facing = normals @ to_viewer
    front = faces[facing[faces].max(axis=1) > 0]
    box = np.stack([projected[:, :2].min(axis=0), projected[:, :2].max(axis=0)])
    # Light from the viewer and a little from above gives the form without hiding a colour.
    light = np.clip(0.80 + 0.17 * facing + 0.05 * normals[:, 2], 0, 1)
    return _draw(hemisphere, projected, front, box, values, colours, px_per_mm, light)


def draw_flat(
    hemisphere: str, values: np.ndarray, colours: Colours, px_per_mm: float, box: np.ndarray
) -> Panel:
    """Draw the part of a flat map that lies in a box given in mm (see measure_flat)."""
    points, faces = load_mesh(hemisphere, "flat")
    return _draw(hemisphere, points, faces, box, values, colours, px_per_mm, None)


def find_off_map(hemisphere: str) -> np.ndarray:
    """Return which vertices the flat map leaves out: its cuts and the medial wall."""
    points, faces = load_mesh(hemisphere, "flat")
    off = np.ones(len(points), bool)
    off[faces] = False
    return off


def _project(points: np.ndarray, hemisphere: str, view: str) -> np.ndarray:
    right, viewer = (np.array(axis, np.float64) for axis in VIEWS[hemisphere, view])
    return np.stack([points @ right, points[:, 2], points @ viewer], axis=1)


def _compute_normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = points[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    summed = np.zeros_like(points)
    for k in range(3):
        np.add.at(summed, faces[:, k], normal)
    return summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12)


def _draw(
    hemisphere: str,
    points: np.ndarray,
    faces: np.ndarray,
    box: np.ndarray,
    values: np.ndarray,
    colours: Colours,
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
    ramp = np.clip(raster.interpolate(load_curvature(hemisphere)) / 0.06 + 0.5, 0, 1)
    pixels = np.repeat((GYRUS + (SULCUS - GYRUS) * ramp)[:, None], 3, axis=1)
    shown = raster.interpolate(values)
    seen = np.isfinite(shown)
    pixels[seen] = colours(shown[seen])
    if light is not None:
        pixels *= raster.interpolate(light)[:, None]
    return Panel(shrink(raster.spread(pixels, 1.0)), positions, raster)
