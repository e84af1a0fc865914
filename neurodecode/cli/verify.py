"""neurodecode verify: read everything stored again and compare digests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurodecode.cli.options import CacheFolder, open_store

if TYPE_CHECKING:
    from neurodecode.core.fingerprint import Memory


def command(
    cache: CacheFolder = None,
    raw: Annotated[bool, typer.Option("--raw", help="Read the raw files again, too.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Remove what is damaged.")] = False,
) -> None:
    """Find damaged results, and with --raw raw files that changed behind their dates."""
    from neurodecode.cli.console import say
    from neurodecode.core.fingerprint import Memory

    store = open_store(cache)
    counts = {"result": 0, "piece": 0, "memory": 0}
    damaged = dict.fromkeys(counts, 0)
    for kind, path, problems in verify_folder(store.folder):
        counts[kind] += 1
        damaged[kind] += bool(problems)
        for problem in problems:
            say(problem)
        if problems and delete:
            path.with_suffix(".json").unlink(missing_ok=True)
            path.unlink(missing_ok=True)
    removed = ", removed" if delete and any(damaged.values()) else ""
    pieces = f", {damaged['piece']} of {counts['piece']} pieces" if counts["piece"] else ""
    memory = ", the memory of files" if damaged["memory"] else ""
    say(f"{counts['result']} results read, {damaged['result']} damaged{pieces}{memory}{removed}")
    if any(damaged.values()) and not delete:
        say("Nothing of it is used: the next run computes it again. --delete clears it away.")
    changed = _verify_raw(Memory.load(store.folder / "memory.json")) if raw else 0
    if any(damaged.values()) or changed:
        sys.exit(1)


def verify_folder(folder: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """Yield the kind of every stored file, its path, and what is wrong with it.

    Kinds are "result" (with the card beside it), "piece" and "memory".
    """
    from neurodecode.core.fingerprint import Memory
    from neurodecode.core.store import verify_file, verify_piece

    for path in sorted(folder.glob("*/*.h5")):
        if not path.name.startswith("."):
            yield "result", path, verify_file(path)
    for path in sorted(folder.glob("*/*.blocks/*.h5")):
        if not path.name.startswith("."):
            yield "piece", path, verify_piece(path)
    if (folder / "memory.json").exists():
        path = folder / "memory.json"
        yield "memory", path, Memory.load(path).problems


def _verify_raw(memory: Memory) -> int:
    """Read raw files again; return how many changed although size and dates did not."""
    from neurodecode.cli.console import say
    from neurodecode.core.digests import digest_file

    read = moved = absent = changed = 0
    for name in [name.partition(":")[2] for name in memory.known if name.startswith("raw:")]:
        file = Path(name)
        if not file.exists():
            absent += 1
            continue
        known = memory.recall(file, "raw")
        if known is None:  # its dates changed too: the next run reads it again by itself
            moved += 1
            continue
        read += 1
        if digest_file(file) != known:
            changed += 1
            del memory.known[f"raw:{name}"]
            memory.changed = True
            say(f"{name}: content changed although size and dates did not")
    memory.save()
    say(
        f"{read} raw files read, {changed} changed; {moved} changed with their dates (the next "
        f"run reads them), {absent} absent"
    )
    return changed
