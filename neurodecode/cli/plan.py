"""neurodecode plan: what a run would do, and why."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

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
    from neurodecode.core.lint import Finding


def command(
    pipeline: PipelineName = DEFAULT_PIPELINE,
    overrides: Overrides = None,
    branch: Branches = None,
    cache: CacheFolder = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Name every branch.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 when the lint has warnings.")
    ] = False,
) -> None:
    """Print each step as fresh, stale, missing or waiting, with the reason, and what lint finds."""
    from neurodecode.cli.console import format_bytes, format_seconds, print_table, say
    from neurodecode.core.fingerprint import Memory
    from neurodecode.core.lint import is_control, is_looked_at
    from neurodecode.core.planner import Planner, StepPlan

    graph = open_graph(pipeline, overrides, branch)
    store = open_store(cache)
    memory = Memory.load(store.folder / "memory.json")
    planner = Planner(graph, store, memory)
    plans = planner.plan()
    memory.save()
    groups: dict[tuple[str, str], list[StepPlan]] = {}
    for plan in plans:
        name = plan.instance.label if verbose else plan.instance.name
        groups.setdefault((name, plan.state), []).append(plan)
    rows = []
    for (name, state), members in groups.items():
        cards = [p.card for p in members if p.card is not None]
        seconds = sum(float(c["seconds"]) for c in cards)
        size = sum(int(c["bytes"]) for c in cards)
        count = f"{name} ×{len(members)}" if len(members) > 1 else name
        reasons = members[0].reasons
        why = "; ".join(reasons[:3]) + (
            f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
        )
        rows.append(
            (state, count, members[0].instance.address,
             format_seconds(seconds) if cards else "?", format_bytes(size) if cards else "?", why)
        )  # fmt: skip
    print_table(("state", "step", "stage", "time", "size", "why"), rows)
    counts = Counter(p.state for p in plans)
    say(
        "\n"
        + ", ".join(f"{n} {state}" for state, n in counts.items())
        + f"  (cache: {store.folder})"
    )
    done = {p.instance.id: p.card for p in plans if p.state == "fresh" and p.card is not None}
    findings = planner.find_worth_reading(None, done)
    unseen = [p for p in plans if not is_looked_at(done.get(p.instance.id, {}))]
    say_findings(findings, n_unseen=sum(not is_control(p.instance) for p in unseen))
    if strict and any(one.severity == "warning" for one in findings):
        sys.exit(1)


def say_findings(findings: Sequence[Finding], n_unseen: int) -> None:
    """Print what the lint found, a line each."""
    from neurodecode.cli.console import say
    from neurodecode.core.lint.findings import name_plural

    n_warnings = sum(one.severity == "warning" for one in findings)
    later = f" ({name_plural(n_unseen, 'result')} not made yet, or by an earlier version)"
    counted = f"{name_plural(n_warnings, 'warning')}, "
    counted += name_plural(len(findings) - n_warnings, "note")
    say(f"\nlint: {counted if findings else 'nothing found'}{later if n_unseen else ''}")
    for one in findings:
        say(f"  {one}")
