"""What atlases and label files say of the voxels and vertices of a space."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neurodecode.core.artifacts import Space
from neurodecode.core.checks import list_names
from neurodecode.core.errors import DataError

# Vertices of one hemisphere.
N_VERTICES = {
    "fsaverage3": 642, "fsaverage4": 2562, "fsaverage5": 10242, "fsaverage6": 40962,
    "fsaverage": 163842, "fsLR32k": 32492,
}  # fmt: skip
SIDES = {"left": ("lh.", "hemi-l", ".l.", "_l."), "right": ("rh.", "hemi-r", ".r.", "_r.")}
SAME_MM = 1e-3


def read_volume_rois(
    path: Path,
    name: str,
    space: Space,
    names: Mapping[int, str],
    *,
    nearest: bool,
    where: str,
) -> dict[str, np.ndarray]:
    """Return the regions of a mask or an atlas.

    Parameters
    ----------
    path : Path
    name : str
        Of the region of a mask; begins the names of an atlas' regions that are not named.
    space : Space
        Volume.
    names : mapping of number to name
    nearest : bool
        Take labels at the centres of voxels where grids differ.

    Returns
    -------
    regions : mapping of name to array of bool, shape (n_voxels,)
    """
    image = _load(path, where)
    mask, affine = np.asarray(space.mask, bool), np.asarray(space.affine, np.float64)
    shape = image.shape[:3]
    if int(np.prod(image.shape[3:], dtype=int)) != 1:
        raise DataError(
            f"{where}: {path.name} has the shape {image.shape}. Allowed: one volume. Save each "
            "region of a probabilistic atlas as a mask of its own."
        )
    same = shape == mask.shape and np.abs(image.affine - affine).max() < SAME_MM
    if not (same or nearest):
        raise DataError(
            f"{where}: {path.name} lies on another grid ({shape}, {mask.shape} for the responses, "
            "or another affine). Resample it to theirs, or set grid: nearest."
        )
    labels = np.asarray(image.dataobj).reshape(shape)
    inside = labels[mask] if same else _look_up(labels, image.affine, mask, affine)
    present = np.unique(labels)
    if not np.isfinite(present).all() or (present != np.rint(present)).any():
        raise DataError(
            f"{where}: {path.name} holds values that are no whole numbers (first: "
            f"{present[np.flatnonzero(present != np.rint(present))[:3]].tolist()}). Allowed: a "
            "mask of 0 and 1, or an atlas of whole numbers. Threshold it and save it as a mask."
        )
    numbers = [int(n) for n in present if n != 0]
    if numbers == [1] and not names:
        return {name: inside == 1}
    strange = sorted(set(names) - set(numbers))
    if strange:
        raise DataError(
            f"{where}: {path.name} does not hold the numbers {strange[:8]} that names lists. It "
            f"holds: {numbers[:12]}. Correct names."
        )
    chosen = names or {number: f"{name}_{number}" for number in numbers}
    regions: dict[str, np.ndarray] = {}
    for number, region in chosen.items():
        regions[region] = regions.get(region, False) | (inside == number)
    return regions


def read_surface_rois(
    path: Path, name: str, space: Space, where: str
) -> dict[tuple[str, str], np.ndarray]:
    """Return the regions of a file of labels, of one hemisphere.

    Returns
    -------
    regions : mapping of (name, side) to array of bool, shape (n_vertices,)
    """
    side = _find_side(path, where)
    lower = path.name.lower()
    if lower.endswith(".gii"):
        labels, called = _read_gifti(path, name, where)
    elif lower.endswith(".annot"):
        labels, called = _read_annotation(path)
    elif lower.endswith(".label"):
        labels, called = _read_label(path, name, space, where)
    else:
        raise DataError(
            f"{where}: {path.name} is of no known kind. Allowed: .nii, .nii.gz, .mgz, .gii, .annot "
            "and .label."
        )
    n_side = N_VERTICES.get(space.mesh)
    if n_side is not None and len(labels) != n_side:
        raise DataError(
            f"{where}: {path.name} has {len(labels)} vertices, {space.mesh} {n_side} in each "
            "hemisphere. Give the file of that mesh."
        )
    if n_side is None and side == "right":
        raise DataError(
            f"{where}: how many vertices the left hemisphere of '{space.mesh}' has is not known, "
            f"and with it which are those of {path.name}. Allowed: {list_names(N_VERTICES)}. "
            "Resample the responses to one of these."
        )
    vertices = np.asarray(space.vertices)
    own = vertices - (n_side or 0) if side == "right" else vertices
    mine = (own >= 0) & (own < len(labels))
    if n_side is None:  # of an unknown mesh only the left hemisphere, which comes first
        mine &= vertices < len(labels)
    at = labels[np.where(mine, own, 0)]
    return {(region, side): mine & (at == number) for number, region in called.items()}


def _look_up(
    labels: np.ndarray, labels_affine: np.ndarray, mask: np.ndarray, affine: np.ndarray
) -> np.ndarray:
    """Return the label at the centre of each voxel of a mask, 0 outside the atlas."""
    places = np.argwhere(mask) @ affine[:3, :3].T + affine[:3, 3]
    back = np.linalg.inv(labels_affine)
    voxels = np.rint(places @ back[:3, :3].T + back[:3, 3]).astype(int)
    within = ((voxels >= 0) & (voxels < labels.shape)).all(axis=1)
    found = labels[tuple(np.where(within[:, None], voxels, 0).T)]
    return np.where(within, found, 0)


def _find_side(path: Path, where: str) -> str:
    lower = path.name.lower()
    found = [side for side, marks in SIDES.items() if any(mark in lower for mark in marks)]
    if len(found) != 1:
        raise DataError(
            f"{where}: the name {path.name} does not tell the hemisphere. Rename it so that it "
            "holds lh. or rh., or hemi-L or hemi-R."
        )
    return found[0]


def _load(path: Path, where: str) -> Any:
    import nibabel

    try:
        return nibabel.load(path)
    except Exception as error:  # whatever a damaged file makes nibabel say
        raise DataError(
            f"{where}: {path.name} cannot be read ({type(error).__name__}: {error}). Get the file "
            "again."
        ) from error


def _read_gifti(path: Path, name: str, where: str) -> tuple[np.ndarray, dict[int, str]]:
    image = _load(path, where)
    labels = np.asarray(image.darrays[0].data)
    table = {label.key: label.label for label in image.labeltable.labels}
    present = [int(n) for n in np.unique(labels) if n != 0]
    if not table:
        if (labels != np.rint(labels)).any():
            raise DataError(
                f"{where}: {path.name} holds values that are no whole numbers. Allowed: labels, or "
                "a mask of 0 and 1. Threshold it and save it as a mask."
            )
        return labels, {1: name} if present == [1] else {n: f"{name}_{n}" for n in present}
    return labels, {n: table.get(n, f"{name}_{n}") for n in present}


def _read_annotation(path: Path) -> tuple[np.ndarray, dict[int, str]]:
    from nibabel.freesurfer import read_annot

    labels, _, names = read_annot(str(path))
    return labels, {k: text.decode() for k, text in enumerate(names) if (labels == k).any()}


def _read_label(
    path: Path, name: str, space: Space, where: str
) -> tuple[np.ndarray, dict[int, str]]:
    from nibabel.freesurfer import read_label

    n_side = N_VERTICES.get(space.mesh)
    if n_side is None:
        raise DataError(
            f"{where}: {path.name} lists vertices of a mesh of unknown size ('{space.mesh}'). "
            f"Allowed: {list_names(N_VERTICES)}. Give an annotation or GIFTI labels."
        )
    listed = read_label(str(path))
    if len(listed) and listed.max() >= n_side:
        raise DataError(
            f"{where}: {path.name} lists vertex {int(listed.max())}, {space.mesh} has {n_side} in "
            "each hemisphere. Give the label of that mesh."
        )
    labels = np.zeros(n_side, int)
    labels[listed] = 1
    return labels, {1: name}
