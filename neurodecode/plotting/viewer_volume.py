"""What the interactive map of a volume carries: values in the mask, a background, regions.

The grid is turned so that its axes run to the right, the front and the top as nearly as they can;
voxels are named as in the file that they come from.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodecode.core.artifacts import Responses, Scores
from neurodecode.plotting.map_values import MapValues
from neurodecode.plotting.viewer_surface import pack_array, pack_bits, pack_q, pack_rois
from neurodecode.plotting.volume_background import (
    Background,
    BackgroundName,
    find_background,
    measure_tilt,
    resample,
)

MOST_VOXELS = 500_000  # of the grid; the background takes a byte for each, or for its parts
FINE_MM = 1.5  # of the background, where that is not too many


def describe_volume(
    scores: Scores,
    shown: MapValues,
    rois: dict[str, np.ndarray],
    wanted: BackgroundName,
    anatomy: str,
    responses: Responses | None,
    where: str,
) -> tuple[dict[str, Any], str]:
    """Return what the page carries, as JSON, and what its caption says of it."""
    import nibabel

    space = scores.space
    mask, affine = np.asarray(space.mask, bool), np.asarray(space.affine, np.float64)
    background, words = find_background(space, wanted, anatomy, responses, where)
    turn = nibabel.io_orientation(affine)
    number = np.full(mask.shape, -1)
    number[mask] = np.arange(mask.sum())
    number = nibabel.apply_orientation(number, turn)
    to_original = nibabel.orientations.inv_ornt_aff(turn, mask.shape)
    low = np.zeros(3, int)
    if number.size > MOST_VOXELS or background is None:
        places = np.argwhere(number >= 0)
        low = np.maximum(places.min(axis=0) - 2, 0)
        high = np.minimum(places.max(axis=0) + 3, number.shape)
        number = number[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    shift = np.eye(4)
    shift[:3, 3] = low
    to_original = to_original @ shift
    to_mm = affine @ to_original
    order = number[number >= 0]
    q = None if shown.q is None else shown.q[order]
    strength = np.where(np.isfinite(shown.values), np.abs(shown.values), -1.0)[order]
    start = np.argwhere(number >= 0)[int(strength.argmax())]
    data = {
        "shape": list(number.shape),
        "to_mm": to_mm[:3].tolist(),
        "to_original": np.rint(to_original[:3]).astype(int).tolist(),
        "sizes": np.linalg.norm(to_mm[:3, :3], axis=0).tolist(),
        "mask": pack_bits(number >= 0),
        "values": pack_array(shown.values[order].astype(np.float32)),
        "neglog_q": pack_q(q),
        "rois": pack_rois({name: inside[order] for name, inside in rois.items()}),
        "background": _pack_background(background, number.shape, to_mm),
        "start": start.tolist(),
        "places": "voxels",
    }
    tilt = measure_tilt(affine)
    if tilt > 0.5:
        words += f" Slices follow the scan's own grid, which is tilted by {tilt:.0f}°."
    return data, f"{words} The left of the head is on the left."


def _pack_background(
    background: Background | None, shape: tuple[int, ...], to_mm: np.ndarray
) -> dict[str, Any] | None:
    """Return the background on a finer grid, each voxel cut in ``factor`` along each axis."""
    if background is None:
        return None
    sizes = np.linalg.norm(to_mm[:3, :3], axis=0)
    factor = max(1, min(4, round(float(sizes.min()) / FINE_MM)))
    while factor > 1 and np.prod(shape) * factor**3 > 2 * MOST_VOXELS:
        factor -= 1
    finer = np.diag([1 / factor] * 3 + [1.0])
    finer[:3, 3] = (1 / factor - 1) / 2  # middles of the parts of the first voxel
    fine = tuple(n * factor for n in shape)
    data = resample(background, fine, to_mm @ finer)
    seen = data[data > 0]
    low, high = np.percentile(seen, [1, 99]) if len(seen) else (0.0, 1.0)
    grey = np.clip((data - low) / max(high - low, 1e-9), 0, 1)
    return {"factor": factor, "grey": pack_array(np.rint(grey * 255).astype(np.uint8))}
