"""Results as HDF5 files that explain themselves.

    <cache>/<stage>/<key>.h5            arrays, tables, lineage, and the card
    <cache>/<stage>/<key>.json          the card again: recipe, digests, environment
    <cache>/<stage>/<key>.blocks/*.h5   finished pieces of a step that is not finished

Every array carries its dims, units and digest; chunks carry a checksum. Files are written under
a temporary name, flushed, and renamed: whole or absent. The card beside the file lets freshness
be told without opening it. Nothing is pickled.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodecode.core.artifacts import Array, Artifact, list_arrays
from neurodecode.core.digests import (
    digest_json,
    dump_json,
    encode_text,
    iterate_rows,
    start_array_digest,
)
from neurodecode.core.errors import StoreError
from neurodecode.core.files import write_text, writing
from neurodecode.core.packing import (
    digest_parts,
    pack,
    pack_lineage,
    unpack_artifact,
    unpack_lineage,
)

if TYPE_CHECKING:
    import h5py

SCHEMA = 1
CHUNK_BYTES = 1 << 20


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
        return self._read(rows)[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = self._read(None)
        return values if dtype is None else values.astype(dtype, copy=False)

    def _read(self, rows: np.ndarray | None) -> np.ndarray:
        wanted = self.rows if rows is None else (rows if self.rows is None else self.rows[rows])
        with open_result(Path(self.path)) as file, _reading(self.path, self.name):
            dataset = file[self.name]
            if wanted is None:
                values = dataset[()]
            elif len(wanted) == 0:
                values = np.empty((0, *self.full_shape[1:]), dataset.dtype)
            else:
                # One slice that spans the rows beats HDF5's own point selection by far.
                start, stop = int(wanted.min()), int(wanted.max()) + 1
                values = dataset[start:stop]
                if not np.array_equal(wanted, np.arange(start, stop)):
                    values = values[wanted - start]
        return _decode(np.asarray(values), self.dtype)


class _reading:  # noqa: N801 - a context manager, named as it is used
    """Turn HDF5's complaints into StoreError that names the file."""

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = path, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, OSError | KeyError | RuntimeError | ValueError):
            raise StoreError(
                f"{self.path}: '{self.name}' cannot be read ({error}); the file is damaged. "
                "Delete it (or run neurodecode verify --delete) and run the pipeline again."
            ) from error


def open_result(path: Path) -> h5py.File:
    """Open a stored file for reading, without a lock."""
    import h5py

    with _reading(str(path), "/"):
        return h5py.File(path, "r", locking=False)


class Store:
    """All results under one folder, and read-only ones behind it.

    Parameters
    ----------
    folder : Path
        The cache; made when the first result is written.
    behind : sequence of Path
        Shared caches, only read.
    """

    def __init__(self, folder: Path, behind: Iterable[Path] = ()) -> None:
        self.folder = Path(folder).resolve()
        self.behind = tuple(Path(b).resolve() for b in behind)

    def locate(self, stage: str, key: str) -> Path:
        """Return where a result is or will be."""
        return self.folder / name_folder(stage) / f"{key}.h5"

    def read_card(self, stage: str, key: str) -> dict[str, Any] | None:
        """Return the card of a result that is there whole, or None.

        The result's file is not opened: its size must be what the card says.
        """
        for root in (self.folder, *self.behind):
            path = root / name_folder(stage) / f"{key}.h5"
            card = _load_card(path)
            if card is not None:
                return card
        return None

    def iterate_cards(self, stage: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the cards of all whole results, of one stage or of all, newest first."""
        pattern = f"{name_folder(stage) if stage else '*'}/*.json"
        paths = [path for root in (self.folder, *self.behind) for path in root.glob(pattern)]
        for path in sorted(paths, key=lambda p: -p.stat().st_mtime_ns):
            card = _load_card(path.with_suffix(".h5"))
            if card is not None:
                yield card

    def write(
        self, stage: str, key: str, outputs: Mapping[str, Artifact], card: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write a result; return its card, completed with digests.

        Parameters
        ----------
        outputs : mapping of name to artifact
        card : mapping
            The recipe and how it was made, as JSON values.
        """
        import h5py

        path = self.locate(stage, key)
        described: dict[str, Any] = {}
        with writing(path) as temporary:
            with h5py.File(temporary, "w", libver="v110", locking=False) as file:
                for name, artifact in outputs.items():
                    described[name] = _write_artifact(file, name, artifact)
                full = {**card, "schema": SCHEMA, "outputs": described}
                _write_card(file, full)
            size = temporary.stat().st_size
        full["path"], full["bytes"] = str(path), size
        write_text(path.with_suffix(".json"), dump_json({"card": full, "digest": digest_json(full)}))
        return full

    def read(self, card: Mapping[str, Any]) -> dict[str, Artifact]:
        """Return a result's artifacts by name; their arrays are not read yet."""
        return read_outputs_of(Path(card["path"]))

    def block_path(self, stage: str, key: str, block: str) -> Path:
        """Return where a finished piece is or will be."""
        safe = "".join(c if c.isalnum() or c in "-_=" else "_" for c in block)
        return self.locate(stage, key).with_suffix(".blocks") / f"{safe}.h5"

    def write_block(
        self, stage: str, key: str, block: str, arrays: Mapping[str, np.ndarray]
    ) -> None:
        """Keep a finished piece of a step."""
        import h5py

        path = self.block_path(stage, key, block)
        with writing(path) as temporary, h5py.File(temporary, "w", locking=False) as file:
            digests = {
                name: _write_array(file, f"arrays/{i}", array, (), "")
                for i, (name, array) in enumerate(arrays.items())
            }
            _write_json(file, "names", list(digests.items()))

    def read_block(self, stage: str, key: str, block: str) -> dict[str, Array] | None:
        """Return the arrays of a finished piece, or None if it is absent or damaged."""
        path = self.block_path(stage, key, block)
        if not path.is_file():
            return None
        try:
            with open_result(path) as file:
                names = [name for name, _ in _read_json(file, "names")]
                return {n: _open_array(path, file, f"arrays/{i}") for i, n in enumerate(names)}
        except (StoreError, KeyError, ValueError):
            path.unlink(missing_ok=True)
            return None

    def drop_blocks(self, stage: str, key: str) -> None:
        """Remove the pieces of a step that is finished."""
        shutil.rmtree(self.locate(stage, key).with_suffix(".blocks"), ignore_errors=True)

    def remove(self, card: Mapping[str, Any]) -> None:
        """Remove a result."""
        path = Path(card["path"])
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def name_folder(stage: str) -> str:
    """Return the folder of a stage's results.

    Examples
    --------
    >>> name_folder("my_lab.stages:Smooth")
    'my_lab.stages.Smooth'
    """
    return stage.replace(":", ".").replace("/", ".").replace(os.sep, ".")


def read_outputs_of(path: Path) -> dict[str, Artifact]:
    """Return the artifacts in a result file, lazily."""
    with open_result(path) as file, _reading(str(path), "/outputs"):
        check_links(file, path)
        if int(file.attrs.get("schema", -1)) != SCHEMA:
            raise StoreError(
                f"{path}: schema {file.attrs.get('schema', 'none')}, this version reads {SCHEMA}. "
                "It is not a result of this version; compute it again."
            )
        return {name: _read_artifact(path, file, name) for name in file["outputs"]}


def verify_file(path: Path) -> list[str]:
    """Return what is wrong with a result file: nothing, or a line per damaged part.

    Every array is read and digested again; so are lineage and card.
    """
    problems = []
    try:
        with open_result(path) as file:
            check_links(file, path)
            card = _read_json(file, "card")
            if digest_json(card) != _text(file.attrs["card_digest"]):
                problems.append(f"{path}: the card inside differs from its digest.")
            for name in card["outputs"]:
                problems += _verify_artifact(path, file, name, card["outputs"][name])
            beside = _load_card(path)
            if beside is None or {k: beside[k] for k in card} != card:
                problems.append(f"{path}: the card beside the file is absent or differs.")
    except (StoreError, KeyError, ValueError, OSError, RuntimeError) as error:
        problems.append(f"{path}: {error}")
    return problems


def check_links(file: h5py.File, path: Path) -> None:
    """Refuse a file that reaches outside itself."""
    import h5py

    def walk(group: h5py.Group) -> None:
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise StoreError(f"{path}: '{name}' is a link to another file; refused.")
            item = group.get(name)
            if isinstance(item, h5py.Group):
                walk(item)
            elif isinstance(item, h5py.Dataset) and (item.is_virtual or item.external):
                raise StoreError(f"{path}: '{name}' keeps its data in another file; refused.")

    walk(file)


# ------------------------------------------------------------------------------ one artifact


def _write_artifact(file: h5py.File, name: str, artifact: Artifact) -> dict[str, Any]:
    arrays, meta = pack(artifact)
    described = {n: (dims, a) for n, a, dims in list_arrays(artifact)}
    units = {"data": getattr(artifact, "units", "")}
    group = f"outputs/{name}"
    file.create_group(group)
    digests = {}
    for array_name, array in arrays.items():
        dims = described.get(array_name, ((), None))[0]
        digests[array_name] = _write_array(
            file, f"{group}/{array_name}", array, dims, units.get(array_name, "")
        )
    lineage_arrays, lineage_meta = pack_lineage(artifact.lineage)
    lineage_digests = {
        n: _write_array(file, f"lineage/{name}/{n}", a, (), "") for n, a in lineage_arrays.items()
    }
    _write_json(file, f"meta/lineage/{name}", lineage_meta)
    _write_json(file, f"meta/outputs/{name}", meta)
    file[group].attrs["artifact"] = artifact.kind()
    lead = arrays.get(artifact.rows_field)
    return {
        "artifact": artifact.kind(),
        "digest": digest_parts(digests, meta),
        "lineage": digest_parts(lineage_digests, lineage_meta),
        "shape": list(lead.shape) if lead is not None else None,
        "test_set": getattr(artifact, "test_set", ""),
    }


def _read_artifact(path: Path, file: h5py.File, name: str) -> Artifact:
    kind = _text(file[f"outputs/{name}"].attrs["artifact"])
    arrays = _open_arrays(path, file, f"outputs/{name}")
    artifact = unpack_artifact(kind, arrays, _read_json(file, f"meta/outputs/{name}"))
    lineage = {n: np.asarray(a) for n, a in _open_arrays(path, file, f"lineage/{name}").items()}
    meta = _read_json(file, f"meta/lineage/{name}")
    return artifact.with_lineage(unpack_lineage(lineage, meta))


def _verify_artifact(
    path: Path, file: h5py.File, name: str, described: Mapping[str, Any]
) -> list[str]:
    problems = []
    for group, wanted in (("outputs", described["digest"]), ("lineage", described["lineage"])):
        digests = {}
        for array_name, array in _open_arrays(path, file, f"{group}/{name}").items():
            digests[array_name] = _digest_stored(array)
            stated = _text(file[f"{group}/{name}/{array_name}"].attrs["digest"])
            if digests[array_name] != stated:
                problems.append(f"{path}: {group}/{name}/{array_name} differs from its digest.")
        meta = _read_json(file, f"meta/{group}/{name}")
        if digest_parts(digests, meta) != wanted:
            problems.append(f"{path}: {group}/{name} differs from the digest on its card.")
    return problems


# --------------------------------------------------------------------------------- one array


def _write_array(
    file: h5py.File, name: str, array: Array, dims: tuple[str, ...], units: str
) -> str:
    if array.dtype.kind == "O":
        raise StoreError(f"{name}: arrays of Python objects are not stored. Give numbers or text.")
    text = array.dtype.kind == "U"
    values = encode_text(np.asarray(array)) if text else array
    options: dict[str, Any] = {}
    if values.shape and all(values.shape):
        options = {"chunks": _choose_chunks(values.shape, values.dtype), "fletcher32": True}
        if values.dtype.kind in "buiS":
            options |= {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    dataset = file.create_dataset(name, values.shape, values.dtype, track_times=False, **options)
    digest = start_array_digest(values.dtype, values.shape)
    start = 0
    for block in iterate_rows(values):
        if values.shape:
            dataset[start : start + len(block)] = block
            start += len(block)
        else:
            dataset[()] = block
        digest.update(block.data if block.size else b"")
    digest_text = digest.hexdigest()
    dataset.attrs.update(
        {"dims": ", ".join(dims), "units": units, "digest": digest_text,
         "text": text, "dtype": values.dtype.str}
    )  # fmt: skip
    return digest_text


def _choose_chunks(shape: tuple[int, ...], dtype: np.dtype) -> tuple[int, ...]:
    """Return chunks of about a megabyte, whole rows where they fit."""
    row = max(1, int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize)
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
            found[name] = _open_array(path, file, f"{group}/{name}")

    if group in file:
        file[group].visititems(keep)
    return found


def _open_array(path: Path, file: h5py.File, name: str) -> StoredArray:
    dataset = file[name]
    dtype = np.dtype(_text(dataset.attrs["dtype"]))
    if bool(dataset.attrs["text"]):
        dtype = np.dtype(f"U{dtype.itemsize}")
    return StoredArray(str(path), name, tuple(dataset.shape), dtype)


def _digest_stored(array: Array) -> str:
    assert isinstance(array, StoredArray)
    with open_result(Path(array.path)) as file:
        dataset = file[array.name]
        digest = start_array_digest(np.dtype(_text(dataset.attrs["dtype"])), dataset.shape)
        for block in iterate_rows(dataset):
            digest.update(block.data if block.size else b"")
    return digest.hexdigest()


def _decode(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return np.char.decode(values, "utf-8") if dtype.kind == "U" else values


# -------------------------------------------------------------------------------------- card


def _write_card(file: h5py.File, card: Mapping[str, Any]) -> None:
    for name in ("stage", "version", "key", "seed", "seconds", "peak_mb"):
        if card.get(name) is not None:
            file.attrs[name] = card[name]
    file.attrs["schema"] = SCHEMA
    file.attrs["card_digest"] = digest_json(card)
    _write_json(file, "card", card)


def _write_json(file: h5py.File, name: str, value: Any) -> None:
    """Keep a JSON value as bytes: attributes end at 64 KiB and carry no checksum."""
    text = np.frombuffer(dump_json(value).encode(), np.uint8)
    file.create_dataset(name, data=text, chunks=text.shape, fletcher32=True, track_times=False)


def _read_json(file: h5py.File, name: str) -> Any:
    return json.loads(file[name][()].tobytes())


def _load_card(path: Path) -> dict[str, Any] | None:
    try:
        size = path.stat().st_size
        held = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        card = held["card"]
        if card["bytes"] != size or held["digest"] != digest_json(card):
            return None
    except (FileNotFoundError, json.JSONDecodeError, KeyError, UnicodeDecodeError, TypeError):
        return None
    card["path"] = str(path)
    return card


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
