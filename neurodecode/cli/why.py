"""neurodecode why: the difference between a step's recipe and the nearest earlier one."""

from __future__ import annotations

import time

from neurodecode.cli.options import (
    Branches,
    CacheFolder,
    Overrides,
    PipelineName,
    StepName,
    open_graph,
    open_store,
    plan_step,
)


def command(
    pipeline: PipelineName,
    step: StepName,
    overrides: Overrides = None,
    branch: Branches = None,
    cache: CacheFolder = None,
) -> None:
    """Say why a step is not fresh, or since when it is."""
    from neurodecode.cli.console import say

    store = open_store(cache)
    wanted, plans = plan_step(open_graph(pipeline, overrides, branch), step, store)
    for key in wanted:
        plan = plans[key]
        say(f"{plan.instance.label}: {plan.state}")
        if plan.state == "fresh" and plan.card is not None:
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(plan.card["started"]))
            say(f"  computed {when}; its recipe has not changed since. Key {plan.key}")
        for reason in plan.reasons:
            say(f"  {reason}")
        if plan.state == "waiting":
            for other in plans.values():
                if other.state in ("stale", "missing", "blocked"):
                    for reason in other.reasons:
                        say(f"  {other.instance.label} is {other.state}: {reason}")
