"""Where the columns of responses lie, and preprocessing that differs by fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from neurodecode.core.artifacts.base import Array, dims


@dataclass(frozen=True, kw_only=True, eq=False)
class Space:
    """Where the columns of responses lie.

    Parameters
    ----------
    kind : {"unknown", "volume", "surface", "sensors", "parcels"}
    mesh : str
        Name of the surface mesh, such as "fsaverage5".
    vertices : array of int, shape (n_voxels,)
        Surface: vertex of each column, left hemisphere first, then right (n_left + index).
    mask : array of bool, shape (x, y, z);  affine : array, shape (4, 4)
        Volume: columns are the true voxels of the mask in C order.
    coordinates_mm : array, shape (n_voxels, 3)
    names : array of str, shape (n_voxels,)
        Of sensors or parcels.
    rois : mapping of str to array of bool, shape (n_voxels,)
    """

    kind: Literal["unknown", "volume", "surface", "sensors", "parcels"] = "unknown"
    mesh: str = ""
    vertices: Array | None = dims("voxel", default=None)
    mask: Array | None = dims("x", "y", "z", default=None)
    affine: Array | None = dims("row", "column", default=None)
    coordinates_mm: Array | None = dims("voxel", "axis", units="mm", default=None)
    names: Array | None = dims("voxel", default=None)
    rois: Mapping[str, Array] = dims("voxel", default_factory=dict)

    def take_columns(self, columns: np.ndarray) -> Space:
        """Return the space of some columns (indices, or a mask of them)."""
        mask = self.mask
        if mask is not None:
            mask = np.zeros(self.mask.shape, bool)  # type: ignore[union-attr]
            mask.ravel()[np.flatnonzero(np.asarray(self.mask))[columns]] = True
        return replace(
            self,
            mask=mask,
            vertices=None if self.vertices is None else np.asarray(self.vertices)[columns],
            coordinates_mm=(
                None if self.coordinates_mm is None else np.asarray(self.coordinates_mm)[columns]
            ),
            names=None if self.names is None else np.asarray(self.names)[columns],
            rois={name: np.asarray(roi)[columns] for name, roi in self.rois.items()},
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Foldwise:
    """Column-wise preprocessing whose numbers differ by fold, applied when a fold is read.

    A row x of fold k reads as ((x - centre[k]) / scale[k])[selected[k]].
    """

    centre: Array = dims("fold", "voxel")
    scale: Array = dims("fold", "voxel")
    selected: Array = dims("fold", "voxel")
    split: str = ""

    @classmethod
    def identity(cls, n_folds: int, n_columns: int, split: str) -> Foldwise:
        """Return the preprocessing that changes nothing."""
        shape = (n_folds, n_columns)
        return cls(
            centre=np.zeros(shape, np.float64),
            scale=np.ones(shape, np.float64),
            selected=np.ones(shape, bool),
            split=split,
        )

    def then(self, centre: np.ndarray, scale: np.ndarray) -> Foldwise:
        """Return this, followed by another centring and scaling of all columns."""
        return replace(
            self,
            centre=np.asarray(self.centre) + np.asarray(self.scale) * centre,
            scale=np.asarray(self.scale) * scale,
        )
