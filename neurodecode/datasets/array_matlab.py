"""Read one variable of a MATLAB file: version 5 (and 4) through SciPy, 7.3 as HDF5.

Both give the same array: MATLAB stores 7.3 variables with their axes reversed, text as 16-bit
codes and cells as references; all three are undone. A field of a struct is "struct/field".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.datasets.array_files import check_key, reading_library
from neurodecode.datasets.array_hdf5 import (
    check_storage,
    find_dataset,
    open_hdf5,
    read_dataset,
)

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
USER_BLOCK = 512  # MATLAB's own header comes before the HDF5 part
MOST_EMPTY = 1 << 31  # rows or columns of an empty matrix


def read_matlab(path: Path, key: str, where: str) -> np.ndarray:
    """Return a variable as MATLAB shows it; cells and char matrices as arrays of text."""
    with path.open("rb") as stream:
        head = stream.read(USER_BLOCK + len(HDF5_SIGNATURE))
    if head.startswith(HDF5_SIGNATURE) or head[USER_BLOCK:] == HDF5_SIGNATURE:
        return _read_73(path, key, where)
    return _read_5(path, key, where)


def _read_5(path: Path, key: str, where: str) -> np.ndarray:
    from scipy.io import loadmat, whosmat

    try:
        names = [name for name, _, _ in whosmat(path)]
        check_key(key.partition("/")[0], names, path, where)
        if names.count(key.partition("/")[0]) > 1:
            raise DataError(
                f"{where}: {path} holds {names.count(key.partition('/')[0])} variables called "
                f"'{key.partition('/')[0]}'. Allowed: one of a name. Save them again."
            )
        # mat_dtype: the type it has in MATLAB, not the smaller one it is packed in.
        value = loadmat(path, variable_names=[key.partition("/")[0]], mat_dtype=True)
        value = value[key.partition("/")[0]]
    except DataError:
        raise
    except Exception as error:  # scipy raises whatever the damaged bytes lead it to
        raise DataError(
            f"{where}: {path} cannot be read as a MATLAB file ({type(error).__name__}: {error}). "
            "It is truncated or damaged. Copy or save it again."
        ) from error
    for field in key.split("/")[1:]:
        fields = (value.dtype.names or ()) if isinstance(value, np.ndarray) else ()
        check_key(field, fields, path, where)
        if value.size != 1:
            raise _refuse(path, key, where, f"a struct array of {value.size} elements")
        value = value.reshape(-1)[0][field]
    if not isinstance(value, np.ndarray):
        raise _refuse(path, key, where, "a sparse matrix or an object")
    if value.dtype.kind == "O":
        return _join_cells(list(value.reshape(-1)), path, key, where)
    if value.dtype.names:
        raise _refuse(path, key, where, f"a struct with fields {', '.join(value.dtype.names)}")
    if value.dtype.kind == "U":
        return np.char.rstrip(value)  # char matrices are padded with blanks
    return value


def _read_73(path: Path, key: str, where: str) -> np.ndarray:
    with open_hdf5(path, where) as file:
        return _convert(find_dataset(file, key, path, where), file, path, key, where)


def _convert(
    dataset: Any, file: Any, path: Path, key: str, where: str, in_cell: bool = False
) -> np.ndarray:
    import h5py

    if isinstance(dataset, h5py.Group):
        raise _refuse(path, key, where, "a struct or a sparse matrix")
    with reading_library(path, key, where):
        kind = dataset.attrs.get("MATLAB_class", b"")
        kind = kind.decode() if isinstance(kind, bytes) else str(kind)
        is_empty = bool(dataset.attrs.get("MATLAB_empty", 0))
        is_cell = h5py.check_ref_dtype(dataset.dtype) is not None
    if is_empty:
        shape = tuple(int(n) for n in read_dataset(dataset, path, where).reshape(-1))
        if not shape or min(shape) != 0 or max(shape) > MOST_EMPTY:
            raise _refuse(path, key, where, f"said to be empty and of shape {shape}")
        return np.zeros(shape)
    if is_cell and in_cell:
        raise _refuse(path, key, where, "a cell array within a cell array")
    if is_cell:
        check_storage(dataset, path, where)
        with reading_library(path, key, where):
            cells = [file[reference] for reference in np.asarray(dataset[()]).T.reshape(-1)]
        arrays = [_convert(cell, file, path, key, where, in_cell=True) for cell in cells]
        return _join_cells(arrays, path, key, where)
    values = read_dataset(dataset, path, where).T
    if kind == "char":
        with reading_library(path, key, where):
            rows = np.atleast_2d(values).astype(np.uint16, casting="safe")
            return np.array(["".join(map(chr, row)).rstrip() for row in rows], dtype=str)
    # MATLAB's axes reversed are columns first: give rows first, as the version 5 reader does.
    return values.astype(bool) if kind == "logical" else values


def _join_cells(cells: list[Any], path: Path, key: str, where: str) -> np.ndarray:
    """Return a cell array's strings, or its scalars, as one flat array."""
    if all(isinstance(c, np.ndarray) and c.dtype.kind == "U" and c.size <= 1 for c in cells):
        return np.array([c.item() if c.size else "" for c in cells], dtype=str)
    if all(isinstance(c, np.ndarray) and c.dtype.kind in "fiub" and c.size == 1 for c in cells):
        return np.array([c.item() for c in cells])
    raise _refuse(path, key, where, "a cell array of mixed or larger content")


def _refuse(path: Path, key: str, where: str, found: str) -> DataError:
    return DataError(
        f"{where}: '{key}' in {path} is {found}. Allowed: a full numeric array, a char matrix, or "
        "a cell array of strings. Convert it in MATLAB (full, cell2mat) and save it again."
    )
