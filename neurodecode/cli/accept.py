"""neurodecode accept: re-sign results after a change known to be harmless."""

from __future__ import annotations

import time
from typing import Annotated

import typer

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

HARMLESS = ("code: ", "library ", "stage version: ", "core schema: ", "what it describes ")


def command(
    pipeline: PipelineName,
    step: StepName,
    reason: Annotated[str, typer.Option(help="Why the change is harmless; kept with the result.")],
    overrides: Overrides = None,
    branch: Branches = None,
    cache: CacheFolder = None,
) -> None:
    """Give the nearest earlier result the new key; the reason stays in its provenance."""
    from neurodecode.cli.console import say
    from neurodecode.core.errors import UserError

    if len(reason.strip()) < 3 or not reason.isprintable():
        raise UserError(
            "accept: --reason is no line of words. Write, on one line, why the change is harmless."
        )
    store = open_store(cache)
    wanted, plans = plan_step(open_graph(pipeline, overrides, branch), step, store)
    for key in wanted:
        plan = plans[key]
        if plan.state == "fresh":
            say(f"{plan.instance.label}: already fresh")
            continue
        if plan.state != "stale" or plan.card is None or plan.recipe is None or plan.key is None:
            raise UserError(
                f"accept: {plan.instance.label} is {plan.state} ({'; '.join(plan.reasons)}), and "
                "only a stale step with an earlier result can be accepted. Run it, or accept or "
                "run the steps before it first."
            )
        results = [r for r in plan.reasons if not r.startswith(HARMLESS)]
        if results:
            raise UserError(
                f"accept: {plan.instance.label}: {'; '.join(results)}; that gives another result. "
                "Allowed: changes of code, of versions or of a library. Run the step instead."
            )
        signed = {
            "from": plan.card["key"],
            "reason": reason,
            "differences": list(plan.reasons),
            "when": time.time(),
        }
        card = {
            **plan.card,
            **plan.recipe,
            "key": plan.key,
            "accepted": [*plan.card.get("accepted", []), signed],
        }
        for name in ("path", "bytes", "outputs"):
            card.pop(name, None)
        store.write(plan.instance.address, plan.key, store.read(plan.card), card)
        say(f"{plan.instance.label}: accepted ({'; '.join(plan.reasons)})")
