"""Read one array of an .npy or .npz file; pickles are never read.

What the header claims is compared with what the file holds before anything is allocated.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.datasets.array_files import check_key, check_room, reading_library

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
PICKLE = b"\x80"  # how a pickle starts


def read_npy(path: Path, key: str, where: str) -> np.ndarray:
    """Return the array of an .npy file."""
    if key:
        raise DataError(
            f"{where}: '{key}' is wanted from {path}, but an .npy file holds one array without a "
            f"name. Write '{path.name}::'."
        )
    with path.open("rb") as stream:
        return _read_stream(stream, path.stat().st_size, path.name, path, where)


def read_npz(path: Path, key: str, where: str) -> np.ndarray:
    """Return an array of an .npz archive; nothing is unpacked to disk."""
    if not zipfile.is_zipfile(path):
        raise DataError(
            f"{where}: {path} is no .npz archive: it is truncated, or a pickle under that name. "
            "Pickles are never read. Save the arrays again with numpy.savez."
        )
    with reading_library(path, key, where):
        archive = zipfile.ZipFile(path)
    with archive:
        members = archive.infolist()
        check_key(key, [m.filename.removesuffix(".npy") for m in members], path, where)
        found = [m for m in members if m.filename.removesuffix(".npy") == key]
        if len(found) > 1:
            raise DataError(
                f"{where}: {path} holds {len(found)} arrays called '{key}'. Allowed: one of a "
                "name. Save the arrays again with numpy.savez."
            )
        if found[0].flag_bits & 1:
            raise DataError(
                f"{where}: '{key}' in {path} is encrypted. Allowed: plain archives, as "
                "numpy.savez writes them. Unpack it and save it again."
            )
        with reading_library(path, key, where):
            stream = archive.open(found[0])
        with stream:
            return _read_stream(stream, found[0].file_size, key, path, where)


def _read_stream(stream: IO[bytes], n_bytes: int, name: str, path: Path, where: str) -> np.ndarray:
    with reading_library(path, name, where):
        pickled = stream.read(1) == PICKLE
        stream.seek(0)
        version = None if pickled else np.lib.format.read_magic(stream)
    if version is not None and version not in HEADERS:
        raise DataError(
            f"{where}: '{name}' in {path} is of .npy format {version[0]}.{version[1]}. Allowed: "
            "1.0 and 2.0, in which numpy saves numbers and text. Save a plain array."
        )
    if version is not None:
        with reading_library(path, name, where):
            shape, _, dtype = HEADERS[version](stream)
            start = stream.tell()
        pickled = dtype.hasobject
    if pickled:
        raise DataError(
            f"{where}: '{name}' in {path} is a pickle of Python objects. Allowed: arrays of "
            "numbers or text; pickles are never read, since they can run any code. Save it with "
            "a dtype such as float32 or str."
        )
    claimed, held = math.prod(shape) * dtype.itemsize, n_bytes - start
    if min(shape, default=0) < 0 or claimed != held:
        raise DataError(
            f"{where}: '{name}' in {path} should hold {claimed} bytes, an array of {dtype} of "
            f"shape {shape}, and holds {held}. It is truncated or damaged: copy or save it again."
        )
    check_room(claimed, f"{where}: '{name}' in {path}")
    with reading_library(path, name, where):
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)
