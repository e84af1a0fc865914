"""Read one dataset of a foreign HDF5 file, following no link that leaves the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.datasets.array_files import check_key

MOST_LINKS = 16


@contextmanager
def open_hdf5(path: Path, where: str) -> Iterator[Any]:
    """Open a foreign HDF5 file for reading."""
    import h5py

    try:
        file = h5py.File(path, "r", locking=False)
    except OSError as error:
        raise DataError(
            f"{where}: {path} cannot be opened as HDF5 ({error}). It is truncated, damaged or of "
            "another format. Copy or save it again."
        ) from error
    with file:
        yield file


def read_hdf5(path: Path, key: str, where: str) -> np.ndarray:
    """Return the dataset at a path within the file, axes in the order HDF5 gives."""
    with open_hdf5(path, where) as file:
        dataset = find_dataset(file, key, path, where)
        return read_dataset(dataset, path, where)


def find_dataset(file: Any, key: str, path: Path, where: str) -> Any:
    """Return the dataset of a key; external and virtual ones are refused.

    Every step of the way is looked at before it is taken, since opening an external link would
    already read another file.
    """
    import h5py

    parts, node, links = [p for p in key.split("/") if p], file, 0
    trail: list[str] = []
    if not parts:
        check_key("", [k for k in file if not k.startswith("#")], path, where)
    while parts:
        part = parts.pop(0)
        if not isinstance(node, h5py.Group) or part not in _list_links(node):
            known = _list_links(node) if isinstance(node, h5py.Group) else []
            here = "/".join(trail)
            check_key(part, known, Path(f"{path}:/{here}") if here else path, where)
        link = node.get(part, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise _refuse(path, key, where, f"an external link to '{link.filename}'")
        if isinstance(link, h5py.SoftLink):
            links += 1
            if links > MOST_LINKS:
                raise _refuse(path, key, where, "a chain of links without end")
            # A relative target starts at the group that holds the link.
            base = [] if link.path.startswith("/") else trail
            parts = [*base, *(p for p in link.path.split("/") if p not in ("", ".")), *parts]
            node, trail = file, []
            continue
        node = node[part]
        trail.append(part)
    if isinstance(node, h5py.Group):
        names = [f"{key}/{name}" for name in _list_links(node)]
        check_key("", names, path, where)
    return node


def read_dataset(dataset: Any, path: Path, where: str) -> np.ndarray:
    """Return a dataset's content; variable-length text as text."""
    import h5py

    name = dataset.name
    if dataset.is_virtual:
        raise _refuse(path, name, where, "a virtual dataset, whose data lie in other files")
    if dataset.external:
        raise _refuse(path, name, where, "a dataset whose data lie in another file")
    try:
        if h5py.check_string_dtype(dataset.dtype) is not None:
            return np.asarray(dataset.asstr()[()]).astype(str)
        if dataset.dtype.kind not in "fiubS":
            raise DataError(
                f"{where}: '{name}' in {path} holds values of type {dataset.dtype}. Allowed: real "
                "numbers or text. Save it as a plain array."
            )
        return np.asarray(dataset[()])
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{where}: '{name}' in {path} cannot be read ({error}). The file is truncated or "
            "damaged. Copy or save it again."
        ) from error


def _list_links(group: Any) -> list[str]:
    return [name for name in group if not name.startswith("#")]


def _refuse(path: Path, key: str, where: str, found: str) -> DataError:
    return DataError(
        f"{where}: '{key}' in {path} is {found}. Allowed: data within the file, so that its "
        "digest tells what was read. Copy the data into it (h5repack, or save it again)."
    )
