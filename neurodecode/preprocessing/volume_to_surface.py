"""Responses of voxels, as responses of the vertices of a cortical surface.

The surface is fsaverage5 (Fischl et al. 1999), from the files inside nilearn, for volumes in MNI
space; or the subject's own, from its white and pial surfaces, for volumes in the space of its
anatomy. Weights are in numerics/volume_projection.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from neurodecode.core.artifacts import Responses, Space
from neurodecode.core.errors import DataError
from neurodecode.core.raw import find_raw
from neurodecode.core.stage import Sight, Stage
from neurodecode.numerics.volume_projection import DEPTHS, make_projection

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

SURFACES = ("white_left", "pial_left", "white_right", "pial_right")
ROWS = 256  # worked on at once


class VolumeToSurface(Stage):
    """Average the voxels between the white and the pial surface, vertex by vertex.

    Vertices that meet no voxel of the mask are left out.

    Parameters
    ----------
    mesh : str
        "fsaverage5", for a volume in MNI space; with ``mesh_files``, the name of that mesh.
    mesh_files : mapping of {"white_left", "pial_left", "white_right", "pial_right"} to path
        GIFTI surfaces or FreeSurfer geometry, in the millimetres of the volume's affine.
    depths : tuple of float
        From 0, the white, to 1, the pial surface.
    interpolation : {"nearest", "linear"}
    """

    stage: ClassVar[str] = "preprocessing.volume_to_surface"

    mesh: str = Field("fsaverage5", min_length=1)
    mesh_files: dict[str, str] = {}
    depths: Annotated[tuple[Annotated[float, Field(ge=-0.5, le=1.5)], ...], Field(min_length=1)] = (
        DEPTHS
    )
    interpolation: Literal["nearest", "linear"] = "linear"

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        if self.mesh_files and set(self.mesh_files) != set(SURFACES):
            raise ValueError(f"mesh_files names {sorted(self.mesh_files)}. Name {SURFACES}.")
        if not self.mesh_files and self.mesh != "fsaverage5":
            raise ValueError(f"mesh '{self.mesh}' does not ship. Give its mesh_files, too.")
        return self

    def sources(self) -> Sequence[Path]:
        """Return the surfaces, where they are files of one's own."""
        return tuple(self._find(self.mesh_files[name]) for name in SURFACES if self.mesh_files)

    def sees(self) -> dict[str, Sight]:
        """Each row on its own."""
        return {"responses": "row"}

    def run(self, responses: Responses) -> Responses:
        """Return responses (n_samples, n_vertices) on the surface.

        Raises
        ------
        DataError
            The responses are no volume, or meet the surface nowhere.
        """
        space = responses.space
        if space.kind != "volume" or space.mask is None or space.affine is None:
            raise DataError(
                f"{self.stage}: the responses lie in a space of kind '{space.kind}'. Give those of "
                "a volume, with mask and affine."
            )
        if responses.foldwise is not None:
            raise DataError(
                f"{self.stage}: the responses were preprocessed within each fold, which is done "
                "on the columns that are scored. Move this step before that one."
            )
        weights = self._make_weights(np.asarray(space.mask, bool), np.asarray(space.affine))
        met = np.flatnonzero(np.diff(weights.indptr))
        if not len(met):
            raise DataError(
                f"{self.stage}: no vertex of {self.mesh} meets a voxel. Check that the volume's "
                "affine gives millimetres of the surface's space (MNI for fsaverage5)."
            )
        weights = weights[met]
        n = len(responses.data)
        data = np.empty((n, len(met)), np.float32)
        for start in range(0, n, ROWS):
            rows = np.asarray(responses.data[start : start + ROWS], np.float64)
            data[start : start + ROWS] = (weights @ rows.T).T
        rois = {name: weights @ np.asarray(roi, float) >= 0.5 for name, roi in space.rois.items()}
        on_surface = Space(kind="surface", mesh=self.mesh, vertices=met, rois=rois)
        return replace(responses, data=data, space=on_surface)

    def _make_weights(self, mask: np.ndarray, affine: np.ndarray) -> csr_matrix:
        surfaces = {name: self._load(name) for name in SURFACES}
        white, pial = (
            np.concatenate([surfaces[f"{kind}_left"], surfaces[f"{kind}_right"]])
            for kind in ("white", "pial")
        )
        if white.shape != pial.shape:
            raise DataError(
                f"{self.stage}: the white surfaces have {len(white)} vertices, the pial ones "
                f"{len(pial)}. Give surfaces of one reconstruction."
            )
        return make_projection(white, pial, mask, affine, self.depths, self.interpolation)

    def _load(self, name: str) -> np.ndarray:
        import nibabel

        if not self.mesh_files:
            from nilearn.datasets import fetch_surf_fsaverage  # of files that nilearn ships

            path = fetch_surf_fsaverage("fsaverage5")[name]
        else:
            path = str(self._find(self.mesh_files[name]))
        try:
            if path.endswith((".gii", ".gii.gz")):
                return np.asarray(nibabel.load(path).darrays[0].data, np.float64)
            return np.asarray(nibabel.freesurfer.read_geometry(path)[0], np.float64)
        except Exception as error:  # whatever a damaged file makes nibabel say
            raise DataError(
                f"{self.stage}: {path} cannot be read as a surface ({type(error).__name__}: "
                f"{error}). Give GIFTI or FreeSurfer geometry."
            ) from error

    def _find(self, path: str) -> Path:
        if Path(path).is_file():
            return Path(path)
        return find_raw(path, dataset=self.stage, get="Correct the path.")
