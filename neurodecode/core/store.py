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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodecode.core.artifacts import Array, Artifact
from neurodecode.core.digests import digest_file, digest_json, dump_json
from neurodecode.core.errors import StoreError
from neurodecode.core.files import write_text, writing
from neurodecode.core.hdf5 import (
    check_links,
    create_file,
    digest_stored,
    open_array,
    open_result,
    read_artifact,
    read_json,
    read_text,
    reading,
    verify_artifact,
    write_array,
    write_artifact,
    write_json,
)

if TYPE_CHECKING:
    import h5py

SCHEMA = 1
BESIDE = ("path", "bytes", "file")  # said by the card beside a file only


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
        path = self.locate(stage, key)
        described: dict[str, Any] = {}
        with writing(path) as temporary:
            with create_file(temporary) as file:
                for name, artifact in outputs.items():
                    described[name] = write_artifact(file, name, artifact)
                inside = {k: v for k, v in card.items() if k not in BESIDE}
                full = {**inside, "schema": SCHEMA, "outputs": described}
                _write_card(file, full)
            size, whole = temporary.stat().st_size, digest_file(temporary)
        full |= {"path": str(path), "bytes": size, "file": whole}
        write_text(
            path.with_suffix(".json"), dump_json({"card": full, "digest": digest_json(full)})
        )
        return full

    def read(self, card: Mapping[str, Any]) -> dict[str, Artifact]:
        """Return a result's artifacts by name; their arrays are not read yet."""
        return read_outputs_of(Path(card["path"]))

    def block_path(self, stage: str, key: str, block: str) -> Path:
        """Return where a finished piece is or will be."""
        safe = "".join(c if c.isalnum() or c in "-_=" else "_" for c in block)
        if safe != block:  # names that differ must not meet
            safe += f"-{digest_json(block)[:8]}"
        return self.locate(stage, key).with_suffix(".blocks") / f"{safe}.h5"

    def write_block(
        self, stage: str, key: str, block: str, arrays: Mapping[str, np.ndarray]
    ) -> None:
        """Keep a finished piece of a step."""
        path = self.block_path(stage, key, block)
        with writing(path) as temporary, create_file(temporary) as file:
            digests = {
                name: write_array(file, f"arrays/{i}", array, (), "")
                for i, (name, array) in enumerate(arrays.items())
            }
            write_json(file, "names", list(digests.items()))

    def read_block(
        self, stage: str, key: str, block: str, check: bool = True
    ) -> dict[str, Array] | None:
        """Return the arrays of a finished piece, or None if it is absent or damaged.

        Parameters
        ----------
        check : bool
            Digest every array again, so that no damage is met when the pieces are put together.
        """
        path = self.block_path(stage, key, block)
        if not path.is_file():
            return None
        try:
            with open_result(path) as file:
                digests = dict(read_json(file, "names"))
                arrays: dict[str, Array] = {
                    n: open_array(path, file, f"arrays/{i}") for i, n in enumerate(digests)
                }
                if check and any(digest_stored(arrays[n]) != digests[n] for n in arrays):
                    raise StoreError(f"{path}: the piece differs from its digests. Delete it.")
                return arrays
        except (StoreError, KeyError, ValueError, OSError):
            path.unlink(missing_ok=True)
            return None

    def drop_blocks(self, stage: str, key: str) -> None:
        """Remove the pieces of a step that is finished."""
        shutil.rmtree(self.locate(stage, key).with_suffix(".blocks"), ignore_errors=True)

    def note_look(self, test_set: str, key: str) -> None:
        """Remember that a test set was scored; it stays when the result is removed."""
        folder = self.folder / "looks" / test_set
        folder.mkdir(parents=True, exist_ok=True)
        (folder / key).touch()

    def count_looks(self, test_set: str) -> int:
        """Return how many recipes were ever scored on a test set."""
        folder = self.folder / "looks" / test_set
        return len(list(folder.iterdir())) if folder.is_dir() else 0

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
    with open_result(path) as file, reading(str(path), "/outputs"):
        check_links(file, path)
        if int(file.attrs.get("schema", -1)) != SCHEMA:
            raise StoreError(
                f"{path}: schema {file.attrs.get('schema', 'none')}, this version reads {SCHEMA}. "
                "Run the pipeline again, which computes it anew."
            )
        return {name: read_artifact(path, file, name) for name in file["outputs"]}


def read_card_inside(path: Path) -> dict[str, Any]:
    """Return the card that a result file carries inside."""
    with open_result(path) as file, reading(str(path), "card"):
        return dict(read_json(file, "card"))


def verify_file(path: Path) -> list[str]:
    """Return what is wrong with a result file: nothing, or a line per damaged part.

    Every array is read and digested again; so are lineage and card, and the file as a whole.
    """
    problems = []
    try:
        with open_result(path) as file:
            check_links(file, path)
            card = read_json(file, "card")
            if digest_json(card) != read_text(file.attrs["card_digest"]):
                problems.append(f"{path}: the card inside differs from its digest.")
            for name in card["outputs"]:
                problems += verify_artifact(path, file, name, card["outputs"][name])
            beside = _load_card(path)
            if beside is None or {k: beside[k] for k in card} != card:
                problems.append(f"{path}: the card beside the file is absent or differs.")
            elif not problems and digest_file(path) != beside["file"]:  # HDF5's own bookkeeping
                problems.append(f"{path}: its bytes differ from the digest on the card beside it.")
    except (StoreError, KeyError, ValueError, OSError, RuntimeError) as error:
        problems.append(f"{path}: {error}")
    return problems


# -------------------------------------------------------------------------------------- card


def _write_card(file: h5py.File, card: Mapping[str, Any]) -> None:
    for name in ("stage", "version", "key", "seed", "seconds", "peak_mb"):
        if card.get(name) is not None:
            file.attrs[name] = card[name]
    file.attrs["schema"] = SCHEMA
    file.attrs["card_digest"] = digest_json(card)
    write_json(file, "card", card)


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
