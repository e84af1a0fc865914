"""A rule about the past: a test set that was scored again and again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import NormalDist
from typing import Any

from neurodecode.core.graph import Graph
from neurodecode.core.lint.wiring import MANY, Told, list_scoring
from neurodecode.core.looks import Look, Looks, name_look


def many_looks(graph: Graph, cards: Mapping[Any, Mapping[str, Any]], looks: Looks) -> Told:
    """Test sets on which many different things were scored by one claim."""
    for instance in list_scoring(graph):
        card = cards.get(instance.id)
        for test_set in list_test_sets(card):
            history = looks.find(test_set)
            name = name_look(card or {})
            claim = next((look.claim for look in history if look.name == name), "")
            same = list_variants(history, claim) if claim else []
            if len(same) > MANY:
                yield instance, "warning", word_history(same, claim)


def list_test_sets(card: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield the digests of the test sets that a result scored."""
    for output in (card or {}).get("outputs", {}).values():
        if output["test_set"]:
            yield str(output["test_set"])


def list_variants(history: list[Look], claim: str) -> list[Look]:
    """Return the looks of one claim, each thing scored once."""
    found: dict[str, Look] = {}
    for look in history:
        if look.claim == claim and look.value is not None:
            found.setdefault(look.scored or look.name, look)
    return list(found.values())


def word_history(same: list[Look], claim: str) -> str:
    """Return what a history of looks says of its best value."""
    values = [float(look.value) for look in same if look.value is not None]
    best = min(values) if same[-1].scale == "distance" else max(values)
    text = (
        f"this test set was scored on {len(same)} different things by {claim}: first "
        f"{values[0]:.3g}, best {best:.3g}."
    )
    errors = sorted(look.se for look in same if look.se is not None)
    if errors:
        luck = expect_maximum(len(same)) * errors[len(errors) // 2]
        text += f" Of so many equally good ones the best lies up to {luck:.2g} off by luck alone."
    return f"{text} Choose on a validation part; test what was chosen on data not looked at yet."


def expect_maximum(n: int) -> float:
    """Return the expected maximum of n independent standard normal numbers.

    Blom 1958: the quantile at (n - 0.375) / (n + 0.25), within 1 % for n of 5 or more. Recipes of
    one kind make alike mistakes, so that the true gain by luck is smaller: an upper bound.

    Examples
    --------
    >>> [round(expect_maximum(n), 2) for n in (1, 10, 50)]
    [0.0, 1.55, 2.24]
    """
    return NormalDist().inv_cdf((n - 0.375) / (n + 0.25))
