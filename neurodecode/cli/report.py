"""neurodecode report: write the reports of a pipeline that is up to date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neurodecode.cli.options import (
    DEFAULT_PIPELINE,
    Branches,
    CacheFolder,
    Overrides,
    PipelineName,
    open_graph,
    open_store,
)

if TYPE_CHECKING:
    from neurodecode.core.graph import Graph
    from neurodecode.core.runner import Listener
    from neurodecode.core.store import Store


WRITTEN = ("plotting.report", "plotting.interactive_map")  # stages that give whole pages


def command(
    pipeline: PipelineName = DEFAULT_PIPELINE,
    overrides: Overrides = None,
    branch: Branches = None,
    cache: CacheFolder = None,
    out: Annotated[Path, typer.Option(help="Where reports are written.")] = Path("results"),
) -> None:
    """Write the finished reports of a pipeline; computes nothing."""
    from neurodecode.cli.console import say
    from neurodecode.core.errors import UserError
    from neurodecode.core.fingerprint import Memory
    from neurodecode.core.planner import Planner

    graph = open_graph(pipeline, overrides, branch)
    store = open_store(cache)
    plans = Planner(graph, store, Memory.load(store.folder / "memory.json")).plan()
    cards = {p.instance.id: p.card for p in plans if p.state == "fresh" and p.card is not None}
    written = write_reports(graph, store, cards, out)
    for path in written:
        say(f"report: {path}")
    if not written:
        raise UserError(
            f"report: {graph.name} has no finished report. Run it: neurodecode run {pipeline}."
        )


def write_reports(
    graph: Graph, store: Store, cards: Mapping[Any, Mapping[str, Any]], out: Path
) -> list[Path]:
    """Write every finished report of a graph; one that is there already is left alone.

    Returns
    -------
    paths : list of Path

    Raises
    ------
    WriteError
        The folder does not take them.
    """
    from neurodecode.core.errors import WriteError
    from neurodecode.core.files import remove_strays, write_text

    remove_strays([out])
    written = []
    for _, card, path, stamp in _list_reports(graph, cards, out):
        if not _is_current(path, stamp):
            document = next(iter(store.read(card).values()))
            try:
                write_text(path, stamp + document.html)  # type: ignore[attr-defined]
            except WriteError as error:
                raise WriteError(
                    f"{error} The report itself is kept in the cache; name another folder with "
                    "--out."
                ) from error
        written.append(path)
    return written


def drop_damaged_reports(
    graph: Graph, store: Store, cards: Mapping[Any, Mapping[str, Any]], out: Path, tell: Listener
) -> bool:
    """Remove reports and audits that are to be told and cannot be read; tell if there were any.

    All else that is damaged is met, and mended, by the step that reads it.
    """
    from neurodecode.core.errors import StoreError
    from neurodecode.core.runner import News
    from neurodecode.core.seals import word_damage

    wanted = [
        (label, card)
        for label, card, path, stamp in _list_reports(graph, cards, out)
        if not _is_current(path, stamp)
    ]
    audits = [key for key, card in cards.items() if card["stage"] == "evaluation.audit"]
    wanted += [(graph.instances[key].label, cards[key]) for key in audits]
    damaged = False
    for label, card in wanted:
        try:
            store.read(card)
        except StoreError as error:
            damaged = True
            tell(News("damaged", label, word_damage(error)))
            store.remove(card)
    return damaged


def _list_reports(
    graph: Graph, cards: Mapping[Any, Mapping[str, Any]], out: Path
) -> Iterator[tuple[str, Mapping[str, Any], Path, str]]:
    """Yield label and card of every finished report, where it is written, and its first line."""
    for key, card in cards.items():
        if not any(o["artifact"] == "document" for o in card["outputs"].values()):
            continue
        instance = graph.instances[key]
        if not instance.address.startswith(WRITTEN):
            continue
        branch = "".join(f"_{k}-{v}" for k, v in instance.branch)
        path = out / f"{graph.name}{branch}_{instance.name}.html"
        digest = next(iter(card["outputs"].values()))["digest"]
        yield instance.label, card, path, f"<!-- result {card['key']} {digest} -->\n"


def _is_current(path: Path, stamp: str) -> bool:
    try:
        with path.open(encoding="utf-8") as stream:
            return stream.readline() == stamp
    except OSError:
        return False
