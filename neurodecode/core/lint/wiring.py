"""Rules about the graph alone: what can be told before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator

from neurodecode.core.artifacts import Predictions, Reconstructions, Responses, Split
from neurodecode.core.graph import Graph, Instance
from neurodecode.core.lint.findings import Severity
from neurodecode.core.stage import read_inputs, read_outputs

Told = Iterator[tuple[Instance, Severity, str]]

# Among so many equally good ones the best lies 1.5 standard errors above their mean.
MANY = 10


def statistics_of_test_set(graph: Graph) -> Told:
    """Steps before a score that take statistics of the very rows that are tested."""
    upstream = graph.find_upstream([i.id for i in list_scoring(graph)])
    for key, instance in graph.instances.items():
        if (
            key not in upstream
            or is_control(instance)
            or instance.stage.contact_of() != "transductive"
        ):
            continue
        sees = instance.stage.sees()
        sights = {
            sees.get(name, "all")
            for name, kind in read_inputs(type(instance.stage)).items()
            if kind.artifact in (Responses, Predictions) and name in instance.inputs
        }
        if "all" in sights:
            text = "looks at all rows at once, those of the test among them, without their labels"
        elif "run" in sights:
            text = "looks at each run as a whole, at the runs that are tested, too"
        else:
            continue
        more = (
            "What it gives a test row rests on the other test rows: say so, and do not claim that "
            "it works for one trial at a time."
        )
        if instance.allow_transductive is not None:
            more += f' Named by the file: "{instance.allow_transductive}".'
        yield instance, "note", f"{text}. {more}"


def no_controls(graph: Graph) -> Told:
    """Scores of reconstructions from a brain, in a file without controls."""
    if any(is_control(i) or i.address == "evaluation.controls" for i in graph.instances.values()):
        return
    for instance in list_scoring(graph):
        upstream = [graph.instances[k] for k in graph.find_upstream([instance.id])]
        made = [
            i
            for i in upstream
            if any(o.artifact is Reconstructions for o in read_outputs(type(i.stage)).values())
        ]
        if made and any(i.stage.decodes for i in upstream):
            yield (
                instance,
                "warning",
                "reconstructions are scored without controls: how much of the score the generator "
                "alone would reach is unknown. Add controls: {of: " + instance.name + "}.",
            )


def no_null(graph: Graph) -> Told:
    """Scores without permutations, which no shuffled control stands in for."""
    names = {name for name, _ in graph.instances}
    for instance in list_scoring(graph):
        n = getattr(instance.stage, "n_permutations", None)
        if n == 0 and f"{instance.name}@shuffled_brain" not in names:
            yield (
                instance,
                "note",
                "n_permutations is 0 and no shuffled_brain control refits it: chance is the "
                "stated one, which cross-validation can miss, and there is no p-value.",
            )


def many_variants(graph: Graph) -> Told:
    """Many things scored on one split in one file."""
    scored: dict[frozenset[object], dict[object, Instance]] = {}
    for instance in list_scoring(graph):
        splits = frozenset(
            key
            for key in graph.find_upstream([instance.id])
            if any(
                o.artifact is Split for o in read_outputs(type(graph.instances[key].stage)).values()
            )
        )
        for ref in instance.refs():
            given = read_outputs(type(graph.instances[(ref.step, ref.branch)].stage))[ref.output]
            if splits and given.artifact in (Predictions, Reconstructions):
                scored.setdefault(splits, {}).setdefault((ref.step, ref.branch), instance)
    for members in scored.values():
        if len(members) > MANY:
            yield (
                next(iter(members.values())),
                "note",
                f"this file scores {len(members)} variants on one test set. Report them all, or "
                "choose on a validation part (validation_fraction of evaluation.split) and score "
                "the one chosen.",
            )


def is_control(instance: Instance) -> bool:
    """Tell whether a step is one that ``controls:`` added."""
    return "@" in instance.name


def list_scoring(graph: Graph) -> list[Instance]:
    """Return the steps that compare with the truth, controls left out."""
    return [i for i in graph.instances.values() if i.stage.scores and not is_control(i)]
