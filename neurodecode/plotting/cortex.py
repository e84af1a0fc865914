"""A cortical surface to draw on: one's own, from GIFTI files, or fsaverage5 from inside nilearn.

Vertices of both hemispheres are numbered together, the left ones first. Shapes of one hemisphere
share their vertices; a flat map lacks the faces along its cuts and of the medial wall.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from neurodecode.core.artifacts import Space
from neurodecode.core.checks import check_known, list_names
from neurodecode.core.errors import DataError
from neurodecode.numerics.volume_projection import make_projection

HEMISPHERES = ("left", "right")
SHAPES = ("inflated", "pial", "white", "flat")
Mesh = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Cortex:
    """A surface in several shapes.

    Parameters
    ----------
    name : str
        As in ``Space.mesh``.
    meshes : mapping of (hemisphere, shape) to (points, faces)
        Points: (n, 3) float64, millimetres to the right, front and top; of a flat map the third
        is 0. Faces: (m, 3) int64.
    curvature : mapping of hemisphere to array, shape (n,)
        Positive in sulci.
    source : str
        Where it is from, for captions.
    """

    name: str
    meshes: Mapping[tuple[str, str], Mesh]
    curvature: Mapping[str, np.ndarray]
    source: str = ""

    @property
    def n_vertices(self) -> dict[str, int]:
        """Number of vertices of each hemisphere."""
        return {side: len(self.curvature[side]) for side in HEMISPHERES}

    @property
    def shapes(self) -> tuple[str, ...]:
        """Shapes that both hemispheres have."""
        return tuple(s for s in SHAPES if all((side, s) in self.meshes for side in HEMISPHERES))

    def halve(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """Return values of all vertices by hemisphere."""
        n_left = self.n_vertices["left"]
        return {"left": values[:n_left], "right": values[n_left:]}

    def find_off_map(self) -> np.ndarray:
        """Return which vertices the flat maps leave out: their cuts and the medial wall."""
        off = np.ones(sum(self.n_vertices.values()), bool)
        for side, half in self.halve(off).items():
            half[self.meshes[side, "flat"][1]] = False
        return off

    def place(self, values: np.ndarray, space: Space, empty: float = np.nan) -> np.ndarray:
        """Return one value per vertex.

        Parameters
        ----------
        values : array of float, shape (n_voxels,)
        space : Space
            Surface, of this mesh, or volume.
        empty : float
            Of vertices without one.
        """
        if space.kind == "surface":
            on_surface = np.full(sum(self.n_vertices.values()), empty)
            on_surface[np.asarray(space.vertices)] = values
            return on_surface
        mask = np.asarray(space.mask, bool)
        volume = np.full(mask.shape, np.nan)
        volume[mask] = values
        found = project_volume(self, volume, mask, np.asarray(space.affine, np.float64))
        return np.where(np.isfinite(found), found, empty)


def project_volume(
    cortex: Cortex, volume: np.ndarray, mask: np.ndarray, affine: np.ndarray
) -> np.ndarray:
    """Return a volume's values at the vertices of a surface.

    A vertex gets the mean of the voxels met at five depths between the white and the pial surface.
    Voxels outside the mask and voxels without a number are left out, where interpolation over
    neighbours would mix them in; NaN where none is left.

    Parameters
    ----------
    volume : array of float, shape (x, y, z);  mask : array of bool, same shape
    affine : array, shape (4, 4)
        From voxels to the millimetres of the surface.

    Returns
    -------
    values : array of float64, shape (n_vertices,)

    Raises
    ------
    DataError
        The surface lacks a white or a pial shape.
    """
    for shape in ("white", "pial"):
        check_known(shape, cortex.shapes, what="shape", where=f"mesh {cortex.name}")
    usable = mask & np.isfinite(volume)
    white, pial = (
        np.concatenate([cortex.meshes[side, shape][0] for side in HEMISPHERES])
        for shape in ("white", "pial")
    )
    weights = make_projection(white, pial, usable, affine, interpolation="nearest")
    met = np.diff(weights.indptr) > 0
    return np.where(met, weights @ volume[usable], np.nan)


@cache
def load_fsaverage5() -> Cortex:
    """Return fsaverage5 (Fischl et al. 1999); nothing is fetched."""
    from neurodecode.plotting.fsaverage5 import load_curvature, load_mesh

    files = {"inflated": "infl", "pial": "pial", "white": "white", "flat": "flat"}
    meshes = {
        (side, shape): load_mesh(side, file)
        for side in HEMISPHERES
        for shape, file in files.items()
    }
    return Cortex("fsaverage5", meshes, {side: load_curvature(side) for side in HEMISPHERES})


def list_mesh_files(mesh_files: Mapping[str, Mapping[str, str]]) -> list[Path]:
    """Return every file that a setting ``mesh_files`` names."""
    return sorted({Path(path) for files in mesh_files.values() for path in files.values()})


def load_cortex(space: Space, mesh_files: Mapping[str, Mapping[str, str]], where: str) -> Cortex:
    """Return the surface that values of a space are drawn on.

    Parameters
    ----------
    mesh_files : mapping of hemisphere to mapping of shape, or "curvature", to path
        GIFTI files; empty takes fsaverage5.
    where : str
        The stage, for messages.

    Raises
    ------
    DataError
        Files are unnamed, unreadable or do not fit together, or the space is of another mesh.
    """
    if not mesh_files:
        if space.kind == "surface" and space.mesh != "fsaverage5":
            raise DataError(
                f"{where}: the surface is '{space.mesh or 'unnamed'}', and only fsaverage5 comes "
                "with this package. Give its GIFTI files as mesh_files, or resample the responses "
                "to fsaverage5 first."
            )
        return load_fsaverage5()
    for side, files in mesh_files.items():
        check_known(side, HEMISPHERES, what="hemisphere", where=f"{where}: mesh_files")
        for shape in files:
            check_known(
                shape, (*SHAPES, "curvature"), what="shape", where=f"{where}: mesh_files: {side}"
            )
    absent = [side for side in HEMISPHERES if not set(SHAPES) & set(mesh_files.get(side, ()))]
    if absent:
        raise DataError(
            f"{where}: mesh_files name no shape of the {absent[0]} hemisphere. Allowed for each "
            f"hemisphere: {list_names(SHAPES)}, at least one, and curvature."
        )
    meshes = {
        (side, shape): _read_mesh(Path(path), where)
        for side, files in mesh_files.items()
        for shape, path in files.items()
        if shape != "curvature"
    }
    curvature = {}
    for side in HEMISPHERES:
        counts = {shape: len(m[0]) for (s, shape), m in meshes.items() if s == side}
        if len(set(counts.values())) > 1:
            words = ", ".join(f"{shape} {n}" for shape, n in counts.items())
            raise DataError(
                f"{where}: mesh_files: shapes of the {side} hemisphere differ in vertices: "
                f"{words}. Give files of one mesh."
            )
        n = next(iter(counts.values()))
        path = mesh_files[side].get("curvature")
        curvature[side] = np.zeros(n) if path is None else _read_curvature(Path(path), n, where)
    return Cortex(space.mesh or "own", meshes, curvature, "meshes given as files")


def _read_gifti(path: Path, where: str) -> list[np.ndarray]:
    import nibabel

    try:
        return [np.asarray(array.data) for array in nibabel.load(path).darrays]
    except FileNotFoundError as error:
        raise DataError(f"{where}: mesh_files: {path} is not there. Correct the path.") from error
    except Exception as error:  # whatever a foreign file makes nibabel or expat raise
        raise DataError(
            f"{where}: mesh_files: {path} cannot be read as GIFTI ({type(error).__name__}). "
            "Convert it with mris_convert (lh.inflated to lh.inflated.gii; curvature with -c)."
        ) from error


def _read_mesh(path: Path, where: str) -> Mesh:
    arrays = _read_gifti(path, where)
    is_mesh = len(arrays) == 2 and all(a.ndim == 2 and a.shape[1] == 3 for a in arrays)
    if not is_mesh or arrays[1].min() < 0 or arrays[1].max() >= len(arrays[0]):
        raise DataError(
            f"{where}: mesh_files: {path} holds arrays of shapes {[a.shape for a in arrays]}. "
            "Allowed: the points (n, 3) and the faces (m, 3) of one surface (.surf.gii)."
        )
    return arrays[0].astype(np.float64), arrays[1].astype(np.int64)


def _read_curvature(path: Path, n_vertices: int, where: str) -> np.ndarray:
    arrays = _read_gifti(path, where)
    if len(arrays) != 1 or arrays[0].shape != (n_vertices,):
        raise DataError(
            f"{where}: mesh_files: {path} holds arrays of shapes {[a.shape for a in arrays]}. "
            f"Allowed: one value for each of the {n_vertices} vertices (.shape.gii)."
        )
    return arrays[0].astype(np.float64)
