"""From steps to instances: what depends on which variable, and what each branch is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from neurodecode.core.checks import list_names, name_nearest
from neurodecode.core.draft import Draft, StepSpec, list_references
from neurodecode.core.graph import Branch, Graph, Instance, Ref
from neurodecode.core.stage import InputSpec, Stage, read_inputs, read_outputs
from neurodecode.core.yaml_tree import Node, find_variables, substitute, to_plain

# pydantic's names of what a setting takes, in plain words
PLAIN_KINDS = {
    "a valid integer": "a whole number", "a valid number": "a number", "a valid string": "text",
    "a valid boolean": "true or false", "a valid tuple": "a list, such as [1, 2]",
    "a valid list": "a list, such as [1, 2]", "a valid dictionary": "names with values",
}  # fmt: skip


def check_variables(draft: Draft) -> None:
    """Note every variable that is named but neither in params nor in each."""
    for spec in draft.steps.values():
        for name, line in spec.variables().items():
            if name not in draft.axes:
                draft.complain(
                    line,
                    f"{spec.name}: ${{{name}}} is neither in params nor in each."
                    f"{name_nearest(name, draft.axes)} Variables of each: "
                    f"{list_names(draft.axes)}. Add it to params or each, or correct the name.",
                )
        for name in spec.gather:
            if name not in draft.axes:
                draft.complain(
                    spec.line,
                    f"{spec.name}: gather: no variable '{name}'.{name_nearest(name, draft.axes)} "
                    f"Variables of each: {list_names(draft.axes)}.",
                )


def sort_steps(draft: Draft) -> list[str]:
    """Return the steps, each after what it needs; note unknown inputs and circles."""
    needs: dict[str, set[str]] = {}
    for spec in draft.steps.values():
        needs[spec.name] = set()
        for key, node in spec.inputs.items():
            for reference, line in list_references(node):
                step = reference.split(".")[0]
                if step in draft.steps:
                    needs[spec.name].add(step)
                elif "${" not in reference and step not in draft.broken:
                    draft.complain(
                        line,
                        f"{spec.name}: {key}: Unknown input step '{step}'."
                        f"{name_nearest(step, draft.steps)} Known: {list_names(draft.steps)}.",
                    )
    order: list[str] = []
    while needs:
        ready = [name for name, needed in needs.items() if needed <= set(order)]
        if not ready:
            circle = _find_circle(needs)
            draft.complain(
                draft.steps[circle[0]].line,
                f"steps wait for each other in a circle: {' needs '.join([*circle, circle[0]])}. "
                "Change an input of one of them, so that each step needs earlier ones only.",
            )
            break
        order += ready
        for name in ready:
            del needs[name]
    return order


def _find_circle(needs: Mapping[str, set[str]]) -> list[str]:
    """Return one circle among steps each of which needs another of them."""
    path = [min(needs)]
    while True:
        following = min(step for step in needs[path[-1]] if step in needs)
        if following in path:
            return path[path.index(following) :]
        path.append(following)


def expand(draft: Draft, order: Sequence[str]) -> Graph:
    """Make one instance of each step for every branch it depends on."""
    instances: dict[tuple[str, Branch], Instance] = {}
    depends: dict[str, set[str]] = {}
    whole = [row for row in draft.variables if all(v in row for v in draft.axes)]
    for name in order:
        spec = draft.steps[name]
        own = set(spec.variables())
        for node in spec.inputs.values():
            for reference, _ in list_references(node):
                own |= depends.get(reference.split(".")[0], set()) - set(spec.gather)
        depends[name] = own
        combinations = {
            tuple((v, row[v].value) for v in draft.axes if v in own): row for row in whole
        }
        for branch, row in combinations.items():
            instance = _make_instance(draft, spec, branch, row, depends, instances)
            if instance is not None:
                instances[instance.id] = instance
    return Graph(
        draft.name, draft.title, draft.source, draft.description, instances, draft.seed,
        draft.folders,
    )  # fmt: skip


def _make_instance(
    draft: Draft,
    spec: StepSpec,
    branch: Branch,
    row: Mapping[str, Node],
    depends: Mapping[str, set[str]],
    instances: Mapping[tuple[str, Branch], Instance],
) -> Instance | None:
    values = {name: row[name] for name, _ in branch}
    stage = _make_stage(draft, spec, values)
    wanted = read_inputs(spec.stage)
    inputs: dict[str, Any] = {}
    for key, node in spec.inputs.items():
        resolved = substitute(node, values)
        kind = wanted[key]
        found: list[tuple[str | None, Ref]] = []
        for label, reference, line in _label_references(resolved):
            found += [
                (label or value, ref)
                for value, ref in _find_branches(
                    draft, spec, key, reference, line, branch, depends, instances, kind, values
                )
            ]
        inputs[key] = _shape_input(draft, spec, key, kind, found)
    if stage is None:
        return None
    reasons = {
        key: str(getattr(spec, key).value) if getattr(spec, key) is not None else None
        for key in ("allow_transductive", "allow_leakage")
    }
    return Instance(
        spec.name,
        branch,
        spec.address,
        stage,
        inputs,
        spec.allow_missing,
        line=spec.line,
        **reasons,
    )


def _label_references(node: Node) -> Iterator[tuple[str | None, str, int]]:
    """Yield (label, reference, line): an input may be one, a list, or a mapping of labels."""
    if isinstance(node.value, dict):
        for label, item in node.value.items():
            yield from ((label, ref, line) for ref, line in list_references(item))
    else:
        yield from ((None, ref, line) for ref, line in list_references(node))


def _find_branches(
    draft: Draft,
    spec: StepSpec,
    key: str,
    reference: str,
    line: int,
    branch: Branch,
    depends: Mapping[str, set[str]],
    instances: Mapping[tuple[str, Branch], Instance],
    kind: InputSpec,
    values: Mapping[str, Node],
) -> list[tuple[str | None, Ref]]:
    step, _, output = reference.partition(".")
    if step in draft.broken or "${" in reference:  # complained of already
        return []
    if step not in draft.steps:
        draft.complain(
            line, f"{spec.name}: {key}: Unknown input step '{step}'."
            f"{name_nearest(step, draft.steps)} Known: {list_names(draft.steps)}."
        )  # fmt: skip
        return []
    chosen = _choose_output(draft, spec, key, draft.steps[step], output, kind, line)
    if chosen is None:
        return []
    gathered = [v for v in draft.axes if v in depends[step] and v in spec.gather]
    here = dict(branch)
    found: list[tuple[str | None, Ref]] = []
    for name, other in [i for i in instances if i[0] == step]:
        there = dict(other)
        if any(there[v] != here.get(v, there[v]) for v in there if v not in gathered):
            continue
        left_out = [
            v for v in gathered
            if spec.gather[v] is not None
            and there[v] == substitute(spec.gather[v], values).value  # type: ignore[arg-type]
        ]  # fmt: skip
        if not left_out:
            label = ",".join(there[v] for v in gathered) if gathered else None
            found.append((label, Ref(name, other, chosen)))
    if not found and not kind.optional and any(name == step for name, _ in instances):
        draft.complain(
            line,
            f"{spec.name}: {key}: no branch of {step} is left to gather. "
            "Give 'each' more values, or leave fewer out with 'not:'.",
        )
    return found


def _choose_output(
    draft: Draft, spec: StepSpec, key: str, giver: StepSpec, output: str, kind: InputSpec, line: int
) -> str | None:
    outputs = read_outputs(giver.stage)
    if output and output not in outputs:
        draft.complain(
            line,
            f"{spec.name}: {key}: '{giver.name}' has no output '{output}'."
            f"{name_nearest(output, outputs)} It gives: {list_names(outputs)}.",
        )
        return None
    fitting = [n for n, o in outputs.items() if kind.accepts(o.artifact)]
    if output:
        if output in fitting:
            return output
        fitting, got = [], outputs[output].artifact.__name__
    else:
        # the output named like its kind comes first: 'decoded' means decoded.predictions
        if len(fitting) > 1 and next(iter(outputs)) in fitting:
            fitting = [next(iter(outputs))]
        got = ", ".join(dict.fromkeys(o.artifact.__name__ for o in outputs.values()))
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        draft.complain(
            line, f"{spec.name}: {key}: '{giver.name}' gives several outputs that would do: "
            f"{list_names(fitting)}. Name one: {key}: {giver.name}.{fitting[0]}, say."
        )  # fmt: skip
        return None
    draft.complain(
        line,
        f"{spec.name}: {key} takes {kind.words}, but '{giver.name}' "
        f"({giver.address}) gives {got}. Name a step that gives {kind.words}: "
        f"{_list_givers(draft, kind)}.",
    )
    return None


def _list_givers(draft: Draft, kind: InputSpec) -> str:
    """Return the steps that give what an input takes."""
    return list_names(
        [
            name
            for name, step in draft.steps.items()
            if any(kind.accepts(output.artifact) for output in read_outputs(step.stage).values())
        ]
    )


def _shape_input(
    draft: Draft, spec: StepSpec, key: str, kind: InputSpec, found: list[tuple[str | None, Ref]]
) -> Any:
    refs = [ref for _, ref in found]
    if kind.many == "dict":
        return {label or ref.step: ref for label, ref in found}
    if kind.many == "list":
        return refs
    if isinstance(spec.inputs[key].value, dict | list):
        draft.complain(
            spec.inputs[key].line,
            f"{spec.name}: {key} takes one {kind.words}, but is given a list. "
            f"Write {key}: step, without brackets.",
        )
    elif len(refs) > 1:
        draft.complain(
            spec.line,
            f"{spec.name}: {key} takes one {kind.words}, but is given {len(refs)} branches. "
            f"Leave 'gather' out, so that {spec.name} is repeated for each branch, or gather in a "
            f"stage that takes several {kind.words}.",
        )
    return refs[0] if refs else None


def _make_stage(draft: Draft, spec: StepSpec, values: Mapping[str, Node]) -> Stage | None:
    given = {key: substitute(node, values) for key, node in spec.settings.items()}
    plain = {key: to_plain(node) for key, node in given.items()}
    if "seed" in spec.stage.model_fields and "seed" not in plain:
        plain["seed"] = draft.seed
    try:
        return spec.stage.model_validate(plain)
    except ValidationError:
        pass
    # Text did for most fields; where it did not (Literal[1, 2], Any), read it by YAML's own rules.
    typed = {**plain, **{key: to_plain(node, typed=True) for key, node in given.items()}}
    best: ValidationError | None = None
    for trial in _mixtures(plain, typed):
        try:
            return spec.stage.model_validate(trial)
        except ValidationError as error:
            if best is None or error.error_count() < best.error_count():
                best = error
    told: set[Any] = set()
    for problem in best.errors() if best is not None else ():
        key = problem["loc"][0] if problem["loc"] else None
        name = _name_place([str(p) for p in problem["loc"]])
        if name in told:  # one member of a union after the other
            continue
        told.add(name)
        if key not in given or not find_variables(given[str(key)]):  # else complained of already
            _complain_setting(draft, spec, given, problem)
    return None


def _mixtures(plain: Mapping[str, Any], typed: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield dict(typed)
    for key in plain:
        yield {**plain, key: typed[key]}
    yield dict(plain)


def _name_place(place: Sequence[str]) -> str:
    """Return a setting's name; members of a union, which go by their type, are left out."""
    kinds = {"int", "float", "str", "bool", "none", "list", "tuple", "dict"}
    inner = [p for p in place[1:] if p.isdigit() or (p.isidentifier() and p not in kinds)]
    return ".".join([*place[:1], *inner])


def _complain_setting(
    draft: Draft, spec: StepSpec, given: Mapping[str, Node], problem: Any
) -> None:
    place = [str(p) for p in problem["loc"]]
    line = given[place[0]].line if place and place[0] in given else spec.line
    name = _name_place(place)
    what = problem["msg"].removeprefix("Value error, ").rstrip(".")
    if not place:  # a rule over several settings
        draft.complain(line, f"{spec.name}: {what}.")
        return
    if problem["type"] == "missing":
        text = (
            f"{spec.name}: setting '{name}' is missing. {spec.address} has no default for it. "
            f"Add {name}: to this step."
        )
    elif problem["type"] == "value_error":
        text = f"{spec.name}: {name}: {what}."
    elif problem["type"] == "extra_forbidden":
        text = f"{spec.name}: Unknown setting '{name}'. Remove it, or correct its name."
    else:  # pydantic's words begin alike: "Input should be a valid integer, unable to parse ..."
        what = what.removeprefix("Input should be ").split(", unable to ")[0]
        what = PLAIN_KINDS.get(what, what)
        text = f"{spec.name}: {name}: got {problem.get('input')!r}. Allowed: {what}."
    draft.complain(line, text)
