"""Regions of interest from files, added to the space of responses.

Masks and atlases as NIfTI, GIFTI labels, FreeSurfer annotations and labels, read by nibabel. What
a region is called is what the file calls it, or what the pipeline does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from neurodecode.core.artifacts import Responses, Space
from neurodecode.core.checks import list_names
from neurodecode.core.errors import DataError
from neurodecode.core.raw import find_raw
from neurodecode.core.stage import Sight, Stage
from neurodecode.datasets.roi_files import read_surface_rois, read_volume_rois

VOLUME_SUFFIXES = (".nii", ".nii.gz", ".mgz", ".mgh")


class Rois(Stage):
    """Add named regions to responses, without touching their data.

    Regions of the same name are united: those of both hemispheres, say.

    Parameters
    ----------
    files : mapping of name to path
        Volumes (.nii, .nii.gz, .mgz): a mask of zeros and ones becomes the region of that name, an
        atlas of whole numbers one region per number. Surfaces (.gii, .annot, .label): regions go
        by the names in the file; hemispheres are told by "lh." and "rh.", or "hemi-L" and
        "hemi-R", in the file's name.
    names : mapping of number to name
        Of an atlas of whole numbers; numbers that are not named are left out. Without it all of
        them are taken, as "NAME_NUMBER".
    grid : {"same", "nearest"}
        Volumes must be on the responses' grid, or each voxel takes the label at its centre.
    by_hemisphere : bool
        Surfaces: "V1_left" and "V1_right" in place of "V1".
    allow_empty : bool
        Regions without a voxel among the responses are left out, in place of a mistake.
    """

    stage: ClassVar[str] = "datasets.rois"
    example: ClassVar = {"files": {"V1": "V1.nii.gz"}}

    files: Annotated[dict[str, str], Field(min_length=1)]
    names: dict[int, str] = {}
    grid: Literal["same", "nearest"] = "same"
    by_hemisphere: bool = False
    allow_empty: bool = False

    def sources(self) -> Sequence[Path]:
        """Return the files."""
        return tuple(self._find(path) for path in self.files.values())

    def sees(self) -> dict[str, Sight]:
        """Each row on its own; it is handed on as it is."""
        return {"responses": "row"}

    def run(self, responses: Responses) -> Responses:
        """Return the responses in a space with the regions added.

        Raises
        ------
        DataError
            A file of another space, or a region that holds none of the voxels.
        """
        found: dict[str, np.ndarray] = {}
        for name, path in self.files.items():
            for region, mask in self._read(name, self._find(path), responses.space).items():
                found[region] = found.get(region, False) | mask
        empty = [name for name, mask in found.items() if not mask.any()]
        if empty and not self.allow_empty:
            raise DataError(
                f"{self.stage}: {len(empty)} of {len(found)} regions hold none of the "
                f"{responses.data.shape[1]} voxels ({list_names(empty)}). Check that the files are "
                "in the space of the responses, or set allow_empty: true."
            )
        known = {**responses.space.rois, **{n: m for n, m in found.items() if m.any()}}
        return replace(responses, space=replace(responses.space, rois=known))

    def _find(self, path: str) -> Path:
        if Path(path).is_file():
            return Path(path)
        return find_raw(path, dataset=self.stage, get="Correct the path.")

    def _read(self, name: str, path: Path, space: Space) -> dict[str, np.ndarray]:
        wanted = "volume" if path.name.lower().endswith(VOLUME_SUFFIXES) else "surface"
        if space.kind != wanted:
            raise DataError(
                f"{self.stage}: {path.name} is a {wanted}, but the responses lie in a space of "
                f"kind '{space.kind}'. Give files of that space, or bring the responses to the "
                "surface first (preprocessing.volume_to_surface)."
            )
        if wanted == "volume":
            return read_volume_rois(
                path, name, space, self.names, nearest=self.grid == "nearest", where=self.stage
            )
        regions = read_surface_rois(path, name, space, self.stage)
        if not self.by_hemisphere:
            return {region: mask for (region, _), mask in regions.items()}
        return {f"{region}_{side}": mask for (region, side), mask in regions.items()}
