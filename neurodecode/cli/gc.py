"""neurodecode gc: remove results that no pipeline reaches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurodecode.cli.options import CacheFolder, open_graph, open_store


def command(
    pipelines: Annotated[
        list[str], typer.Argument(help="The pipelines whose results are kept (files or names).")
    ],
    cache: CacheFolder = None,
    keep_gb: Annotated[
        float, typer.Option(help="Of the rest, keep the newest up to so many gigabytes.")
    ] = 0.0,
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove; without it only says what it would.")
    ] = False,
) -> None:
    """Remove what the pipelines named do not reach; pinned results stay (touch KEY.pin)."""
    from neurodecode.cli.console import format_bytes, say
    from neurodecode.core.fingerprint import Memory
    from neurodecode.core.leftovers import list_orphans, remove_leftovers, remove_orphan
    from neurodecode.core.planner import Planner

    store = open_store(cache)
    memory = Memory.load(store.folder / "memory.json")
    reached: set[str] = set()
    undecided: set[str] = set()
    for name in pipelines:
        for plan in Planner(open_graph(name), store, memory).plan():
            # a step that waits keeps its nearest earlier result: it may be accepted yet
            if plan.card is not None:
                reached.add(str(plan.card["key"]))
            if plan.key is not None:
                reached.add(plan.key)
            else:
                undecided.add(plan.instance.address)
    room = keep_gb * 1024**3
    removed = size = 0
    for card in store.iterate_cards():
        path = Path(card["path"])
        if card["key"] in reached or not path.is_relative_to(store.folder):
            continue
        if path.with_suffix(".pin").exists():
            continue
        room -= card["bytes"]
        if room >= 0:
            continue
        removed, size = removed + 1, size + card["bytes"]
        say(f"{'removed' if yes else 'would remove'}  {card['label']}  {path}")
        if yes:
            store.remove(card)
    for path, n_bytes in list(list_orphans(store, reached, undecided)):
        size += n_bytes
        say(f"{'removed' if yes else 'would remove'}  what a killed run left  {path}")
        if yes:
            remove_orphan(path)
    strays = remove_leftovers(store) if yes else []
    say(
        f"{removed} results, {format_bytes(size)}{'' if yes else ' would be'} removed"
        + (f", and {len(strays)} half-written files" if strays else "")
    )
