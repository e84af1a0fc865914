"""Time series in image files: volumes (NIfTI), surfaces (GIFTI) and both (CIFTI).

A file is read in blocks of scans, in the order in which it is compressed, so that no more than a
block of the whole grid is in memory beside the columns that are kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.datasets.bids_index import FORM_OF, Form
from neurodecode.datasets.repetition_time import read_header_t_r

BLOCK_BYTES = 1 << 24
GRID_TOLERANCE_MM = 1e-3


@dataclass(frozen=True, eq=False)
class ScanFile:
    """What the headers of a run say.

    Parameters
    ----------
    paths : tuple of Path
        One file; of surfaces two, left hemisphere first.
    form : {"nifti", "gifti", "cifti"}
    n_scans : int
    grid : tuple of int
        Volumes: (x, y, z); surfaces: vertices of left and right; CIFTI: grayordinates.
    affine : array, shape (4, 4), or None
    t_r : float or None
        As the header has it, seconds.
    """

    paths: tuple[Path, ...]
    form: Form
    n_scans: int
    grid: tuple[int, ...]
    affine: np.ndarray | None
    t_r: float | None

    @property
    def n_columns(self) -> int:
        """Number of places measured, before any mask."""
        return sum(self.grid) if self.form == "gifti" else int(np.prod(self.grid))


@dataclass(frozen=True, eq=False)
class RunScans:
    """The kept scans and columns of a run, read when sliced, as float32.

    Parameters
    ----------
    file : ScanFile
    columns : array of int, shape (n_kept,)
        Of the grid in C order; of surfaces, left vertices first.
    scans : array of int, shape (n_scans,)
        Ascending.
    """

    file: ScanFile
    columns: np.ndarray
    scans: np.ndarray

    dtype = np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, int]:
        """Scans and columns."""
        return len(self.scans), len(self.columns)

    def __len__(self) -> int:
        return len(self.scans)

    def __getitem__(self, key: Any) -> Any:
        return np.asarray(self)[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        out = np.empty(self.shape, np.float32)
        for place, block in self.iterate():
            out[place : place + len(block)] = block
        return out if dtype is None else out.astype(dtype, copy=False)

    def iterate(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first row, rows) block by block."""
        place = 0
        for start, block in iterate_scans(self.file, self.columns):
            kept = self.scans[(self.scans >= start) & (self.scans < start + len(block))]
            if len(kept):
                yield place, block[kept - start]
                place += len(kept)


def open_scans(paths: Sequence[Path], where: str) -> ScanFile:
    """Return what the headers of a run's files say.

    Raises
    ------
    DataError
        A file cannot be read, or holds no time series.
    """
    import nibabel

    form = FORM_OF.get("".join(paths[0].suffixes[-2:]), FORM_OF.get(paths[0].suffix))
    if form is None:
        raise DataError(
            f"{where}: {paths[0].name} is no time series. Allowed: {', '.join(FORM_OF)}. Convert "
            "it first."
        )
    images = [_load(path, where) for path in paths]
    if form == "gifti":
        return _open_surfaces(images, tuple(paths), where)
    image = images[0]
    if form == "cifti":
        series, models = (image.header.get_axis(k) for k in (0, 1))
        if not isinstance(series, nibabel.cifti2.SeriesAxis):
            raise DataError(f"{where}: {paths[0].name} holds no series of scans. Name a .dtseries.")
        seconds = str(series.unit).upper() == "SECOND"
        t_r = read_header_t_r(float(series.step), "sec") if seconds else None
        return ScanFile(tuple(paths), form, len(series), (len(models),), None, t_r)
    if len(image.shape) != 4 or image.shape[3] < 2:
        raise DataError(
            f"{where}: {paths[0].name} has shape {image.shape}. Allowed: volumes over time, (x, y, "
            "z, n_scans), two scans or more. Name the 4-D file of the run."
        )
    if np.dtype(image.get_data_dtype()).kind not in "iufb":
        raise DataError(
            f"{where}: {paths[0].name} holds {image.get_data_dtype()}. Allowed: real numbers. "
            "Convert it first (magnitude images, say)."
        )
    zooms = image.header.get_zooms()
    unit = image.header.get_xyzt_units()[1] if hasattr(image.header, "get_xyzt_units") else "sec"
    t_r = read_header_t_r(float(zooms[3]), unit) if len(zooms) > 3 else None
    affine = np.asarray(image.affine, np.float64)
    return ScanFile(tuple(paths), form, image.shape[3], tuple(image.shape[:3]), affine, t_r)


def iterate_scans(file: ScanFile, columns: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first scan, scans) block by block.

    Parameters
    ----------
    columns : array of int, shape (n_kept,)

    Yields
    ------
    start : int
    block : array of float32, shape (n_scans_of_the_block, n_kept)

    Raises
    ------
    DataError
        The file ends early, or is damaged.
    """
    step = max(1, BLOCK_BYTES // (8 * max(1, file.n_columns)))
    images = [_load(path, file.paths[0].name) for path in file.paths]
    try:
        for start in range(0, file.n_scans, step):
            stop = min(start + step, file.n_scans)
            if file.form == "nifti":
                block = np.asarray(images[0].dataobj[..., start:stop])
                block = block.reshape(-1, stop - start)[columns].T
            elif file.form == "cifti":
                block = np.asarray(images[0].dataobj[start:stop])[:, columns]
            else:
                block = np.concatenate(
                    [_read_surface(image)[start:stop] for image in images], axis=1
                )[:, columns]
            yield start, block.astype(np.float32)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(
            f"{file.paths[0]}: it cannot be read to its end ({error}). Copy it again from where "
            "it was made."
        ) from error


def survey_scans(run: RunScans) -> tuple[np.ndarray, np.ndarray]:
    """Return which columns of a run hold NaN or infinity, and which never change.

    Returns
    -------
    broken, flat : array of bool, shape (n_kept,)
    """
    n = len(run.columns)
    broken = np.zeros(n, bool)
    low, high = np.full(n, np.inf, np.float32), np.full(n, -np.inf, np.float32)
    for _, block in run.iterate():
        broken |= ~np.isfinite(block).all(axis=0)
        low, high = np.fmin(low, block.min(axis=0)), np.fmax(high, block.max(axis=0))
    return broken, ~broken & (low >= high)


def check_same_grid(files: Sequence[ScanFile], where: str) -> None:
    """Raise DataError unless all runs were brought to the same places."""
    first = files[0]
    for file in files[1:]:
        if file.grid != first.grid or file.form != first.form:
            raise DataError(
                f"{where}: {first.paths[0].name} has grid {first.grid}, {file.paths[0].name} "
                f"{file.grid}. Allowed: runs of one grid. Resample them to one, or read them in "
                "steps of their own."
            )
        if first.affine is not None and not is_same_affine(first.affine, file.affine):
            raise DataError(
                f"{where}: {first.paths[0].name} and {file.paths[0].name} have grids of one shape "
                "but different affines: their voxels lie at different places. Resample them to "
                "one grid, or read them in steps of their own."
            )


def is_same_affine(first: np.ndarray, second: Any) -> bool:
    """Tell whether two affines place the voxels within a thousandth of a millimetre."""
    return bool(np.allclose(first, np.asarray(second), rtol=0, atol=GRID_TOLERANCE_MM))


def _load(path: Path, where: str) -> Any:
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        # one handle for the whole file: a compressed one is then unpacked once, front to back
        options = {"keep_file_open": True} if path.name.endswith((".nii", ".nii.gz")) else {}
        return nibabel.load(path, **options)
    except FileNotFoundError as error:
        raise DataError(f"{where}: {path} is not there. Correct the path.") from error
    except (ImageFileError, OSError, EOFError, ValueError) as error:
        raise DataError(
            f"{where}: {path} cannot be read as an image ({error}). Copy it again from where it "
            "was made, or name another file."
        ) from error


def _open_surfaces(images: list[Any], paths: tuple[Path, ...], where: str) -> ScanFile:
    shapes = [_read_surface(image).shape for image in images]
    if len({shape[0] for shape in shapes}) > 1:
        raise DataError(
            f"{where}: {paths[0].name} has {shapes[0][0]} scans, {paths[1].name} {shapes[1][0]}. "
            "Allowed: as many in both hemispheres. Get both files from one run of the program."
        )
    step = images[0].darrays[0].meta.get("TimeStep") or images[0].meta.get("TimeStep")
    t_r = read_header_t_r(float(step), "unknown") if step else None
    grid = tuple(shape[1] for shape in shapes)
    return ScanFile(paths, "gifti", shapes[0][0], grid, None, t_r)


def _read_surface(image: Any) -> np.ndarray:
    """Return (n_scans, n_vertices), held as an array per scan or as one of all."""
    arrays = [np.asarray(array.data) for array in image.darrays]
    if len(arrays) == 1 and arrays[0].ndim == 2:
        return arrays[0].T
    return np.stack(arrays)
