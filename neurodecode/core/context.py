"""What a report prints of the run that it belongs to: steps, settings, findings, looks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from neurodecode.core.graph import Graph, Instance, Ref
from neurodecode.core.planner import Cards, Planner, describe_graph
from neurodecode.core.tasks import describe_environment


def describe_run(report: Instance, planner: Planner, cards: Cards) -> str:
    """Return what a step that prints its run is told of it, as JSON text.

    Parameters
    ----------
    report : Instance
        The step.
    planner : Planner
        Of the run's graph and store.
    cards : mapping of instance to card
        Of what is done.
    """
    graph = planner.graph
    upstream = graph.find_upstream([report.id])
    looks = planner.store.load_looks()
    about = describe_graph(graph, report)
    about["steps"] = _describe_steps(graph, report, cards)
    about["names"] = [graph.instances[(r.step, r.branch)].label for r in _list_shown(report)]
    about["environment"] = describe_environment()
    about["warnings"] = [
        f"'{card['label']}' was not computed again but accepted: {item['reason']} "
        f"({'; '.join(item['differences'])})"
        for key, card in cards.items()
        if key in upstream
        for item in card.get("accepted", [])
    ]
    about["findings"] = [
        {**asdict(one), "steps": list(one.steps)}
        for one in planner.find_worth_reading(report, cards)
    ]
    about["looks"] = [
        {"step": key[0], "test_set": o["test_set"], "count": looks.count(o["test_set"])}
        for key, card in cards.items()
        for o in card["outputs"].values()
        if o["test_set"] and "@" not in key[0] and card["stage"] != "evaluation.audit"
    ]
    return json.dumps(about, ensure_ascii=False)


def _list_shown(report: Instance) -> list[Ref]:
    show = report.inputs.get("show", [])
    if isinstance(show, Ref):
        return [show]
    return list(show.values() if isinstance(show, Mapping) else show)


def _describe_steps(graph: Graph, report: Instance, cards: Cards) -> list[dict[str, Any]]:
    """Return one record per step of the file, its branches counted.

    The copies that controls add are counted with the step that gathers them.
    """
    upstream = graph.find_upstream([report.id])
    steps: dict[str, list[Instance]] = {}
    for key, instance in graph.instances.items():
        if key in upstream and "@" not in instance.name:
            steps.setdefault(instance.name, []).append(instance)
    copies = sum("@" in name for name, _ in upstream)
    found = [_describe_step(branches, cards) for branches in steps.values()]
    for record in found:
        if record["stage"] == "evaluation.audit" and copies:
            record["doc"] += f" The controls repeat earlier steps: {copies:,} runs in all."
    return found


def _describe_step(branches: list[Instance], cards: Cards) -> dict[str, Any]:
    instance = branches[0]
    made = [cards[b.id] for b in branches if b.id in cards]
    several = len(branches) > 1
    return {
        "name": instance.name,
        "branches": len(branches),
        "stage": instance.address,
        "doc": (type(instance.stage).__doc__ or "").strip().split("\n")[0],
        "inputs": [
            {"name": name, "from": ref.step}
            for name, value in instance.inputs.items()
            if value is not None
            for ref in replace(instance, inputs={name: value}).refs()
            if "@" not in ref.step
        ],
        "settings": _join_settings([b.stage.settings() for b in branches]),
        "allow_transductive": instance.allow_transductive,
        "allow_leakage": instance.allow_leakage,
        "seconds": sum(c["seconds"] for c in made) if made else None,
        "peak_mb": max((c["peak_mb"] for c in made), default=None),
        "key": made[0]["key"] if made and not several else "",
    }


def _join_settings(settings: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the settings of all branches; where they differ, every value once."""
    joined = {}
    for name in settings[0]:
        values = list(dict.fromkeys(str(s[name]) for s in settings))
        joined[name] = settings[0][name] if len(values) == 1 else " | ".join(values)
    return joined
