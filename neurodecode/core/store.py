"""Results as HDF5 files that explain themselves.

    <cache>/<stage>/<key>.h5            arrays, tables, lineage, and the card
    <cache>/<stage>/<key>.json          the card again: recipe, digests, environment
    <cache>/<stage>/<key>.blocks/*.h5   finished pieces of a step that is not finished
    <cache>/looks/                      how often test sets were scored (looks.py)

Every array carries its dims, units and digest; chunks carry a checksum. Files are written under
a temporary name, flushed, and renamed: whole or absent. The card beside the file lets freshness
be told without opening it. A file is opened only after all its bytes were compared with what
vouches for them (seals.py). Nothing is pickled.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodecode.core.artifacts import Array, Artifact
from neurodecode.core.bounded import explain_death, set_bounds, start_bounded
from neurodecode.core.digests import digest_file, digest_json, note_digest
from neurodecode.core.errors import StoreError, WriteError
from neurodecode.core.files import writing
from neurodecode.core.hdf5 import (
    check_links,
    create_file,
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
from neurodecode.core.looks import Looks
from neurodecode.core.seals import (
    AGAIN,
    HEAD_BYTES,
    check_bytes,
    check_piece,
    read_card_beside,
    seal_piece,
    word_damage,
    write_card,
)

if TYPE_CHECKING:
    import h5py

    from neurodecode.core.stage import Prepared

SCHEMA = 1
DAMAGED = 3  # exit status of a rehearsal
REHEARSE = "from neurodecode.core.store import rehearse; rehearse()"
BESIDE = ("path", "bytes", "file")  # said by the card beside a file only


class Store:
    """All results under one folder, and read-only ones behind it.

    Parameters
    ----------
    folder : Path
        The cache; made when the first result is written.
    behind : sequence of Path
        Shared caches, only read.

    Attributes
    ----------
    damage : list of str
        What was found damaged and passed over.
    """

    def __init__(self, folder: Path, behind: Iterable[Path] = ()) -> None:
        self.folder = Path(folder).resolve()
        self.behind = tuple(Path(b).resolve() for b in behind)
        self.damage: list[str] = []
        self._distrusted: set[Path] = set()

    def locate(self, stage: str, key: str) -> Path:
        """Return where a result is or will be."""
        return self.folder / name_folder(stage) / f"{key}.h5"

    def read_card(self, stage: str, key: str) -> dict[str, Any] | None:
        """Return the card of a result that is there whole, or None.

        The result's file is not opened: its size must be what the card says. A damaged card is
        none, and told in ``damage``.
        """
        for root in (self.folder, *self.behind):
            path = root / name_folder(stage) / f"{key}.h5"
            try:
                card = None if path in self._distrusted else read_card_beside(path)
            except StoreError as error:
                self.damage.append(word_damage(error))
                continue
            if card is not None:
                return card
        return None

    def iterate_cards(self, stage: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the cards of all whole results, of one stage or of all, newest first."""
        pattern = f"{name_folder(stage) if stage else '*'}/*.json"
        paths = [path for root in (self.folder, *self.behind) for path in root.glob(pattern)]
        for path in sorted(paths, key=_tell_age):
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
            mine = temporary.stat().st_ino
        full |= {"path": str(path), "bytes": size, "file": whole}
        try:
            write_card(path, full)
            if path.stat().st_ino != mine:  # written at the same time by a process taken for dead
                full = {**_read_card_inside(path), "path": str(path)}
                full |= {"bytes": path.stat().st_size, "file": digest_file(path)}
                write_card(path, full)
        except WriteError:
            path.unlink(missing_ok=True)  # nobody would find it, and the room may be needed
            raise
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

    def write_block(self, stage: str, key: str, block: str, arrays: Prepared) -> None:
        """Keep a finished piece of a step: its arrays by name, written as they come."""
        path = self.block_path(stage, key, block)
        with writing(path) as temporary:
            with create_file(temporary, HEAD_BYTES) as file:
                names = []
                pairs = arrays.items() if isinstance(arrays, Mapping) else arrays
                for i, (name, array) in enumerate(pairs):
                    write_array(file, f"arrays/{i}", np.asarray(array), summed=False)
                    names.append(name)
                write_json(file, "names", names)
            digest = seal_piece(temporary)
        note_digest(path, digest, HEAD_BYTES)

    def read_block(self, stage: str, key: str, block: str) -> dict[str, Array] | None:
        """Return the arrays of a finished piece, or None if it is absent or damaged.

        A damaged one is removed, and told in ``damage``.
        """
        path = self.block_path(stage, key, block)
        if not path.is_file():
            return None
        try:
            check_piece(path)
            with open_result(path) as file, reading(str(path), "names"):
                return {
                    name: open_array(path, file, f"arrays/{i}")
                    for i, name in enumerate(read_json(file, "names"))
                }
        except StoreError as error:
            self.damage.append(word_damage(error))
            path.unlink(missing_ok=True)
            return None

    def drop_blocks(self, stage: str, key: str) -> None:
        """Remove the pieces of a step that is finished."""
        shutil.rmtree(self.locate(stage, key).with_suffix(".blocks"), ignore_errors=True)

    def load_looks(self) -> Looks:
        """Return how often test sets were scored, here and in the caches behind."""
        return Looks((self.folder, *self.behind))

    def count_looks(self, test_set: str) -> int:
        """Return how many recipes were ever scored on a test set; removed results count, too."""
        return self.load_looks().count(test_set)

    def remove(self, card: Mapping[str, Any]) -> None:
        """Remove a result; one of a cache behind, or of a read-only one, is only passed over."""
        path = Path(card["path"])
        try:
            if not path.is_relative_to(self.folder):
                raise PermissionError("a cache behind is only read")
            path.with_suffix(".json").unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        except PermissionError:
            self._distrusted.add(path)


def name_folder(stage: str) -> str:
    """Return the folder of a stage's results.

    Examples
    --------
    >>> name_folder("my_lab.stages:Smooth")
    'my_lab.stages.Smooth'
    """
    return stage.replace(":", ".").replace("/", ".").replace(os.sep, ".")


def read_outputs_of(path: Path, alone: bool = False) -> dict[str, Artifact]:
    """Return the artifacts in a result file, lazily.

    Parameters
    ----------
    alone : bool
        The file may have come without its card, with nothing to vouch for its bytes; it is read
        in another process first.

    Raises
    ------
    StoreError
        Its bytes are not those that were written, or it is no result of this version.
    """
    card = read_card_beside(path)
    if card is not None:
        check_bytes(path, card)
    elif alone:
        _rehearse(path)
    else:
        raise StoreError(f"{path}: there is no card beside it to vouch for it. {AGAIN}")
    return _open_outputs(path)


def _open_outputs(path: Path) -> dict[str, Artifact]:
    with open_result(path) as file, reading(str(path), "/outputs"):
        check_links(file, path)
        if int(file.attrs.get("schema", -1)) != SCHEMA:
            raise StoreError(
                f"{path}: schema {file.attrs.get('schema', 'none')}, this version reads {SCHEMA}. "
                "Run the pipeline again, which computes it anew."
            )
        return {name: read_artifact(path, file, name) for name in file["outputs"]}


def read_lone_file(path: Path) -> tuple[dict[str, Any], dict[str, Artifact]]:
    """Return the card inside a result file, and its artifacts; it may have come without a cache."""
    outputs = read_outputs_of(path, alone=True)
    return _read_card_inside(path), outputs


def _read_card_inside(path: Path) -> dict[str, Any]:
    with open_result(path) as file, reading(str(path), "card"):
        return dict(read_json(file, "card"))


def _rehearse(path: Path) -> None:
    """Read a file that nothing vouches for in a process of its own, to see what happens.

    Raises
    ------
    StoreError
        It is damaged or foreign, or hangs or crashes the library.
    """
    if not path.is_file():
        raise StoreError(f"{path}: there is no such file. Check the path.")
    process = start_bounded(REHEARSE, str(path.resolve()))
    printed, trace = process.communicate()
    if process.returncode == DAMAGED:
        raise StoreError(printed.decode())
    if process.returncode:
        found = explain_death(process.returncode, path) or f"cannot be read: {trace.decode()}"
        raise StoreError(f"{path} {found}. Get it again, or make it again.")


def rehearse() -> None:
    """Read all of the result file named as argument; exit with DAMAGED and say what is wrong."""
    path = Path(sys.argv[1])
    set_bounds(path)
    problems = _verify_inside(path)
    try:
        _open_outputs(path)
    except StoreError as error:
        problems.insert(0, str(error))
    if problems:
        sys.stdout.buffer.write(problems[0].encode())
        sys.exit(DAMAGED)


def verify_file(path: Path) -> list[str]:
    """Return what is wrong with a result file: nothing, or a line per damaged part.

    The bytes are compared first, and damaged ones not opened; then every array is read and
    digested again, and so are lineage and card.
    """
    try:
        beside = read_card_beside(path)
        if beside is None:
            return [f"{path}: it has no card beside it and counts as missing."]
        if digest_file(path) != beside["file"]:
            return [f"{path}: its bytes differ from the digest on its card."]
    except StoreError as error:
        return [word_damage(error)]
    except (KeyError, OSError) as error:
        return [f"{path}: {error}"]
    return _verify_inside(path, beside)


def _verify_inside(path: Path, beside: Mapping[str, Any] | None = None) -> list[str]:
    """Return what in a file differs from the digests that it carries itself."""
    problems = []
    try:
        with open_result(path) as file, reading(str(path), "/"):
            check_links(file, path)
            card = read_json(file, "card")
            if digest_json(card) != read_text(file.attrs["card_digest"]):
                problems.append(f"{path}: the card inside differs from its digest.")
            for name in card["outputs"]:
                problems += verify_artifact(path, file, name, card["outputs"][name])
            if beside is not None and {k: beside.get(k) for k in card} != card:
                problems.append(f"{path}: the card beside it differs from the one inside.")
    except StoreError as error:
        problems.append(word_damage(error))
    return problems


def verify_piece(path: Path) -> list[str]:
    """Return what is wrong with a finished piece of a step that is not finished."""
    try:
        check_piece(path)
    except StoreError as error:
        return [word_damage(error)]
    return []


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
        return read_card_beside(path)
    except StoreError:
        return None


def _tell_age(path: Path) -> int:
    try:
        return -path.stat().st_mtime_ns
    except OSError:  # removed meanwhile
        return 0
