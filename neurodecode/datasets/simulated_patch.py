"""The piece of fsaverage5 that simulated subjects have; nilearn carries the mesh in its wheel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from neurodecode.core.artifacts import Space
from neurodecode.numerics import simulation

MESH = "fsaverage5"


@dataclass(frozen=True)
class Patch:
    """The simulated piece of cortex, the same for all subjects.

    Parameters
    ----------
    space : Space
    areas : array of int8, shape (n_vertices,)
        Index into simulation.AREAS: bands of distance from the pole, not anatomy.
    centres_deg : array, shape (n_vertices, 2)
        Receptive fields, before a subject's own shift.
    """

    space: Space
    areas: np.ndarray
    centres_deg: np.ndarray


def load_patch(n_vertices: int, visual_field_deg: float) -> Patch:
    """Return the simulated piece of cortex on nilearn's fsaverage5.

    Parameters
    ----------
    n_vertices : int
        Nearest to the two occipital poles along the spherical surface.
    visual_field_deg : float
        Width of the visual field; receptive fields lie within its inscribed circle.
    """
    vertices, coordinates, areas, centres = [], [], [], []
    offset = 0
    for hemisphere, side, n in (
        ("left", 1, (n_vertices + 1) // 2),
        ("right", -1, n_vertices // 2),
    ):
        pial, sphere = (_load_coordinates(surface, hemisphere) for surface in ("pial", "sphere"))
        pole = int(np.argmin(pial[:, 1]))
        inside = simulation.find_patch(sphere, pole, n)
        area, centre = simulation.map_visual_field(
            sphere, pole, inside, side=side, radius_deg=visual_field_deg / 2
        )
        vertices.append(inside + offset)
        coordinates.append(pial[inside])
        areas.append(area)
        centres.append(centre)
        offset += len(pial)
    all_areas = np.concatenate(areas)
    space = Space(
        kind="surface",
        mesh=MESH,
        vertices=np.concatenate(vertices),
        coordinates_mm=np.concatenate(coordinates).astype(np.float32),
        rois={name: all_areas == k for k, name in enumerate(simulation.AREAS)},
    )
    return Patch(space, all_areas, np.concatenate(centres))


@cache
def _load_coordinates(surface: str, hemisphere: str) -> np.ndarray:
    """Return the coordinates of a hemisphere in mm, shape (10242, 3)."""
    from nilearn.datasets import load_fsaverage

    return np.asarray(load_fsaverage(MESH)[surface].parts[hemisphere].coordinates, np.float64)
