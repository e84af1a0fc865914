"""Smooth responses in space: in their volume, or along the surface.

The mathematics and their sources are in numerics/smoothing.py. Smoothing raises the signal-to-noise
ratio of what is spread over voxels and takes away the fine patterns that decoders read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import PositiveFloat

from neurodecode.core.artifacts import Responses
from neurodecode.core.checks import check_finite
from neurodecode.core.errors import DataError
from neurodecode.core.progress import track
from neurodecode.core.stage import Sight, Stage
from neurodecode.numerics.smoothing import make_mesh_smoother, smooth_volume

BLOCK = 64  # rows at a time
MESHES = ("fsaverage5",)  # those that nilearn carries


class Smooth(Stage):
    """Smooth each scan with a Gaussian kernel, each hemisphere of a surface by itself.

    Parameters
    ----------
    fwhm_mm : float
        Full width of the kernel at half its maximum, millimetres.
    within_mask : bool
        Of volumes: voxels outside the mask do not count. False counts them as zeros, which is what
        nilearn's smooth_img does to a masked image.
    """

    stage: ClassVar[str] = "preprocessing.smooth"
    example: ClassVar[dict[str, float]] = {"fwhm_mm": 6.0}

    fwhm_mm: PositiveFloat
    within_mask: bool = True

    def sees(self) -> dict[str, Sight]:
        """Each scan by itself."""
        return {"responses": "row"}

    def run(self, responses: Responses) -> Responses:
        """Return smoothed responses.

        Raises
        ------
        DataError
            Responses lie in no volume and on no known mesh, or hold NaN.
        """
        space = responses.space
        if responses.foldwise is not None or len(responses.data.shape) != 2:
            raise DataError(
                f"{self.stage}: responses are preprocessed per fold, or have shape "
                f"{tuple(responses.data.shape)}. Allowed: (n_samples, n_voxels). Put this step "
                "before the one that works per fold."
            )
        if space.kind not in ("volume", "surface"):
            raise DataError(
                f"{self.stage}: responses lie in a space of kind '{space.kind}', which has no "
                "distances. Allowed: volume, surface. Leave this step out."
            )
        dtype = np.result_type(responses.data.dtype, np.float32)
        out = np.empty(responses.data.shape, dtype)
        smoother = None if space.kind == "volume" else self._make_smoother(responses)
        blocks = [slice(start, start + BLOCK) for start in range(0, len(out), BLOCK)]
        for rows in track(blocks, self.stage):
            block = np.asarray(responses.data[rows])
            check_finite(block, what="responses", where=self.stage)
            if smoother is not None:
                out[rows] = _smooth_surface(block, *smoother)
            else:
                mask, affine = np.asarray(space.mask, bool), np.asarray(space.affine)
                out[rows] = smooth_volume(block, mask, affine, self.fwhm_mm, self.within_mask)
        return replace(responses, data=out)

    def _make_smoother(self, responses: Responses) -> tuple[object, int, np.ndarray]:
        """Return the step among the columns' vertices, the number of steps, and their order."""
        space = responses.space
        if space.mesh not in MESHES or space.vertices is None:
            raise DataError(
                f"{self.stage}: the surface is '{space.mesh}'. Allowed: {', '.join(MESHES)}. Bring "
                "responses onto it first, or smooth them where they were sampled."
            )
        points, faces = _load_midthickness(space.mesh)
        vertices = np.asarray(space.vertices)
        order = np.argsort(vertices)
        step, n_steps = make_mesh_smoother(points, faces, vertices[order], self.fwhm_mm)
        return step, n_steps, order


def _smooth_surface(block: np.ndarray, step: object, n_steps: int, order: np.ndarray) -> np.ndarray:
    values = block[:, order].T.astype(np.float64)
    for _ in range(n_steps):
        values = step @ values  # type: ignore[operator]
    out = np.empty(block.shape)
    out[:, order] = values.T
    return out


def _load_midthickness(mesh: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the points half-way between white and pial surface, and the faces; left first."""
    from nilearn.datasets import load_fsaverage

    shapes = load_fsaverage(mesh)
    points, faces, before = [], [], 0
    for side in ("left", "right"):
        white, pial = (shapes[name].parts[side] for name in ("white_matter", "pial"))
        points.append((white.coordinates + pial.coordinates) / 2)
        faces.append(np.asarray(white.faces) + before)
        before += len(white.coordinates)
    return np.concatenate(points).astype(np.float64), np.concatenate(faces)
