"""What processes that were killed leave in a cache, and what nobody will come back to.

    .writing-*      half-written files
    *.lease         leases
    *.blocks        pieces: of use until the result is there
    *.h5, no card   a result that was moved into place and never got its card

The first two are removed at every run once their process is dead, pieces once their result is
there. Pieces of settings that nobody asks for any more, and files without a card, are for ``gc``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from neurodecode.core.files import remove_strays
from neurodecode.core.lease import find_holder, is_abandoned, read_lease, remove_lease
from neurodecode.core.processes import describe_self
from neurodecode.core.store import Store, name_folder


def remove_leftovers(store: Store, ending: bool = False) -> list[Path]:
    """Remove what dead processes left in a cache and cannot be used; return what was removed.

    What a living process is working at stays, and so do pieces from which a step resumes. A cache
    that cannot be written is left as it is.

    Parameters
    ----------
    ending : bool
        This process is about to end: what it holds counts as left by a dead one.
    """
    stages = _list_folders(store.folder)
    pieces = [p for stage in stages for p in _list_folders(stage) if p.suffix == ".blocks"]
    removed = remove_strays([store.folder, *stages, *pieces], ending)
    for path in (p for stage in stages for p in _list_names(stage) if p.suffix == ".lease"):
        content = read_lease(path)
        if content is None:
            continue
        over = is_abandoned(path, content) or (ending and find_holder(content) == describe_self())
        if over and remove_lease(path, content):
            removed.append(path)
    for folder in pieces:
        if not _is_held(folder) and store.read_card(folder.parent.name, folder.stem) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
    return removed


def list_orphans(
    store: Store, keys: Collection[str], undecided: Collection[str]
) -> Iterator[tuple[Path, int]]:
    """Yield pieces and nameless files that no pipeline will come back to, and their bytes.

    Parameters
    ----------
    keys : collection of str
        What pipelines reach.
    undecided : collection of str
        Addresses of stages that wait for others, so that their keys are not known yet.
    """
    spared = {name_folder(address) for address in undecided}
    for stage in _list_folders(store.folder):
        for path in _list_names(stage):
            nameless = path.suffix == ".h5" and not path.with_suffix(".json").exists()
            if path.name.startswith(".") or not (nameless or path.suffix == ".blocks"):
                continue
            unknown = not nameless and stage.name in spared
            if path.stem not in keys and not unknown and not _is_held(path):
                files = path.rglob("*") if path.is_dir() else [path]
                with contextlib.suppress(OSError):
                    yield path, sum(p.stat().st_size for p in files)


def remove_orphan(path: Path) -> None:
    """Remove what list_orphans gave."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_held(path: Path) -> bool:
    """Tell whether a process works at the result a path belongs to, or at a piece of it."""
    return any(True for _ in path.parent.glob(f"{path.stem}*.lease"))


def _list_folders(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return [Path(e.path) for e in entries if e.is_dir(follow_symlinks=False)]
    return []


def _list_names(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return [Path(e.path) for e in entries]
    return []
