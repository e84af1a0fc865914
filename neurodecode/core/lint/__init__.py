"""The lint: what the leakage check cannot see, told by ``plan`` and by the report.

findings.py     a finding, and how findings are grouped
wiring.py       rules about the graph alone
made.py         a result as the rules look at it
order.py        rules about time: neighbours, blocks, places that give labels away
balance.py      rules about who is on which side
candidates.py   rules about what decoded items are compared with
often.py        a rule about how often a test set was scored
sides.py        the two sides of a split

To add a rule: write a function whose name is its code, and put it in one of the lists here. A rule
of the graph yields (step, severity, text); a rule of a split is given its Sides, a rule of a result
what was Made, and they return (severity, text) or None. What results told is kept on their cards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from neurodecode.core.artifacts import Artifact
from neurodecode.core.graph import Graph, Instance
from neurodecode.core.lint.balance import (
    few_units,
    repeated_stimuli,
    uneven_categories,
    uneven_repeats,
    unseen_categories,
)
from neurodecode.core.lint.candidates import duplicate_items, tied_candidates, uneven_candidates
from neurodecode.core.lint.findings import Finding, Found, group_findings
from neurodecode.core.lint.made import Made
from neurodecode.core.lint.often import list_test_sets, many_looks
from neurodecode.core.lint.order import block_design, confined_categories, temporal_neighbours
from neurodecode.core.lint.sides import Sides
from neurodecode.core.lint.wiring import (
    Told,
    is_control,
    many_variants,
    no_controls,
    no_null,
    statistics_of_test_set,
)
from neurodecode.core.looks import Looks
from neurodecode.core.stage import Stage

__all__ = [
    "CODES", "Finding", "Looks", "find_in_graph", "find_in_result", "is_control", "is_looked_at",
    "list_test_sets",
]  # fmt: skip

GRAPH_RULES: tuple[Callable[[Graph], Told], ...] = (
    statistics_of_test_set,
    no_controls,
    no_null,
    many_variants,
)
SPLIT_RULES: tuple[Callable[[Sides], Found], ...] = (
    repeated_stimuli,
    block_design,
    temporal_neighbours,
    confined_categories,
    unseen_categories,
    uneven_repeats,
    uneven_categories,
    few_units,
)
RESULT_RULES: tuple[Callable[[Made], Found], ...] = (
    duplicate_items,
    tied_candidates,
    uneven_candidates,
)
CODES = tuple(rule.__name__ for rule in (*GRAPH_RULES, *SPLIT_RULES, *RESULT_RULES, many_looks))
SCHEMA = 1  # of the rules of results; raise it when they change, and plan says who was not asked


def find_in_result(
    stage: Stage, inputs: Mapping[str, Any], outputs: Mapping[str, Artifact]
) -> dict[str, Any]:
    """Return what the rules find in a result, as the JSON value that its card keeps.

    A rule that fails on data it did not foresee costs no result: that is a finding, too.
    """
    made, found = Made(stage, inputs, outputs), []
    subjects: list[tuple[Any, Any]] = [(rule, made) for rule in RESULT_RULES]
    if made.sides is not None:
        subjects += [(rule, made.sides) for rule in SPLIT_RULES]
    for rule, subject in subjects:
        try:
            told = rule(subject)
        except Exception as error:
            told = "note", f"the rule failed ({type(error).__name__}: {error}). Please report it."
        if told is not None:
            found.append({"code": rule.__name__, "severity": told[0], "text": told[1]})
    return {"schema": SCHEMA, "found": found}


def is_looked_at(card: Mapping[str, Any]) -> bool:
    """Tell whether a result was looked at by the rules as they are."""
    return dict(card.get("lint", {})).get("schema") == SCHEMA


def find_in_graph(
    graph: Graph, cards: Mapping[Any, Mapping[str, Any]], looks: Looks
) -> list[Finding]:
    """Return everything worth reading of a graph and of what is done of it, each thing once.

    Parameters
    ----------
    graph : Graph
    cards : mapping of instance to card
        Of the finished results; no result is opened.
    looks : Looks
        Of the caches that hold them.
    """
    return group_findings(_collect(graph, cards, looks))


def _collect(
    graph: Graph, cards: Mapping[Any, Mapping[str, Any]], looks: Looks
) -> Iterator[Finding]:
    for rule in GRAPH_RULES:
        for instance, severity, text in rule(graph):
            yield _sign(instance, rule.__name__, severity, text)
    for key, instance in graph.instances.items():
        kept = cards.get(key, {}).get("lint", {}) if not is_control(instance) else {}
        for told in kept.get("found", ()):
            yield _sign(instance, told["code"], told["severity"], told["text"])
    for instance, severity, text in many_looks(graph, cards, looks):
        yield _sign(instance, many_looks.__name__, severity, text)


def _sign(instance: Instance, code: str, severity: Any, text: str) -> Finding:
    """Return a finding of a step; what its file knows of is no warning any more."""
    reason = instance.known.get(code)
    return Finding(
        code, "note" if reason is not None else severity, text, (instance.name,), known=reason
    )
