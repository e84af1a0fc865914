"""Read one dataset of a foreign HDF5 file, following no link that leaves the file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.core.hdf5 import measure_storage
from neurodecode.datasets.array_files import check_key, check_room, reading_library

MOST_LINKS = 16


@contextmanager
def open_hdf5(path: Path, where: str) -> Iterator[Any]:
    """Open a foreign HDF5 file for reading."""
    import h5py

    with reading_library(path, "", where):
        file = h5py.File(path, "r", locking=False)
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
        check_key("", _list_links(file, path, where), path, where)
    while parts:
        part = parts.pop(0)
        known = _list_links(node, path, where) if isinstance(node, h5py.Group) else []
        here = "/".join(trail)
        if links and part not in known:
            raise _refuse(path, key, where, f"a link to '{part}', which is not there")
        check_key(part, known, Path(f"{path}:/{here}") if here else path, where)
        with reading_library(path, key, where):
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
        with reading_library(path, key, where):
            node = node[part]
        trail.append(part)
    if isinstance(node, h5py.Group):
        names = [f"{key}/{name}" for name in _list_links(node, path, where)]
        check_key("", names, path, where)
    if not isinstance(node, h5py.Dataset):
        raise _refuse(path, key, where, "a named type")
    return node


def read_dataset(dataset: Any, path: Path, where: str) -> np.ndarray:
    """Return a dataset's content; variable-length text as text."""
    import h5py

    with reading_library(path, dataset.name or "", where):
        name, is_virtual, external = dataset.name, dataset.is_virtual, dataset.external
        dtype, shape = dataset.dtype, dataset.shape
        is_text = h5py.check_string_dtype(dtype) is not None
    if is_virtual:
        raise _refuse(path, name, where, "a virtual dataset, whose data lie in other files")
    if external:
        raise _refuse(path, name, where, "a dataset whose data lie in another file")
    if shape is None or (dtype.kind not in "fiubS" and not is_text):
        found = "nothing" if shape is None else f"values of type {dtype}"
        raise DataError(
            f"{where}: '{name}' in {path} holds {found}. Allowed: real numbers or text. Save it "
            "as a plain array."
        )
    check_storage(dataset, path, where)
    _check_filters(dataset, path, where)
    with reading_library(path, name, where):
        if is_text:
            return np.asarray(dataset.asstr()[()]).astype(str)
        return np.asarray(dataset[()])


def check_storage(dataset: Any, path: Path, where: str) -> None:
    """Refuse a shape that the file holds no values for: HDF5 would make them up.

    Also refuses, before anything is allocated, what no memory could hold.
    """
    with reading_library(path, dataset.name, where):
        shape = dataset.shape
        n_bytes = math.prod(shape) * dataset.id.get_type().get_size()
        held, wanted, what = measure_storage(dataset)
    if held < wanted:
        raise DataError(
            f"{where}: '{dataset.name}' in {path} is of shape {shape}, {wanted} {what}, of which "
            f"the file holds {held}; the rest was never written. Allowed: whole arrays. Write all "
            "of it, or save the part that is there."
        )
    check_room(n_bytes, f"{where}: '{dataset.name}' in {path}")


def _check_filters(dataset: Any, path: Path, where: str) -> None:
    """Refuse what was packed in a way that cannot be undone here."""
    import h5py

    with reading_library(path, dataset.name, where):
        packing = dataset.id.get_create_plist()
        filters = [packing.get_filter(i)[0] for i in range(packing.get_nfilters())]
        absent = [code for code in filters if not h5py.h5z.filter_avail(code)]
    if absent:
        raise DataError(
            f"{where}: '{dataset.name}' in {path} is packed with filter {absent[0]}, which is not "
            "installed. Allowed: gzip, lzf, or none. Save it so (h5repack -f GZIP=1)."
        )


def _list_links(group: Any, path: Path, where: str) -> list[str]:
    with reading_library(path, group.name or "", where):
        return [name for name in group if not name.startswith("#")]


def _refuse(path: Path, key: str, where: str, found: str) -> DataError:
    return DataError(
        f"{where}: '{key}' in {path} is {found}. Allowed: data within the file, so that its "
        "digest tells what was read. Copy the data into it (h5repack, or save it again)."
    )
