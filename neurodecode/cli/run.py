"""neurodecode run: bring a pipeline up to date, and write its reports."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    read_cluster_options,
)
from neurodecode.cli.stopping import Stopping, word_resume

if TYPE_CHECKING:
    from neurodecode.core.graph import Graph
    from neurodecode.core.runner import Summary
    from neurodecode.core.store import Store


def command(
    pipeline: PipelineName = DEFAULT_PIPELINE,
    overrides: Overrides = None,
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=0, help="Processes, or jobs of a queue; 0: none.")
    ] = 0,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Dask: local (--workers processes), slurm, pbs or sge (--workers jobs), or the "
            "address of a scheduler."
        ),
    ] = None,
    cluster_option: Annotated[
        list[str] | None,
        typer.Option(help="Of the cluster, as queue=short; repeatable."),
    ] = None,
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
    from neurodecode.cli.console import RunPrinter, say
    from neurodecode.cli.report import drop_damaged_reports, write_reports
    from neurodecode.core.runner import run_graph

    start = time.monotonic()
    where = read_cluster_options(cluster, workers, cluster_option)
    graph = open_graph(pipeline, overrides, branch)
    if until is not None:
        graph = graph.keep(graph.find_upstream([i.id for i in find_instances(graph, until)]))
    store = open_store(cache)
    wanted = {i.id for i in find_instances(graph, only)} if only is not None else None
    if wanted is not None:
        graph = graph.keep(graph.find_upstream(list(wanted)))
        _check_inputs_fresh(graph, wanted, cache)
    printer = RunPrinter(len(graph.instances), verbose)
    with Stopping(store.folder) as stopping:
        how: Any = {"workers": workers, "cluster": where, "stopper": stopping.first}
        summary = run_graph(graph, store, **how, listener=printer)
        if drop_damaged_reports(graph, store, summary.cards, out, printer):
            printer.done = 0
            summary = run_graph(graph, store, **how, listener=printer)
    try:
        for path in write_reports(graph, store, summary.cards, out):
            say(f"report: {path}")
        _say_verdicts(graph, store, summary)
    finally:
        _say_summary(graph, summary, time.monotonic() - start)
    _say_warnings(graph, store, summary, pipeline)
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


def _say_verdicts(graph: Graph, store: Store, summary: Summary) -> None:
    """Print the verdict of each audit, and the first of its reasons."""
    from neurodecode.cli.console import say
    from neurodecode.core.artifacts import Scores

    for key, card in summary.cards.items():
        audit = store.read(card)["scores"] if card["stage"] == "evaluation.audit" else None
        if isinstance(audit, Scores):
            say(f"{graph.instances[key].label}: {audit.verdict}. {audit.reasons[0]}")


def _say_summary(graph: Graph, summary: Summary, seconds: float) -> None:
    from neurodecode.cli.console import format_seconds, say, say_failure

    text = f"{len(summary.computed)} computed, {len(summary.fresh)} fresh"
    if summary.failed or summary.skipped:
        text += f", {len(summary.failed)} failed, {len(summary.skipped)} skipped"
    say(f"{graph.name}: {text}, {format_seconds(seconds)}")
    for key, outcome in summary.failed.items():
        # the user's own mistake: the message says all, and a traceback nothing more
        log = summary.logs.get(key) if outcome.kind != "user" else None
        say_failure(graph.instances[key].label, outcome.error, log)
    if summary.failed:
        kept = "What is finished is kept. " if summary.computed or summary.fresh else ""
        say(f"\n{kept}After mending, go on with:\n  {word_resume()}")


def _say_warnings(graph: Graph, store: Store, summary: Summary, pipeline: str) -> None:
    """Name what the lint warns of; ``plan`` prints it at length."""
    from neurodecode.cli.console import say
    from neurodecode.core.lint import find_in_graph

    found = find_in_graph(graph, summary.cards, store.load_looks())
    warned = [f"{', '.join(f.steps)}: {f.code}" for f in found if f.severity == "warning"]
    if warned:
        say(f"lint warns of {'; '.join(warned)}. Read it: neurodecode plan {shlex.quote(pipeline)}")
