"""Which steps are fresh, stale, missing or waiting, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from neurodecode.core.digests import digest_json
from neurodecode.core.errors import UserError
from neurodecode.core.fingerprint import Memory, digest_code, make_key, make_recipe
from neurodecode.core.graph import CONTEXT_INPUT, Branch, Graph, Instance, Ref
from neurodecode.core.lint import Finding, find_in_graph
from neurodecode.core.stage import Stage, read_inputs
from neurodecode.core.store import Store
from neurodecode.core.visible import show

State = Literal["fresh", "stale", "missing", "waiting", "blocked"]
Cards = Mapping[tuple[str, Branch], Mapping[str, Any]]


@dataclass(frozen=True)
class StepPlan:
    """What stands before one instance.

    Parameters
    ----------
    instance : Instance
    state : {"fresh", "stale", "missing", "waiting", "blocked"}
        "blocked" is a step whose raw files are absent.
    key : str or None
        None while it waits for its inputs.
    reasons : sequence of str
        Why it is not fresh.
    card : mapping or None
        Of the result, if fresh; else of the nearest earlier recipe.
    """

    instance: Instance
    state: State
    key: str | None
    reasons: tuple[str, ...] = ()
    card: Mapping[str, Any] | None = None
    recipe: Mapping[str, Any] | None = None


@dataclass
class Planner:
    """Tells the state of steps against a store.

    Parameters
    ----------
    graph : Graph
    store : Store
    memory : Memory
        Digests of files.
    """

    graph: Graph
    store: Store
    memory: Memory
    _code: dict[type[Stage], Any] = field(default_factory=dict)
    _history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def plan(self) -> list[StepPlan]:
        """Return the plan of every step, in order."""
        plans: list[StepPlan] = []
        cards: dict[tuple[str, Branch], Mapping[str, Any]] = {}
        for instance in self.graph.instances.values():
            plan = self.plan_step(instance, cards)
            plans.append(plan)
            if plan.state == "fresh" and plan.card is not None:
                cards[instance.id] = plan.card
        return plans

    def plan_step(self, instance: Instance, cards: Cards, explain: bool = True) -> StepPlan:
        """Return the plan of one step, given the cards of what is done."""
        absent = [r for r in instance.refs() if (r.step, r.branch) not in cards]
        if absent:
            first = _label(absent[0])
            more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
            earlier = self.find_nearest(instance, None)[0] if explain else None
            return StepPlan(instance, "waiting", None, (f"waits for {first}{more}",), earlier)
        try:
            recipe = self.make_recipe(instance, cards)
        except UserError as error:
            return StepPlan(instance, "blocked", None, (str(error),))
        except Exception as error:  # sources() and weights() of a stage may raise what they like
            told = f"{type(error).__name__}: {show(error)}"
            reason = (
                f"{instance.address}: what it reads cannot be told: {told}. Check its settings."
            )
            return StepPlan(instance, "blocked", None, (reason,))
        key = make_key(recipe)
        card = self.store.read_card(recipe["stage"], key)
        if card is not None:
            return StepPlan(instance, "fresh", key, (), card, recipe)
        if not explain:
            return StepPlan(instance, "missing", key, (), None, recipe)
        nearest, reasons = self.find_nearest(instance, recipe)
        if nearest is None:
            return StepPlan(instance, "missing", key, ("never computed",), None, recipe)
        return StepPlan(instance, "stale", key, tuple(reasons), nearest, recipe)

    def make_recipe(self, instance: Instance, cards: Cards) -> dict[str, Any]:
        """Return what decides the step's result."""
        inputs = {
            name: _describe_input(value, cards)
            for name, value in instance.inputs.items()
            if value is not None
        }
        context = None
        if CONTEXT_INPUT in read_inputs(type(instance.stage)):
            context = digest_json(
                [
                    describe_graph(self.graph, instance),
                    self._count_looks(instance, cards),
                    self._list_accepted(instance, cards),
                    [str(f) for f in self.find_worth_reading(instance, cards)],
                ]
            )
        stage = type(instance.stage)
        self._read_code(stage)
        recipe = make_recipe(
            instance.address, instance.stage, inputs, self.memory, self._code[stage], context
        )
        named = {
            "transductive": instance.allow_transductive,
            "leakage": instance.allow_leakage,
        }
        return {**recipe, "named": named} if any(named.values()) else recipe

    def read_code(self) -> None:
        """Look at the code of all steps now: later, it may be edited while others run."""
        for instance in self.graph.instances.values():
            self._read_code(type(instance.stage))

    def _read_code(self, stage: type[Stage]) -> None:
        if stage not in self._code:
            self._code[stage] = digest_code(stage, self.memory)

    def _list_accepted(self, instance: Instance, cards: Cards) -> list[Any]:
        """Return what was accepted rather than computed upstream of a step."""
        upstream = self.graph.find_upstream([instance.id])
        return [
            card["accepted"] for k, card in cards.items() if k in upstream and "accepted" in card
        ]

    def _count_looks(self, instance: Instance, cards: Cards) -> dict[str, int]:
        """Return how often each test set upstream of a step was scored."""
        upstream = self.graph.find_upstream([instance.id])
        test_sets = {
            output["test_set"]
            for key, card in cards.items()
            if key in upstream
            for output in card["outputs"].values()
            if output["test_set"]
        }
        looks = self.store.load_looks()
        return {name: looks.count(name) for name in sorted(test_sets)}

    def find_worth_reading(self, instance: Instance | None, cards: Cards) -> list[Finding]:
        """Return what the lint says of the steps upstream of one, or of all."""
        graph = self.graph
        if instance is not None:
            graph = graph.keep(graph.find_upstream([instance.id]))
        return find_in_graph(graph, cards, self.store.load_looks())

    def find_nearest(
        self, instance: Instance, recipe: Mapping[str, Any] | None
    ) -> tuple[dict[str, Any] | None, list[str]]:
        """Return the earlier result most like a recipe, and the differences.

        One of the same step, branch and pipeline comes first, then the fewest differences, then
        the newest.
        """
        address = instance.address
        if address not in self._history:
            self._history[address] = list(self.store.iterate_cards(address))
        best: tuple[tuple[int, int], dict[str, Any], list[str]] | None = None
        for card in self._history[address]:
            if card.get("step") != instance.name or card.get("pipeline") != self.graph.name:
                continue
            reasons = list_differences(card, recipe) if recipe is not None else []
            elsewhere = int(card.get("branch") != dict(instance.branch))
            rank = (elsewhere, len(reasons))
            if best is None or rank < best[0]:
                best = (rank, card, reasons)
        return (best[1], best[2]) if best else (None, [])


def list_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what changed between two recipes, a line each."""
    found = [
        f"setting {name}: {before!r} → {after!r}"
        for name, before, after in _compare(old.get("settings", {}), new["settings"])
    ]
    found += [
        f"code: {name} " + ("changed" if before and after else "new" if after else "gone")
        for name, before, after in _compare(old.get("code", {}), new["code"])
    ]
    found += [
        _word_input(name, before, after)
        for name, before, after in _compare(old.get("inputs", {}), new["inputs"])
    ]
    found += [
        f"raw file {name}: "
        + ("content changed" if before and after else "new" if after else "gone")
        for name, before, after in _compare(old.get("source_files", {}), new["source_files"])
        if old.get("sources") != new["sources"]
    ]
    found += [
        f"library {name}: {before} → {after}"
        for name, before, after in _compare(old.get("distributions", {}), new["distributions"])
    ]
    found += [
        f"weights {name}: {before} → {after}"
        for name, before, after in _compare(old.get("weights", {}), new["weights"])
    ]
    for name, words in (("version", "stage version"), ("core", "core schema")):
        if old.get(name) != new[name]:
            found.append(f"{words}: {old.get(name)} → {new[name]}")
    for kind, before, after in _compare(old.get("named") or {}, new.get("named") or {}):
        found.append(f"allow_{kind}: {before!r} → {after!r}")
    if old.get("context") != new.get("context"):
        found.append(
            "what it describes changed: the pipeline, or how often its test set was scored"
        )
    return found


def describe_graph(graph: Graph, instance: Instance | None = None) -> dict[str, Any]:
    """Return what a report says of its pipeline, times and versions left out."""
    ids = graph.find_upstream([instance.id]) if instance is not None else set(graph.instances)
    return {
        "title": graph.title,
        "source": graph.source,
        "description": graph.description,
        "seed": graph.seed,
        "steps": [
            [i.label, i.address, i.stage.settings(), i.allow_transductive, i.allow_leakage]
            for key, i in graph.instances.items()
            if key in ids
        ],
    }


def describe_output(ref: Ref, cards: Cards) -> dict[str, str]:
    """Return the digests of one output."""
    card = cards[(ref.step, ref.branch)]
    outputs = card["outputs"]
    if ref.output not in outputs:
        raise UserError(
            f"{ref.step}: with its settings it does not give the output '{ref.output}'. It gives: "
            f"{', '.join(outputs)}. Name one of these, or change the settings of '{ref.step}'."
        )
    return {"digest": outputs[ref.output]["digest"], "lineage": outputs[ref.output]["lineage"]}


def _describe_input(value: Any, cards: Cards) -> Any:
    if isinstance(value, Ref):
        return describe_output(value, cards)
    if isinstance(value, Mapping):
        return {label: describe_output(ref, cards) for label, ref in value.items()}
    return [describe_output(ref, cards) for ref in value]


def _compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield name, old.get(name), new.get(name)


def _word_input(name: str, before: Any, after: Any) -> str:
    if before is None or after is None:
        return f"input {name}: {'new' if after else 'gone'}"
    if isinstance(before, dict) and "digest" in before and before["digest"] == after.get("digest"):
        return f"input {name}: same content, other lineage"
    return f"input {name}: content changed"


def _label(ref: Ref) -> str:
    inside = ", ".join(f"{k}={v}" for k, v in ref.branch)
    return f"{ref.step}[{inside}]" if inside else ref.step
