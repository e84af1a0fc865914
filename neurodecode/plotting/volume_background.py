"""What lies behind the values of a volume: a template, one's own anatomy, the mean of the scans.

A grid is taken to be one of MNI space where its space is named so, or where its axes lie along the
head's, its field of view is centred on the midline and holds the whole MNI152 brain, and nine in
ten voxels of the mask lie in that brain. Nothing else tells a normalised scan from a native one:
both have millimetres. What was decided is said in the caption.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from neurodecode.core.artifacts import Responses, Space
from neurodecode.core.errors import DataError

BackgroundName = Literal["auto", "MNI152", "mean", "none"]
# Corners of the MNI152 brain (Fonov et al. 2011), a few millimetres inside, and its middle.
BRAIN_MM = np.array([[-66.0, -98.0, -42.0], [66.0, 68.0, 74.0]])
MIDLINE_MM, LEAST_INSIDE = 4.0, 0.9
LEAST_GREY = 0.02  # of the largest; less is taken for air


@dataclass(frozen=True, eq=False)
class Background:
    """An image behind the values.

    Parameters
    ----------
    data : array of float, shape (x, y, z)
    affine : array, shape (4, 4)
    words : str
        What it is, for the caption.
    """

    data: np.ndarray
    affine: np.ndarray
    words: str


def find_background(
    space: Space,
    wanted: BackgroundName,
    anatomy: str,
    responses: Responses | None,
    where: str,
) -> tuple[Background | None, str]:
    """Return the background, and what the caption says of it.

    Parameters
    ----------
    wanted : {"auto", "MNI152", "mean", "none"}
    anatomy : str
        Path of an image to take instead; "" for none.
    responses : Responses or None
        For their mean.
    where : str
        The stage, for messages.

    Raises
    ------
    DataError
        What was asked for cannot be had.
    """
    if anatomy:
        found = _read_anatomy(Path(anatomy), where)
        return found, f"Background: {found.words}."
    mni, why = judge_mni(space)
    if wanted == "MNI152" or (wanted == "auto" and mni):
        template = load_template()
        said = why if mni else "as the settings say, though the grid does not show it"
        words = f"Background: {template.words}; the volume is taken to be in MNI space, {said}."
        return template, words
    native = f"The volume is not taken to be in MNI space ({why})"
    if wanted == "mean" or (wanted == "auto" and responses is not None):
        mean = _average(space, responses, wanted, where)
        if mean is not None:
            return mean, f"{native}. Background: {mean.words}."
        return None, f"{native}. No background: the responses have no mean that shows anatomy."
    return None, f"{native}. No background was given."


def judge_mni(space: Space) -> tuple[bool, str]:
    """Return whether a volume is taken to be in MNI space, and why."""
    if space.mesh:  # of volumes, the name of the template
        named = "mni" in space.mesh.lower()
        return named, f"the space is named {space.mesh}"
    affine, mask = np.asarray(space.affine, np.float64), np.asarray(space.mask, bool)
    turn = affine[:3, :3]
    sizes = np.abs(turn).max(axis=0)
    if ((np.abs(turn) > 1e-3 * sizes).sum(axis=0) > 1).any():
        return False, "its axes are oblique"
    corners = np.array([[0, 0, 0], np.array(mask.shape) - 1], float)
    ends = np.sort(corners @ turn.T + affine[:3, 3], axis=0)
    if (
        abs(ends.mean(axis=0)[0]) > MIDLINE_MM
        or ((ends[0] > BRAIN_MM[0]) | (ends[1] < BRAIN_MM[1])).any()
    ):
        return False, "its field of view does not hold the MNI152 brain about the midline"
    places = np.argwhere(mask) @ turn.T + affine[:3, 3]
    template = load_template()
    at = np.rint((places - template.affine[:3, 3]) @ np.linalg.inv(template.affine[:3, :3]).T)
    at = at.astype(int)
    within = ((at >= 0) & (at < template.data.shape)).all(axis=1)
    inside = np.zeros(len(at), bool)
    inside[within] = template.data[tuple(at[within].T)] > 0
    if inside.mean() < LEAST_INSIDE:
        return False, f"{1 - inside.mean():.0%} of its voxels lie outside the MNI152 brain"
    return True, "by its grid and mask"


def measure_tilt(affine: np.ndarray) -> float:
    """Return the largest angle between a grid's axes and the nearest of the head's, degrees."""
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return float(np.rad2deg(np.arccos(np.clip(np.abs(directions).max(axis=0), 0, 1))).max())


@cache
def load_template() -> Background:
    """Return the MNI152 template (2009, non-linear, symmetric) that comes inside nilearn, 2 mm."""
    from nilearn.datasets import load_mni152_template

    image = load_mni152_template(resolution=2)
    data = np.array(image.dataobj, np.float32)
    data[data < LEAST_GREY * data.max()] = 0  # ripples of its resampling, outside the brain
    return Background(data, np.asarray(image.affine), "the MNI152 template")


def _read_anatomy(path: Path, where: str) -> Background:
    import nibabel

    try:
        image = nibabel.load(path)
        data = np.asarray(image.dataobj, np.float32)
    except FileNotFoundError as error:
        raise DataError(f"{where}: anatomy: {path} is not there. Correct the path.") from error
    except Exception as error:  # whatever a foreign file makes nibabel raise
        raise DataError(
            f"{where}: anatomy: {path} cannot be read as an image ({type(error).__name__}). Give a "
            "NIfTI file in the space of the responses."
        ) from error
    data = np.squeeze(data, axis=tuple(k for k in range(3, data.ndim) if data.shape[k] == 1))
    if data.ndim != 3:
        raise DataError(
            f"{where}: anatomy: {path} has shape {data.shape}. Give one volume, of three axes."
        )
    return Background(data, np.asarray(image.affine, np.float64), f"{path.name}, as given")


def _average(
    space: Space, responses: Responses | None, wanted: BackgroundName, where: str
) -> Background | None:
    """Return the mean of the responses; None, if only tried, where they are z-scored."""
    if responses is None:
        raise DataError(
            f"{where}: background: mean, but no responses are given. Hand this step the responses "
            "as they were before z-scoring, or choose another background."
        )
    mask = np.asarray(space.mask, bool)
    mean = np.zeros(responses.data.shape[1])
    for start in range(0, len(responses.data), 200):
        mean += np.asarray(responses.data[start : start + 200], np.float64).sum(axis=0)
    mean /= len(responses.data)
    if len(mean) != mask.sum():
        raise DataError(
            f"{where}: the responses have {len(mean)} voxels, the scores {int(mask.sum())}. Hand "
            "this step the responses that were predicted."
        )
    if responses.units == "z" or np.ptp(mean) < 1e-3 or (mean <= 0).mean() > 0.2:
        if wanted == "mean":
            raise DataError(
                f"{where}: background: mean, but the responses ({responses.units}) have a mean "
                "about zero: they were centred. Give them as they were before that, or choose "
                "another background."
            )
        return None
    data = np.zeros(mask.shape, np.float32)
    data[mask] = mean
    words = "the mean of the responses within the mask"
    return Background(data, np.asarray(space.affine, np.float64), words)


def resample(background: Background, shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """Return an image on another grid, interpolated linearly; 0 outside it."""
    from scipy.ndimage import map_coordinates

    to_image = np.linalg.inv(background.affine) @ affine
    grid = np.indices(shape, np.float32).reshape(3, -1)
    at = to_image[:3, :3] @ grid + to_image[:3, 3:]
    extent = np.array(background.data.shape)[:, None]
    inside = ((at >= -0.5) & (at <= extent - 0.5)).all(axis=0)
    # voxels have a width: within the outer half of the last one it is the nearest
    found = map_coordinates(np.nan_to_num(background.data), at, order=1, mode="nearest")
    return np.where(inside, found, 0).astype(np.float32).reshape(shape)
