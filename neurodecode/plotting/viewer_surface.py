"""What the interactive map of a surface carries: shapes, faces, values, borders of regions.

Coordinates are 16-bit steps of about a hundredth of a millimetre. Each hemisphere's faces that lie
on its flat map come first, so that the rest is left out when the map is flat. Shapes are laid out
here: hemispheres of inflated surfaces side by side, flat maps upright, facing a viewer behind.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from neurodecode.plotting.colours import OUTLINE_COLOURS
from neurodecode.plotting.cortex import HEMISPHERES, Cortex

GAP_MM = 6.0  # between the hemispheres
ORDER = ("white", "pial", "inflated", "flat")


def pack_array(values: np.ndarray) -> dict[str, str]:
    """Return an array as JSON: its type and its bytes, little-endian, in base64."""
    array = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    kind = {"f": "f", "i": "i", "u": "u"}[array.dtype.kind] + str(array.dtype.itemsize)
    return {"type": kind, "data": base64.b64encode(array.tobytes()).decode()}


def pack_bits(inside: np.ndarray) -> dict[str, str]:
    """Return booleans as JSON, eight in a byte, the first one highest."""
    return pack_array(np.packbits(inside.ravel()))


def pack_rois(rois: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Return regions with their colours."""
    packed = []
    for number, (name, inside) in enumerate(rois.items()):
        colour = OUTLINE_COLOURS[number % len(OUTLINE_COLOURS)]
        rgb = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        packed.append({"name": name, "colour": colour, "rgb": rgb, "bits": pack_bits(inside)})
    return packed


def pack_q(q: np.ndarray | None) -> dict[str, str] | None:
    """Return corrected p-values as -log10, NaN where there is none."""
    if q is None:
        return None
    return pack_array(-np.log10(np.maximum(q, 1e-30)).astype(np.float32))


def pack_cortex(cortex: Cortex) -> dict[str, Any]:
    """Return the surface in every shape that it has."""
    shapes = [shape for shape in ORDER if shape in cortex.shapes]
    n_left = cortex.n_vertices["left"]
    parts, faces, first = [], [], 0
    for side, offset in zip(HEMISPHERES, (0, n_left), strict=True):
        whole = cortex.meshes[side, "inflated" if "inflated" in shapes else shapes[0]][1]
        on_flat = np.zeros(len(whole), bool)
        if "flat" in shapes:
            on_flat = find_rows_in(whole, cortex.meshes[side, "flat"][1])
        ordered = np.concatenate([whole[on_flat], whole[~on_flat]]) + offset
        parts.append({"first": first, "on_flat": int(on_flat.sum()), "all": len(whole)})
        faces.append(ordered)
        first += len(whole)
    joined = np.concatenate(faces)
    curvature = np.concatenate([cortex.curvature[side] for side in HEMISPHERES])
    return {
        "n_left": n_left,
        "parts": parts,
        "faces": pack_array(joined.astype(np.uint16 if joined.max() < 1 << 16 else np.uint32)),
        "curvature": pack_array(np.rint(255 * np.clip(curvature / 0.06 + 0.5, 0, 1)).astype("u1")),
        "shapes": [_pack_shape(cortex, shape) for shape in shapes],
        "start": shapes.index("inflated") if "inflated" in shapes else 0,
    }


def find_rows_in(faces: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which faces are among others, whatever corner they start with."""
    known = {tuple(face) for face in np.sort(others, axis=1).tolist()}
    return np.array([tuple(face) in known for face in np.sort(faces, axis=1).tolist()])


def _pack_shape(cortex: Cortex, shape: str) -> dict[str, Any]:
    left, right = (cortex.meshes[side, shape][0].copy() for side in HEMISPHERES)
    if shape == "flat":
        on_map = ~cortex.find_off_map()
        halves = []
        for points, seen, sign in zip(
            (left, right), cortex.halve(on_map).values(), (-1, 1), strict=True
        ):
            edge = (sign * points[seen, 0]).min()
            x = points[:, 0] - sign * edge + sign * GAP_MM
            height = points[:, 1] - points[seen, 1].mean()
            placed = np.stack([x, np.zeros(len(points)), height], axis=1)
            placed[~seen] = placed[seen].mean(axis=0)  # drawn nowhere; kept small
            halves.append(placed)
        left, right = halves
    elif shape == "inflated":
        left[:, 0] -= left[:, 0].max() + GAP_MM / 2
        right[:, 0] -= right[:, 0].min() - GAP_MM / 2
    points = np.concatenate([left, right])
    step = float(np.abs(points).max() / 32_767)
    coded = np.rint(points / step).astype(np.int16)
    return {"name": shape, "flat": shape == "flat", "step": step, "points": pack_array(coded)}
