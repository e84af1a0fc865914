"""What the steps of a pipeline name: variables, other steps, and the order that follows."""

from __future__ import annotations

from collections.abc import Mapping

from neurodecode.core.axes import list_rows
from neurodecode.core.checks import name_known
from neurodecode.core.draft import AUDIT, Draft, StepSpec, list_references
from neurodecode.core.visible import show
from neurodecode.core.yaml_tree import VARIABLE, Node, substitute


def check_variables(draft: Draft) -> None:
    """Note every variable that is named but neither in params nor in each."""
    for spec in draft.steps.values():
        for name, line in spec.variables().items():
            known = [*draft.params, *draft.axes]
            if name not in known and name not in draft.unread:
                draft.complain(
                    line,
                    f"{spec.name}: ${{{show(name)}}} is neither in params nor in each."
                    f"{name_known(name, known)}",
                )
        for name in spec.gather:
            if name not in draft.axes and name not in draft.unread:
                draft.complain(
                    spec.line,
                    f"{spec.name}: gather: no variable '{show(name)}'."
                    f"{name_known(name, draft.axes, 'Variables of each')}",
                )


def check_inputs(draft: Draft) -> None:
    """Note every input that names a step that is not there."""
    for spec in draft.steps.values():
        for key, node in spec.inputs.items():
            for reference, line in list_references(node):
                for step in list_steps(draft, spec, reference):
                    if step in draft.steps or step in draft.broken:
                        continue
                    if draft.awaits_controls and ("@" in step or step.startswith(AUDIT)):
                        continue
                    others = [name for name in draft.steps if name != spec.name]
                    draft.complain(
                        line,
                        f"{spec.name}: {key}: no step is called '{show(step)}'."
                        f"{name_known(step, others)}",
                    )


def sort_steps(draft: Draft) -> list[str]:
    """Return the steps, each after what it needs; note circles."""
    needs: dict[str, set[str]] = {}
    for spec in draft.steps.values():
        references = [r for node in spec.inputs.values() for r, _ in list_references(node)]
        steps = [step for r in references for step in list_steps(draft, spec, r)]
        needs[spec.name] = {step for step in steps if step in draft.steps}
    order: list[str] = []
    done: set[str] = set()
    while needs:
        ready = [name for name, needed in needs.items() if needed <= done]
        if not ready:
            circle = _find_circle(needs)
            shown = [*circle[:8], f"({len(circle) - 8} more)"] if len(circle) > 9 else circle
            draft.complain(
                draft.steps[circle[0]].line,
                f"steps need each other in a circle: {' → '.join([*shown, circle[0]])}. Let one "
                "of them read from a step outside it.",
            )
            break
        order += ready
        done |= set(ready)
        for name in ready:
            del needs[name]
    return order


def list_steps(draft: Draft, spec: StepSpec, reference: str) -> list[str]:
    """Return the steps that a reference may name, one for each value of its variables."""
    names = VARIABLE.findall(reference)
    if not names:
        return [reference.split(".")[0]]
    if any(name not in draft.axes for name in names):  # complained of already
        return []
    filled = (substitute(Node(reference), row) for row in list_rows(draft, spec.name, names))
    return list(dict.fromkeys(node.value.split(".")[0] for node in filled))


def _find_circle(needs: Mapping[str, set[str]]) -> list[str]:
    """Return one circle among steps each of which needs another of them."""
    path = [min(needs)]
    while True:
        following = min(step for step in needs[path[-1]] if step in needs)
        if following in path:
            return path[path.index(following) :]
        path.append(following)
