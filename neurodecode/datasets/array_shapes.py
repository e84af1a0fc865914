"""Bring arrays of foreign files into the one order of axes, refusing whatever is ambiguous."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from neurodecode.core.artifacts import Space
from neurodecode.core.errors import DataError

Orientation = Literal["samples_first", "voxels_first"]


def orient_responses(
    parts: Sequence[np.ndarray],
    orientation: Orientation | None,
    *,
    n_samples: int | None,
    n_voxels: int | None,
    sfreq: float | None = None,
    where: str,
) -> list[np.ndarray]:
    """Return each part with samples first.

    Parameters
    ----------
    parts : sequence of array, each (n_samples, n_voxels) or (n_voxels, n_samples)
        Or (n_samples, n_channels, n_times), which has one orientation.
    orientation : {"samples_first", "voxels_first"} or None
        None is allowed where the known numbers leave one possibility.
    n_samples : int or None
        Of all parts together, where other arrays tell it.
    n_voxels : int or None
        Where coordinates or a mask tell it.
    sfreq : float or None
        Hertz; needed where there is a time axis.

    Raises
    ------
    DataError
        Both orientations are possible and none is stated, or the numbers do not fit.
    """
    shapes = [part.shape for part in parts]
    shown = " and ".join(str(shape) for shape in shapes)
    if len({part.ndim for part in parts}) > 1 or parts[0].ndim not in (2, 3):
        raise DataError(
            f"{where}: responses have shape {shown}. Allowed: (n_samples, n_voxels), or "
            "(n_samples, n_channels, n_times), the same for all parts."
        )
    if any(part.size == 0 for part in parts):
        raise DataError(
            f"{where}: responses of shape {shown} hold no values. Allowed: one sample and one "
            "voxel or more. Check which array is named, and that the file was written to its end."
        )
    if parts[0].ndim == 3 and sfreq is None:
        raise DataError(
            f"{where}: responses of shape {shown} have a time axis, but no sampling frequency. "
            "Set sfreq (hertz), and tmin (seconds)."
        )

    def fits(axis: int) -> bool:
        columns = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
        wide = n_voxels is None or {shape[1 - axis] for shape in shapes} == {n_voxels}
        long = n_samples is None or sum(shape[axis] for shape in shapes) == n_samples
        return len(columns) == 1 and wide and long

    possible: list[Orientation] = ["samples_first"] if fits(0) else []
    if parts[0].ndim == 2 and fits(1):
        possible.append("voxels_first")
    known = (
        f"{n_samples or 'an unknown number of'} samples and {n_voxels or 'any number of'} voxels"
    )
    if not possible or (orientation is not None and orientation not in possible):
        other = f" They would fit as '{possible[0]}'." if possible else ""
        stated = f" read as '{orientation}'" if orientation else ""
        raise DataError(
            f"{where}: responses of shape {shown}{stated} do not fit {known}: lengths differ."
            f"{other} Check which arrays belong together, and 'orientation'."
        )
    if orientation is None and (len(possible) > 1 or (n_samples is None and n_voxels is None)):
        raise DataError(
            f"{where}: responses of shape {shown} may have one row per sample or one row per "
            "voxel; no other array tells which. Add to this step orientation: samples_first (one "
            "row per sample), or orientation: voxels_first (one row per voxel)."
        )
    first = (orientation or possible[0]) == "samples_first"
    return [part if first else part.T for part in parts]


def make_floats(responses: np.ndarray) -> np.ndarray:
    """Return responses as floating point numbers.

    float32 and float64 stay as they are; integers of 16 bits or fewer become float32, which holds
    each of them exactly, longer ones float64.
    """
    if responses.dtype in (np.float32, np.float64):
        return np.ascontiguousarray(responses, responses.dtype.newbyteorder("="))
    small = np.can_cast(responses.dtype, np.float32, "safe")
    return np.ascontiguousarray(responses, np.float32 if small else np.float64)


def make_images(
    stored: np.ndarray,
    *,
    image_shape: tuple[int, ...] | None,
    transpose: tuple[int, ...] | None,
    value_range: tuple[float, float],
    where: str,
) -> np.ndarray:
    """Return stored images as (n_items, height, width, n_colours) of uint8.

    Parameters
    ----------
    stored : array, shape (n_items, n_pixels), or with the images' axes
    image_shape : tuple of int or None
        Shape of the flat rows, in C order.
    transpose : tuple of int or None
        Order of the axes, after ``image_shape`` was applied: (0, 2, 1) stands images upright that
        were stored transposed, (2, 0, 1) brings the items of (height, width, n_items) first.
    value_range : (black, white)
        The values that become 0 and 255.
    """
    images = stored
    if image_shape is not None:
        if stored.ndim != 2 or stored.shape[1] != int(np.prod(image_shape)):
            raise DataError(
                f"{where}: stimuli have shape {stored.shape}, which image_shape {image_shape} "
                f"cannot be. Allowed: (n_items, {int(np.prod(image_shape))}). Correct image_shape."
            )
        images = stored.reshape(len(stored), *image_shape)
    if transpose is not None:
        if sorted(transpose) != list(range(images.ndim)):
            raise DataError(
                f"{where}: transpose {transpose} does not order the {images.ndim} axes of stimuli "
                f"of shape {images.shape}. Name each axis from 0 to {images.ndim - 1} once."
            )
        images = images.transpose(transpose)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise DataError(
            f"{where}: stimuli have shape {images.shape}. Allowed: (n_items, height, width) or "
            "(n_items, height, width, 1 or 3). Set image_shape for flat rows, and transpose."
        )
    return _make_bytes(images, value_range, where)


def stack_images(parts: Sequence[np.ndarray], where: str) -> np.ndarray:
    """Return the images of all parts, which must be of one shape."""
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) > 1:
        raise DataError(
            f"{where}: stacked stimuli have images of shapes {sorted(shapes)}. Allowed: one shape. "
            "Resize them first."
        )
    return np.concatenate(parts)


def _make_bytes(images: np.ndarray, value_range: tuple[float, float], where: str) -> np.ndarray:
    black, white = value_range
    low, high = (float(images.min()), float(images.max())) if images.size else (black, white)
    inside = black <= low and high <= white  # also refuses NaN
    if value_range == (0.0, 255.0):
        if not inside or (images != np.rint(images)).any():
            raise DataError(
                f"{where}: images of type {images.dtype} range from {low:g} to {high:g}. Allowed: "
                "whole numbers from 0 to 255, or set value_range, such as [0, 1]."
            )
    elif not inside:
        raise DataError(
            f"{where}: images range from {low:g} to {high:g}, outside value_range {value_range}. "
            "Correct value_range."
        )
    else:
        images = np.rint((images.astype(np.float64) - black) * (255 / (white - black)))
    return np.ascontiguousarray(images, np.uint8)


def make_space(
    mask: np.ndarray | None,
    affine: np.ndarray | None,
    coordinates_mm: np.ndarray | None,
    *,
    mask_order: Literal["C", "F"] | None,
    n_voxels: int,
    where: str,
) -> tuple[Space, np.ndarray | None]:
    """Return the space of the columns, and the order to bring them in (None: as they are).

    Columns taken out of a volume in MATLAB come in its column-major order; ours are in C order.
    """
    if coordinates_mm is not None and coordinates_mm.shape != (n_voxels, 3):
        raise DataError(
            f"{where}: coordinates_mm have shape {coordinates_mm.shape}, responses {n_voxels} "
            f"voxels. Allowed: ({n_voxels}, 3). Transpose or trim them first."
        )
    if affine is not None and affine.shape != (4, 4):
        raise DataError(f"{where}: affine has shape {affine.shape}. Allowed: (4, 4). Name another.")
    coordinates = None if coordinates_mm is None else coordinates_mm.astype(np.float64)
    if mask is None:
        return Space(kind="unknown", coordinates_mm=coordinates), None
    inside = mask != 0
    if mask.ndim != 3 or int(inside.sum()) != n_voxels:
        raise DataError(
            f"{where}: the mask of shape {mask.shape} holds {int(inside.sum())} voxels, responses "
            f"{n_voxels}. Allowed: three axes and as many true voxels as responses have columns. "
            "Name the mask that the responses were taken with."
        )
    order = None
    if mask_order == "F":
        number = np.zeros(mask.shape, np.int64)
        number.T[inside.T] = np.arange(n_voxels)  # counts along the first axis fastest
        order = number[inside]
    if coordinates is not None and order is not None:
        coordinates = coordinates[order]
    affine = None if affine is None else affine.astype(np.float64)
    space = Space(kind="volume", mask=inside, affine=affine, coordinates_mm=coordinates)
    return space, order
