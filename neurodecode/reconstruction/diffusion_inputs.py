"""What goes into a diffusion model and comes out of it: joins by identity, images to its size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from neurodecode.core.artifacts import Artifact, Features, Predictions, Reconstructions
from neurodecode.core.checks import find_rows
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.numerics.images import pixels_to_images

if TYPE_CHECKING:
    from torch import Tensor

Fit = Literal["pad", "resize"]

# Names of a diffusion model's arrays.
NETWORK, MEAN, SCALE = "network/", "condition_mean", "condition_scale"


def read_pixel_shape(features: Features | Predictions, where: str) -> tuple[int, int, int]:
    """Return height, width and colours of pixel features, or raise DataError."""
    extractor = features.extractor
    try:
        shape = (int(extractor["height"]), int(extractor["width"]), int(extractor["n_colours"]))
    except KeyError as missing:
        raise DataError(
            f"{where}: these are no pixel features: their extractor "
            f"('{extractor.get('name', 'unknown')}') does not say {missing}. Give pixels "
            "(features.pixels), or what was decoded of them."
        ) from missing
    return shape


def read_estimates(estimates: Artifact, where: str, rows: np.ndarray | None = None) -> np.ndarray:
    """Return low-level estimates as images in [0, 1], shape (n, height, width, n_colours).

    Parameters
    ----------
    estimates : Features or Predictions of pixels, or Reconstructions
        Of reconstructions the first sample counts.
    rows : array of int or None
        None reads all.
    """
    kept = slice(None) if rows is None else rows
    if isinstance(estimates, Reconstructions):
        if estimates.of != "image":
            raise DataError(f"{where}: the estimates are {estimates.of}. Give images.")
        return np.asarray(estimates.data[kept])[:, 0].astype(np.float32)
    if not isinstance(estimates, Features | Predictions):
        raise DataError(
            f"{where}: the estimates are {estimates.kind()}. Give pixel features, what was decoded "
            "of them, or reconstructions."
        )
    shape = read_pixel_shape(estimates, where)
    return pixels_to_images(np.asarray(estimates.data[kept]), *shape).astype(np.float32)


def match_items(items: Table, other: Table, where: str) -> np.ndarray:
    """Return the row of another table that belongs to each item.

    By fold and row where both tables have them, else by the stimulus' id.
    """
    if all(column in table for table in (items, other) for column in ("fold", "row")):
        return find_rows(
            name_rows(other), name_rows(items), what="fold/row", where=f"{where}: estimates"
        )
    return find_rows(other["id"], items["id"], what="stimulus", where=f"{where}: estimates")


def name_rows(items: Table) -> np.ndarray:
    """Return "fold/row" of each row."""
    pairs = zip(items["fold"].tolist(), items["row"].tolist(), strict=True)
    return np.array([f"{fold}/{row}" for fold, row in pairs], dtype=str)


def images_to_tensor(images: np.ndarray, size_px: int, fit: Fit, where: str) -> Tensor:
    """Return images at the model's size and in its range.

    Parameters
    ----------
    images : array of float32 in [0, 1], shape (n, height, width, n_colours)
    fit : {"pad", "resize"}
        Repeat the border pixels around the image, or resample it.

    Returns
    -------
    tensor : shape (n, n_colours, size_px, size_px), in [-1, 1]
    """
    import torch
    from torch.nn import functional

    planes = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32))
    height, width = planes.shape[-2:]
    if fit == "pad":
        if max(height, width) > size_px:
            raise DataError(
                f"{where}: images of {height} x {width} pixels cannot be padded to {size_px}. "
                "Raise size_px, or set fit: resize."
            )
        top, left = (size_px - height) // 2, (size_px - width) // 2
        edges = (left, size_px - width - left, top, size_px - height - top)
        planes = functional.pad(planes, edges, mode="replicate")
    elif (height, width) != (size_px, size_px):
        planes = functional.interpolate(
            planes, (size_px, size_px), mode="bilinear", antialias=True, align_corners=False
        )
    return planes.clamp(0, 1) * 2 - 1


def tensor_to_images(tensor: Tensor, height: int, width: int, fit: Fit) -> np.ndarray:
    """Return the model's images in [0, 1] at their own size: the inverse of images_to_tensor."""
    from torch.nn import functional

    planes = (tensor.detach().float().cpu() + 1) / 2
    size_px = planes.shape[-1]
    if fit == "pad":
        top, left = (size_px - height) // 2, (size_px - width) // 2
        planes = planes[..., top : top + height, left : left + width]
    elif (height, width) != (size_px, size_px):
        planes = functional.interpolate(
            planes, (height, width), mode="bilinear", antialias=True, align_corners=False
        )
    return planes.clamp(0, 1).permute(0, 2, 3, 1).contiguous().numpy()
