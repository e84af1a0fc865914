"""neurodecode run: bring a pipeline up to date, and write its reports."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurodecode.cli.options import (
    DEFAULT_PIPELINE,
    Branches,
    CacheFolder,
    Overrides,
    PipelineName,
    find_instances,
    open_graph,
    open_store,
)

if TYPE_CHECKING:
    from neurodecode.core.graph import Graph
    from neurodecode.core.runner import Summary


def command(
    pipeline: PipelineName = DEFAULT_PIPELINE,
    overrides: Overrides = None,
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=0, help="Local processes; 0 runs in this one.")
    ] = 0,
    until: Annotated[str | None, typer.Option(help="This step and all that it needs.")] = None,
    only: Annotated[
        str | None, typer.Option(help="This step alone; its inputs must be fresh.")
    ] = None,
    branch: Branches = None,
    cache: CacheFolder = None,
    out: Annotated[Path, typer.Option(help="Where reports are written.")] = Path("results"),
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Name every branch.")] = False,
) -> None:
    """Bring a pipeline up to date, computing only what is not fresh."""
    from neurodecode.cli.console import RunPrinter, say, say_error
    from neurodecode.core.runner import run_graph

    start = time.monotonic()
    graph = open_graph(pipeline, overrides, branch)
    if until is not None:
        graph = graph.keep(graph.find_upstream([i.id for i in find_instances(graph, until)]))
    store = open_store(cache)
    wanted = {i.id for i in find_instances(graph, only)} if only is not None else None
    if wanted is not None:
        graph = graph.keep(graph.find_upstream(list(wanted)))
        _check_inputs_fresh(graph, wanted, cache)
    printer = RunPrinter(len(graph.instances), verbose)
    try:
        summary = run_graph(graph, store, workers=workers, listener=printer)
    except KeyboardInterrupt:
        say_error(f"stopped. Finished steps are kept; go on with: {_word_resume()}")
        sys.exit(130)
    from neurodecode.cli.report import write_reports

    for path in write_reports(graph, store, summary.cards, out):
        say(f"report: {path}")
    _say_summary(graph, summary, time.monotonic() - start)
    if summary.failed:
        sys.exit(1)


def _check_inputs_fresh(graph: Graph, wanted: set, cache: Path | None) -> None:
    from neurodecode.core.errors import UserError
    from neurodecode.core.fingerprint import Memory
    from neurodecode.core.planner import Planner

    store = open_store(cache)
    plans = Planner(graph, store, Memory.load(store.folder / "memory.json")).plan()
    behind = [p for p in plans if p.instance.id not in wanted and p.state != "fresh"]
    if behind:
        raise UserError(
            f"--only: {len(behind)} steps that it needs are not up to date (first: "
            f"{behind[0].instance.label}, {behind[0].state}). Use --until instead, which runs "
            "these too."
        )


def _say_summary(graph: Graph, summary: Summary, seconds: float) -> None:
    from neurodecode.cli.console import format_seconds, say, say_failure

    text = f"{len(summary.computed)} computed, {len(summary.fresh)} fresh"
    if summary.failed or summary.skipped:
        text += f", {len(summary.failed)} failed, {len(summary.skipped)} skipped"
    say(f"{graph.name}: {text}, {format_seconds(seconds)}")
    for key, outcome in summary.failed.items():
        say_failure(graph.instances[key].label, outcome.error, summary.logs.get(key))
    if summary.failed:
        say(f"\nWhat is finished is kept. After mending, go on with:\n  {_word_resume()}")


def _word_resume() -> str:
    return "neurodecode " + " ".join(shlex.quote(a) for a in sys.argv[1:])
