"""The steps of a file that an input could read, for the messages on what is missing or wrong."""

from __future__ import annotations

from neurodecode.core.draft import Draft, StepSpec, list_references
from neurodecode.core.order import list_steps
from neurodecode.core.stage import InputSpec, read_inputs, read_outputs
from neurodecode.core.visible import show

MOST_SHOWN = 12


def list_givers(draft: Draft, spec: StepSpec, key: str) -> tuple[list[str], list[str]]:
    """Return what may be written for an input: of the very kind that it takes, and else accepted.

    The step itself is left out, with all that read from it, and what another input of the same
    step reads already.

    Returns
    -------
    exact, accepted : list of str
        "step", or "step.output" where a step gives several that would do.
    """
    kind = read_inputs(spec.stage)[key]
    taken = {
        step for other in spec.inputs if other != key for step in _list_read(draft, spec, other)
    }
    left_out = {*taken, *_find_downstream(draft, spec)}
    exact: list[str] = []
    accepted: list[str] = []
    for name, step in draft.steps.items():
        if name in left_out or "@" in name:
            continue
        reference, is_exact = _choose(step, kind)
        if reference:
            (exact if is_exact else accepted).append(reference)
    return exact, accepted


def word_givers(draft: Draft, spec: StepSpec, key: str) -> str:
    """Return the next step for an input that is missing or wrong."""
    exact, accepted = list_givers(draft, spec, key)
    givers = [show(name) for name in (*exact, *accepted)]
    if len(exact) == 1 or len(givers) == 1:
        return f"Write: {key}: {givers[0]}."
    if givers:
        more = f" and {len(givers) - MOST_SHOWN} more" if len(givers) > MOST_SHOWN else ""
        return f"Name a step that does, one of: {', '.join(givers[:MOST_SHOWN])}{more}."
    return "Add a step that does: this file has none."


def _list_read(draft: Draft, spec: StepSpec, key: str | None = None) -> set[str]:
    """Return the steps that a step reads, in one input or in all."""
    nodes = spec.inputs.values() if key is None else [spec.inputs[key]]
    return {
        step
        for node in nodes
        for reference, _ in list_references(node)
        for step in list_steps(draft, spec, reference)
    }


def _find_downstream(draft: Draft, spec: StepSpec) -> set[str]:
    """Return a step and all that read from it, however indirectly."""
    readers: dict[str, list[str]] = {}
    for name, step in draft.steps.items():
        for read in _list_read(draft, step):
            readers.setdefault(read, []).append(name)
    found: set[str] = set()
    waiting = [spec.name]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting += readers.get(current, ())
    return found


def list_upstream(draft: Draft, spec: StepSpec) -> list[str]:
    """Return all steps that a step reads, however indirectly, the nearest first."""
    found: dict[str, None] = {}
    waiting = [spec.name]
    while waiting:
        for name in sorted(_list_read(draft, draft.steps[waiting.pop(0)]) & set(draft.steps)):
            if name not in found:
                found[name] = None
                waiting.append(name)
    return list(found)


def _choose(step: StepSpec, kind: InputSpec) -> tuple[str, bool]:
    """Return how a step is named for what it gives, and whether that is of the very kind."""
    outputs = read_outputs(step.stage)
    fitting = [name for name, output in outputs.items() if kind.accepts(output.artifact)]
    if not fitting:
        return "", False
    exact = [n for n in fitting if outputs[n].artifact in (kind.artifact, *kind.others)]
    best = (exact or fitting)[0]
    # as for a reference without an output: the only one, or the first of all
    alone = len(fitting) == 1 or next(iter(outputs)) == best
    return (step.name if alone else f"{step.name}.{best}"), bool(exact)
