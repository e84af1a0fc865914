"""Where the columns of image files lie: masks of volumes, vertices of surfaces, CIFTI's parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from neurodecode.core.artifacts import Space
from neurodecode.core.errors import DataError
from neurodecode.datasets.scan_files import ScanFile, is_same_affine, iterate_scans

# Vertices per hemisphere of the meshes that go by a name.
FSAVERAGE: Mapping[int, str] = {
    642: "fsaverage3", 2562: "fsaverage4", 10242: "fsaverage5", 40962: "fsaverage6",
    163842: "fsaverage",
}  # fmt: skip
FSLR: Mapping[int, str] = {32492: "fsLR32k", 59292: "fsLR59k", 163842: "fsLR164k"}
LEFT, RIGHT = "CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_CORTEX_RIGHT"


def make_volume_space(file: ScanFile, mask: np.ndarray, where: str) -> tuple[Space, np.ndarray]:
    """Return the space of the voxels of a mask, and their columns in the grid."""
    columns = np.flatnonzero(mask)
    if not len(columns):
        raise DataError(f"{where}: the mask holds no voxel. Check it, or choose another.")
    return Space(kind="volume", mask=mask, affine=file.affine), columns


def make_surface_space(file: ScanFile, space: str, where: str) -> tuple[Space, np.ndarray]:
    """Return the space of all vertices, left first.

    Parameters
    ----------
    space : str
        As BIDS has it: "fsaverage5", "fsaverage", "fsLR", "fsnative".

    Raises
    ------
    DataError
        The mesh has another number of vertices than its name says.
    """
    known = {**FSAVERAGE} if space.startswith("fsaverage") else FSLR if space == "fsLR" else {}
    mesh = space
    if known:
        of_size = known.get(file.grid[0])
        if (
            len(set(file.grid)) > 1
            or of_size is None
            or space not in ("fsaverage", "fsLR", of_size)
        ):
            raise DataError(
                f"{where}: {file.paths[0].name} has {file.grid[0]} vertices on the left and "
                f"{file.grid[1]} on the right, which is no {space}. Allowed: "
                f"{', '.join(f'{n} ({m})' for n, m in known.items())} per hemisphere. Correct "
                "space, or the names of the files."
            )
        mesh = of_size
    columns = np.arange(sum(file.grid))
    return Space(kind="surface", mesh=mesh, vertices=columns), columns


def make_cifti_space(
    file: ScanFile, structures: Literal["cortex", "subcortex"], where: str
) -> tuple[Space, np.ndarray, list[str]]:
    """Return the space of CIFTI's cortex or of its other structures, their columns, and a notice.

    Cortex is a surface ("fsLR32k"); the rest is a volume, its voxels sorted in C order.

    Raises
    ------
    DataError
        There are no grayordinates of that kind.
    """
    import nibabel

    models = nibabel.load(file.paths[0]).header.get_axis(1)
    parts = {name: np.arange(len(models))[where_] for name, where_, _ in models.iter_structures()}
    cortex = {name: columns for name, columns in parts.items() if name in (LEFT, RIGHT)}
    other = {name: columns for name, columns in parts.items() if name not in cortex}
    chosen, left_out = (cortex, other) if structures == "cortex" else (other, cortex)
    if not chosen:
        raise DataError(
            f"{where}: {file.paths[0].name} holds nothing of structures: {structures}. Allowed: "
            f"{'subcortex' if other else 'cortex'}."
        )
    n_left_out = sum(len(columns) for columns in left_out.values())
    told = "subcortical voxels" if structures == "cortex" else "vertices of the cortex"
    again = "subcortex" if structures == "cortex" else "cortex"
    notices = [
        f"{n_left_out} {told} of the CIFTI files are left out; a step with structures: {again} "
        "reads them."
    ] if n_left_out else []  # fmt: skip
    if structures == "cortex":
        return *_make_cortex(models, cortex, file, where), notices
    columns = np.concatenate(list(chosen.values()))
    shape = tuple(int(n) for n in models.volume_shape)
    flat = np.ravel_multi_index(tuple(models.voxel[columns].T), shape)
    mask = np.zeros(shape, bool)
    mask.ravel()[flat] = True
    space = Space(kind="volume", mask=mask, affine=np.asarray(models.affine, np.float64))
    return space, columns[np.argsort(flat, kind="stable")], notices


def _make_cortex(
    models: Any, cortex: Mapping[str, np.ndarray], file: ScanFile, where: str
) -> tuple[Space, np.ndarray]:
    sizes = [int(models.nvertices[name]) for name in (LEFT, RIGHT) if name in cortex]
    mesh = FSLR.get(sizes[0])
    if mesh is None or len(set(sizes)) > 1:
        raise DataError(
            f"{where}: {file.paths[0].name} lies on surfaces of {sizes} vertices. Allowed: "
            f"{', '.join(f'{n} ({m})' for n, m in FSLR.items())} per hemisphere. Resample it to "
            "fsLR."
        )
    columns = np.concatenate([cortex[name] for name in (LEFT, RIGHT) if name in cortex])
    vertices = np.concatenate(
        [models.vertex[cortex[name]] + (sizes[0] if name == RIGHT else 0)
         for name in (LEFT, RIGHT) if name in cortex]
    )  # fmt: skip
    return Space(kind="surface", mesh=mesh, vertices=vertices.astype(np.int64)), columns


def read_mask(path: Path, file: ScanFile, where: str) -> np.ndarray:
    """Return a mask that must lie on the grid of the scans.

    Raises
    ------
    DataError
        It is on another grid, or holds other values than zeros and ones.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        image = nibabel.load(path)
        values = np.asarray(image.dataobj)
    except (ImageFileError, OSError, EOFError) as error:
        raise DataError(f"{where}: mask {path} cannot be read ({error}). Copy it again.") from error
    values = values[..., 0] if values.ndim == 4 and values.shape[3] == 1 else values
    if values.shape != file.grid or not is_same_affine(file.affine, image.affine):  # type: ignore[arg-type]
        raise DataError(
            f"{where}: mask {path.name} has shape {values.shape}, the scans {file.grid}, and "
            "both must have one affine. Resample the mask to the scans' grid (nearest neighbour), "
            "or give that of their space."
        )
    found = np.unique(values)
    if not np.isin(found, (0, 1)).all():
        raise DataError(
            f"{where}: mask {path.name} holds values from {found.min():g} to {found.max():g}. "
            "Allowed: 0 and 1. Threshold it first; regions of an atlas are added by datasets.rois."
        )
    return values != 0


def compute_mask(files: Sequence[ScanFile], how: Literal["epi", "brain"]) -> np.ndarray:
    """Return the voxels that nilearn takes for brain in every run.

    Parameters
    ----------
    how : {"epi", "brain"}
        From the histogram of the mean scan but for zeros (compute_epi_mask), or the MNI template's
        brain brought to the grid (compute_brain_mask), which is right in MNI space only.
    """
    import nibabel
    from nilearn.masking import compute_brain_mask, compute_epi_mask

    inside = np.ones(files[0].grid, bool)
    for file in files:
        total = np.zeros(file.n_columns)
        for _, block in iterate_scans(file, np.arange(file.n_columns)):
            total += np.nan_to_num(block, nan=0.0).sum(axis=0, dtype=np.float64)
        mean = nibabel.Nifti1Image((total / file.n_scans).reshape(file.grid), file.affine)
        # zeros are padding, or a mask applied before; they would be taken for the darker tissue
        found = (
            compute_epi_mask(mean, exclude_zeros=True) if how == "epi" else compute_brain_mask(mean)
        )
        inside &= np.asarray(found.dataobj) != 0
    return inside
