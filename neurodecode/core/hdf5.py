"""Artifacts in HDF5 files: every array with its dims, units, checksum and digest, read lazily.

The only file of the core that opens HDF5.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodecode.core.artifacts import Array, Artifact, list_arrays
from neurodecode.core.digests import dump_json, encode_text, iterate_rows, start_array_digest
from neurodecode.core.errors import StoreError
from neurodecode.core.files import PatientFile
from neurodecode.core.packing import (
    digest_parts,
    pack,
    pack_lineage,
    unpack_artifact,
    unpack_lineage,
)

if TYPE_CHECKING:
    import h5py

CHUNK_BYTES = 1 << 20
TILE_ROWS = 128  # of chunks of wide tables of numbers, which are read by rows and by columns
# What h5py and numpy raise over damaged bytes, and unpacking over what they then return.
DAMAGE = (
    OSError, KeyError, IndexError, AttributeError, TypeError, ValueError, RuntimeError,
    OverflowError, MemoryError,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An array in a result file: read when sliced, sent to workers as path and selection.

    Parameters
    ----------
    path : str
    name : str
        Of the dataset inside the file.
    full_shape : tuple of int
    dtype : numpy dtype
    rows : array of int, or None
        Selected rows of the first axis; None for all.
    """

    path: str
    name: str
    full_shape: tuple[int, ...]
    dtype: np.dtype
    rows: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the selection."""
        if self.rows is None:
            return self.full_shape
        return (len(self.rows), *self.full_shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.full_shape)

    def __len__(self) -> int:
        return self.shape[0]

    def take_rows(self, rows: Any) -> StoredArray:
        """Return a selection of the rows, still unread."""
        base = np.arange(self.full_shape[0]) if self.rows is None else self.rows
        return StoredArray(self.path, self.name, self.full_shape, self.dtype, base[rows])

    def __getitem__(self, key: Any) -> Any:
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        if not self.full_shape or first is Ellipsis or first is None:
            return self._read(None)[key]
        if isinstance(first, int | np.integer):
            row = first + len(self) if first < 0 else first
            if not 0 <= row < len(self):
                raise IndexError(f"row {first} of {len(self)}")
            return self._read(np.array([row]))[(0, *rest)]
        rows = np.arange(len(self))[first]
        if rest and isinstance(rest[0], slice) and rest[0].step in (None, 1) and self.ndim > 1:
            return self._read(rows, rest[0])[(slice(None), slice(None), *rest[1:])]
        return self._read(rows)[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = self._read(None)
        return values if dtype is None else values.astype(dtype, copy=False)

    def _read(self, rows: np.ndarray | None, columns: slice | None = None) -> np.ndarray:
        wanted = self.rows if rows is None else (rows if self.rows is None else self.rows[rows])
        with open_result(Path(self.path)) as file, reading(self.path, self.name):
            dataset = file[self.name]
            if wanted is None:
                values = dataset[()]
            elif len(wanted) == 0:
                values = np.empty((0, *self.full_shape[1:]), dataset.dtype)
                values = values if columns is None else values[:, columns]
            else:
                # One slice that spans the rows beats HDF5's own point selection by far.
                start, stop = int(wanted.min()), int(wanted.max()) + 1
                span = slice(start, stop)
                values = dataset[span] if columns is None else dataset[span, columns]
                if not np.array_equal(wanted, np.arange(start, stop)):
                    values = values[wanted - start]
        return _decode(np.asarray(values), self.dtype)


class reading:  # noqa: N801 - a context manager, named as it is used
    """Turn HDF5's complaints into StoreError that names the file."""

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = path, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, DAMAGE):
            raise StoreError(
                f"{self.path}: '{self.name}' cannot be read ({error}); the file is damaged. "
                "Delete it (or run neurodecode verify --delete) and run the pipeline again."
            ) from error


def open_result(path: Path) -> h5py.File:
    """Open a stored file for reading, without a lock."""
    import h5py

    with reading(str(path), "/"):
        return h5py.File(path, "r", locking=False)


@contextmanager
def create_file(path: Path, head_bytes: int = 0) -> Iterator[h5py.File]:
    """Open a new file for writing, with room before HDF5's own part if asked for.

    Raises OSError at the end, or before, if the disk is full.
    """
    import h5py

    # closed last, so that nothing that HDF5 writes while it closes goes unnoticed
    with (
        PatientFile(path) as stream,
        h5py.File(stream, "w", libver="v110", userblock_size=head_bytes) as file,
    ):
        file.stream = stream  # write_array looks there, to stop early
        yield file


def check_links(file: h5py.File, path: Path) -> None:
    """Refuse a file that reaches outside itself."""
    import h5py

    def walk(group: h5py.Group) -> None:
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise StoreError(
                    f"{path}: '{name}' is a link to another file; refused. "
                    "Delete the file and run the pipeline again."
                )
            item = group.get(name)
            if isinstance(item, h5py.Group):
                walk(item)
            elif isinstance(item, h5py.Dataset) and (item.is_virtual or item.external):
                raise StoreError(
                    f"{path}: '{name}' keeps its data in another file; refused. "
                    "Delete the file and run the pipeline again."
                )

    walk(file)


# ------------------------------------------------------------------------------ one artifact


def write_artifact(file: h5py.File, name: str, artifact: Artifact) -> dict[str, Any]:
    """Write one output; return its kind, digests and shape for the card."""
    arrays, meta = pack(artifact)
    axes = [dims for _, _, dims in list_arrays(artifact)]  # in the order of pack, too
    units = {"data": getattr(artifact, "units", "")}
    group = f"outputs/{name}"
    file.create_group(group)
    digests = {}
    for (array_name, array), dims in zip(arrays.items(), axes, strict=True):
        digests[array_name] = write_array(
            file, f"{group}/{array_name}", array, dims, units.get(array_name, "")
        )
    lineage_arrays, lineage_meta = pack_lineage(artifact.lineage)
    lineage_digests = {
        n: write_array(file, f"lineage/{name}/{n}", a, (), "") for n, a in lineage_arrays.items()
    }
    write_json(file, f"meta/lineage/{name}", lineage_meta)
    write_json(file, f"meta/outputs/{name}", meta)
    file[group].attrs["artifact"] = artifact.kind()
    lead = arrays.get(artifact.rows_field)
    return {
        "artifact": artifact.kind(),
        "digest": digest_parts(digests, meta),
        "lineage": digest_parts(lineage_digests, lineage_meta),
        "shape": list(lead.shape) if lead is not None else None,
        "test_set": getattr(artifact, "test_set", ""),
    }


def read_artifact(path: Path, file: h5py.File, name: str) -> Artifact:
    """Return one output, lazily."""
    kind = read_text(file[f"outputs/{name}"].attrs["artifact"])
    arrays = _open_arrays(path, file, f"outputs/{name}")
    artifact = unpack_artifact(kind, arrays, read_json(file, f"meta/outputs/{name}"))
    lineage = {n: np.asarray(a) for n, a in _open_arrays(path, file, f"lineage/{name}").items()}
    meta = read_json(file, f"meta/lineage/{name}")
    return artifact.with_lineage(unpack_lineage(lineage, meta))


def verify_artifact(
    path: Path, file: h5py.File, name: str, described: Mapping[str, Any]
) -> list[str]:
    """Return what in one output differs from its digests."""
    problems = []
    for group, wanted in (("outputs", described["digest"]), ("lineage", described["lineage"])):
        digests = {}
        for array_name, array in _open_arrays(path, file, f"{group}/{name}").items():
            digests[array_name] = digest_stored(array)
            stated = read_text(file[f"{group}/{name}/{array_name}"].attrs["digest"])
            if digests[array_name] != stated:
                problems.append(f"{path}: {group}/{name}/{array_name} differs from its digest.")
        meta = read_json(file, f"meta/{group}/{name}")
        if digest_parts(digests, meta) != wanted:
            problems.append(f"{path}: {group}/{name} differs from the digest on its card.")
    return problems


# --------------------------------------------------------------------------------- one array


def write_array(
    file: h5py.File,
    name: str,
    array: Array,
    dims: tuple[str, ...] = (),
    units: str = "",
    *,
    summed: bool = True,
) -> str:
    """Write one array, block by block; return its digest.

    Parameters
    ----------
    summed : bool
        False leaves out checksums and the digest, where the file is vouched for as a whole.
    """
    if array.dtype.kind == "O":
        raise StoreError(f"{name}: arrays of Python objects are not stored. Give numbers or text.")
    text = array.dtype.kind == "U"
    values = encode_text(np.asarray(array)) if text else array
    options: dict[str, Any] = {}
    if values.shape and all(values.shape):
        options = {"chunks": _choose_chunks(values.shape, values.dtype), "fletcher32": summed}
        if summed and values.dtype.kind in "buiS":
            options |= {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    dataset = file.create_dataset(name, values.shape, values.dtype, track_times=False, **options)
    digest = start_array_digest(values.dtype, values.shape)
    start = 0
    step = options["chunks"][0] if options else 1
    for block in iterate_rows(values, multiple=step):  # each chunk is written once, whole
        if values.shape:
            dataset[start : start + len(block)] = block
            start += len(block)
        else:
            dataset[()] = block
        file.stream.check()
        if summed and block.size:
            digest.update(block.data)
    digest_text = digest.hexdigest() if summed else ""
    dataset.attrs.update(
        {"dims": ", ".join(dims), "units": units, "digest": digest_text,
         "text": text, "dtype": values.dtype.str}
    )  # fmt: skip
    return digest_text


def _choose_chunks(shape: tuple[int, ...], dtype: np.dtype) -> tuple[int, ...]:
    """Return chunks of about a megabyte, whole rows where they fit.

    Wide tables of numbers lie in tiles: a block of voxels is then read without the others, and
    rows without those far away.
    """
    row = max(1, int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize)
    tile = CHUNK_BYTES // (TILE_ROWS * dtype.itemsize)
    if len(shape) == 2 and dtype.kind == "f" and shape[0] > 1 and shape[1] > tile:
        rows = min(shape[0], TILE_ROWS)
        return rows, min(shape[1], CHUNK_BYTES // (rows * dtype.itemsize))
    if row <= CHUNK_BYTES:
        return (int(min(shape[0], max(1, CHUNK_BYTES // row))), *shape[1:])
    chunks = [1, *shape[1:]]
    for axis in range(1, len(shape)):
        rest = int(np.prod(chunks[axis + 1 :], dtype=np.int64)) * dtype.itemsize
        chunks[axis] = int(max(1, min(shape[axis], CHUNK_BYTES // max(1, rest))))
        if rest <= CHUNK_BYTES:
            break
    return tuple(chunks)


def _open_arrays(path: Path, file: h5py.File, group: str) -> dict[str, Array]:
    import h5py

    found: dict[str, Array] = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = open_array(path, file, f"{group}/{name}")

    if group in file:
        file[group].visititems(keep)
    return found


def open_array(path: Path, file: h5py.File, name: str) -> StoredArray:
    """Return one array, unread."""
    dataset = file[name]
    held, wanted, what = measure_storage(dataset)
    if held < wanted:
        raise StoreError(
            f"{path}: '{name}' claims the shape {dataset.shape}, {wanted} {what}, and holds "
            f"{held}. Delete the file and run the pipeline again."
        )
    dtype = np.dtype(read_text(dataset.attrs["dtype"]))
    if bool(dataset.attrs["text"]):
        dtype = np.dtype(f"U{dtype.itemsize}")
    return StoredArray(str(path), name, tuple(dataset.shape), dtype)


def measure_storage(dataset: h5py.Dataset) -> tuple[int, int, str]:
    """Return how much a dataset holds, how much its shape claims, and of what.

    HDF5 makes up the values that were never written, however many a shape claims.
    """
    shape = dataset.shape or ()
    if dataset.chunks is None:
        claimed = math.prod(shape) * dataset.id.get_type().get_size()
        return dataset.id.get_storage_size(), 0 if dataset.shape is None else claimed, "bytes"
    claimed = math.prod(-(-n // c) for n, c in zip(shape, dataset.chunks, strict=True))
    return dataset.id.get_num_chunks(), claimed, "chunks"


def digest_stored(array: Array) -> str:
    """Return the digest of a stored array, read again in blocks."""
    assert isinstance(array, StoredArray)
    with open_result(Path(array.path)) as file:
        dataset = file[array.name]
        digest = start_array_digest(np.dtype(read_text(dataset.attrs["dtype"])), dataset.shape)
        for block in iterate_rows(dataset, multiple=(dataset.chunks or (1,))[0]):
            digest.update(block.data if block.size else b"")
    return digest.hexdigest()


def _decode(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return np.char.decode(values, "utf-8") if dtype.kind == "U" else values


# -------------------------------------------------------------------------------- JSON values


def write_json(file: h5py.File, name: str, value: Any) -> None:
    """Keep a JSON value as bytes: attributes end at 64 KiB and carry no checksum."""
    text = np.frombuffer(dump_json(value).encode(), np.uint8)
    file.create_dataset(name, data=text, chunks=text.shape, fletcher32=True, track_times=False)


def read_json(file: h5py.File, name: str) -> Any:
    """Return a JSON value that write_json kept."""
    return json.loads(file[name][()].tobytes())


def read_text(value: Any) -> str:
    """Return a text attribute, however it was written."""
    return value.decode() if isinstance(value, bytes) else str(value)
