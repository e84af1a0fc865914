"""neurodecode verify: read every stored result again and compare digests."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from neurodecode.cli.options import CacheFolder, open_store


def command(
    cache: CacheFolder = None,
    raw: Annotated[bool, typer.Option("--raw", help="Read the raw files again, too.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Remove damaged results.")] = False,
) -> None:
    """Find damaged results, and with --raw raw files that changed behind their dates."""
    from pathlib import Path

    from neurodecode.cli.console import say
    from neurodecode.core.digests import digest_file
    from neurodecode.core.fingerprint import Memory
    from neurodecode.core.store import verify_file

    store = open_store(cache)
    paths = sorted(p for p in store.folder.glob("*/*.h5") if not p.name.startswith("."))
    damaged = 0
    for path in paths:
        problems = verify_file(path)
        for problem in problems:
            say(problem)
        if problems:
            damaged += 1
            if delete:
                path.with_suffix(".json").unlink(missing_ok=True)
                path.unlink(missing_ok=True)
    say(
        f"{len(paths)} results read, {damaged} damaged"
        + (", removed" if delete and damaged else "")
    )
    changed = 0
    if raw:
        memory = Memory.load(store.folder / "memory.json")
        names = [name.partition(":")[2] for name in memory.known if name.startswith("raw:")]
        read = moved = absent = 0
        for name in names:
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
    if damaged or changed:
        sys.exit(1)
