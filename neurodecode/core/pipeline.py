"""A pipeline file as a graph of steps; every mistake reported at once, with its line.

    title, source, description, seed
    params:    values that settings name as ${name}
    each:      variables whose steps are repeated for each value (a product; or zip: {...})
    steps:     name: {stage: ..., inputs by the names of run, settings, execution, gather,
               allow_missing, allow_transductive, allow_leakage}
    controls:  {of: step, kinds: [...], n_shuffles: 50}   (controls.py)
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from neurodecode.core.artifacts import Artifact, is_accepted
from neurodecode.core.checks import list_names, name_nearest
from neurodecode.core.errors import PipelineError, UserError
from neurodecode.core.stage import InputSpec, Stage, find_stage, read_inputs, read_outputs
from neurodecode.core.yaml_tree import (
    Node,
    apply_override,
    find_variables,
    parse_yaml,
    resolve_scalar,
    substitute,
    to_plain,
)

ROOT_KEYS = ("title", "source", "description", "seed", "params", "each", "steps", "controls")
STEP_KEYS = ("stage", "gather", "allow_missing", "allow_transductive", "allow_leakage")
CONTEXT_INPUT = "context"  # filled by the runner for stages that print what was run
Branch = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Ref:
    """An output of a step in one branch."""

    step: str
    branch: Branch
    output: str


@dataclass(frozen=True)
class Instance:
    """One step in one branch, ready to be run.

    Parameters
    ----------
    name : str
        Of the step.
    branch : tuple of (variable, value)
    address : str
        Of the stage, as the file names it.
    stage : Stage
    inputs : mapping of input name to Ref, list of Ref, or mapping of branch value to Ref
    allow_missing : bool
    allow_transductive, allow_leakage : str or None
        Reasons given in the file.
    line : int
    """

    name: str
    branch: Branch
    address: str
    stage: Stage
    inputs: Mapping[str, Ref | list[Ref] | dict[str, Ref]]
    allow_missing: bool = False
    allow_transductive: str | None = None
    allow_leakage: str | None = None
    line: int = 0

    @property
    def id(self) -> tuple[str, Branch]:
        """What names it within its graph."""
        return self.name, self.branch

    @property
    def label(self) -> str:
        """Name and branch, for people."""
        inside = ", ".join(f"{k}={v}" for k, v in self.branch)
        return f"{self.name}[{inside}]" if inside else self.name

    def refs(self) -> Iterator[Ref]:
        """Yield every input, whatever its form."""
        for value in self.inputs.values():
            if isinstance(value, Ref):
                yield value
            else:
                yield from value.values() if isinstance(value, dict) else value


@dataclass(frozen=True)
class Graph:
    """All instances of a pipeline, each after what it needs.

    Parameters
    ----------
    name : str
        Of the file, without its ending.
    title, source, description : str
    instances : mapping of (step, branch) to Instance
    seed : int
    folders : sequence of Path
        Where stages of one's own may lie.
    """

    name: str
    title: str
    source: str
    description: str
    instances: dict[tuple[str, Branch], Instance]
    seed: int
    folders: tuple[Path, ...] = ()

    def keep(self, wanted: set[tuple[str, Branch]]) -> Graph:
        """Return the graph of some instances."""
        kept = {k: v for k, v in self.instances.items() if k in wanted}
        return replace(self, instances=kept)

    def find_upstream(self, ids: Sequence[tuple[str, Branch]]) -> set[tuple[str, Branch]]:
        """Return these instances and all that they need."""
        found, waiting = set(), list(ids)
        while waiting:
            current = waiting.pop()
            if current not in found and current in self.instances:
                found.add(current)
                waiting += [(r.step, r.branch) for r in self.instances[current].refs()]
        return found


@dataclass
class StepSpec:
    """A step as the file gives it, before branches are made."""

    name: str
    line: int
    address: str
    stage: type[Stage]
    settings: dict[str, Node]
    inputs: dict[str, Node]
    gather: dict[str, Node | None] = field(default_factory=dict)
    allow_missing: bool = False
    allow_transductive: Node | None = None
    allow_leakage: Node | None = None

    def variables(self) -> dict[str, int]:
        """Return the ${names} of its settings, inputs and gather."""
        found: dict[str, int] = {}
        nodes = [*self.settings.values(), *self.inputs.values()]
        for node in (*nodes, *(g for g in self.gather.values() if g is not None)):
            found |= find_variables(node)
        return found


@dataclass
class Draft:
    """A pipeline file read, its steps not yet branched."""

    name: str
    file: str
    title: str
    source: str
    description: str
    seed: int
    variables: list[dict[str, Node]]  # every combination of the values of each
    axes: dict[str, list[str]]
    steps: dict[str, StepSpec]
    folders: tuple[Path, ...]
    problems: list[str] = field(default_factory=list)

    def complain(self, line: int, text: str) -> None:
        """Note a mistake."""
        self.problems.append(f"{self.file}:{line}: {text}")


def load_pipeline(
    path: Path,
    overrides: Sequence[str] = (),
    branches: Mapping[str, Sequence[str]] | None = None,
) -> Graph:
    """Read a pipeline file into a graph.

    Parameters
    ----------
    path : Path
    overrides : sequence of str
        As ``step.setting=value``.
    branches : mapping of variable to values, or None
        Keeps only these values of ``each``.

    Raises
    ------
    PipelineError
        All the mistakes there are.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError([f"{path}: cannot be read: {error}."]) from error
    return build_graph(text, path, overrides, branches)


def build_graph(
    text: str,
    path: Path,
    overrides: Sequence[str] = (),
    branches: Mapping[str, Sequence[str]] | None = None,
) -> Graph:
    """Turn the text of a pipeline file into a graph; see load_pipeline."""
    from neurodecode.core.controls import add_controls

    root = parse_yaml(text, path.name)
    if not isinstance(root.value, dict):
        raise PipelineError([f"{path.name}:1: a pipeline is a mapping. Give it 'steps:'."])
    for override in overrides:
        apply_override(root, override)
    draft = _read_root(root, path, branches or {})
    if "controls" in root.value and not draft.problems:
        add_controls(draft, root.value["controls"])
    _check_variables(draft)
    order = _sort_steps(draft)
    if draft.problems:
        raise PipelineError(draft.problems)
    graph = _expand(draft, order)
    if draft.problems:
        raise PipelineError(list(dict.fromkeys(draft.problems)))
    return graph


# ------------------------------------------------------------------------------ reading the file


def _read_root(root: Node, path: Path, branches: Mapping[str, Sequence[str]]) -> Draft:
    draft = Draft(
        name=path.stem, file=path.name, title=path.stem, source="", description="", seed=0,
        variables=[{}], axes={}, steps={}, folders=(path.resolve().parent, Path.cwd()),
    )  # fmt: skip
    for key, node in root.value.items():
        if key not in ROOT_KEYS:
            line = root.key_lines.get(key, node.line)
            nearest = name_nearest(key, ROOT_KEYS)
            draft.complain(line, f"Unknown key '{key}'.{nearest} Known: {list_names(ROOT_KEYS)}.")
    for key in ("title", "source", "description"):
        if key in root.value:
            setattr(draft, key, str(to_plain(root.value[key]) or ""))
    if "seed" in root.value:
        seed = resolve_scalar(root.value["seed"].value) if not isinstance(
            root.value["seed"].value, dict | list) else None  # fmt: skip
        if isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0:
            draft.seed = seed
        else:
            draft.complain(root.value["seed"].line, "seed: give a whole number of 0 or more.")
    params = _read_mapping(draft, root, "params")
    _read_each(draft, _read_mapping(draft, root, "each"), params, branches)
    steps = _read_mapping(draft, root, "steps")
    if not steps:
        draft.complain(1, "no steps. Give at least one under 'steps:'.")
    for name, node in steps.items():
        _read_step(draft, name, substitute(node, params))
    used = {n for spec in draft.steps.values() for n in spec.variables()}
    unused = [p for p in params if p not in used and f"${{{p}}}" not in _all_text(root)]
    for name in unused:
        draft.complain(params[name].line, f"params: '{name}' is never used. Remove it.")
    return draft


def _all_text(node: Node) -> str:
    if isinstance(node.value, dict):
        return " ".join(_all_text(v) for v in node.value.values())
    if isinstance(node.value, list):
        return " ".join(_all_text(v) for v in node.value)
    return str(node.value)


def _read_mapping(draft: Draft, root: Node, key: str) -> dict[str, Node]:
    node = root.value.get(key)
    if node is None or node.is_null:
        return {}
    if not isinstance(node.value, dict):
        draft.complain(node.line, f"{key}: must be a mapping of names.")
        return {}
    for name in node.value:
        if not re.fullmatch(r"[A-Za-z]\w*", name):
            line = node.key_lines.get(name, node.line)
            draft.complain(
                line, f"{key}: '{name}' is no name. Use letters, digits and _, a letter first."
            )
    return dict(node.value)


def _read_each(
    draft: Draft,
    each: dict[str, Node],
    params: Mapping[str, Node],
    branches: Mapping[str, Sequence[str]],
) -> None:
    zipped = each.pop("zip", None)
    groups: list[dict[str, Node]] = [{name: node} for name, node in each.items()]
    if zipped is not None:
        groups.append(dict(zipped.value) if isinstance(zipped.value, dict) else {})
    axes: list[list[dict[str, Node]]] = []
    for group in groups:
        columns: dict[str, list[Node]] = {}
        for name, raw in group.items():
            node = substitute(raw, params)
            if not isinstance(node.value, list) or not node.value:
                draft.complain(node.line, f"each: '{name}' needs a list of values.")
                continue
            if any(not isinstance(v.value, str) for v in node.value):
                draft.complain(node.line, f"each: the values of '{name}' must be plain words.")
                continue
            columns[name] = node.value
            draft.axes[name] = list(dict.fromkeys(v.value for v in node.value))
            if len(draft.axes[name]) < len(node.value):
                draft.complain(node.line, f"each: '{name}' lists a value twice.")
        if len({len(v) for v in columns.values()}) > 1:
            got = ", ".join(f"{k} {len(v)}" for k, v in columns.items())
            draft.complain(1, f"each: zip needs lists of one length, got {got}.")
            continue
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        axes.append(rows)
    for name, wanted in branches.items():
        if name not in draft.axes:
            draft.complain(
                1, f"--branch: no variable '{name}'.{name_nearest(name, draft.axes)} "
                f"Variables of each: {list_names(draft.axes)}."
            )  # fmt: skip
            continue
        for value in wanted:
            if value not in draft.axes[name]:
                draft.complain(
                    1, f"--branch: '{name}' has no value '{value}'. "
                    f"Values: {list_names(draft.axes[name])}."
                )  # fmt: skip
        axes = [[row for row in rows if name not in row or row[name].value in wanted] for rows in axes]
    draft.variables = [
        {name: node for part in parts for name, node in part.items()}
        for parts in itertools.product(*axes)
    ]


def _read_step(draft: Draft, name: str, node: Node) -> None:
    if not isinstance(node.value, dict) or "stage" not in node.value:
        draft.complain(node.line, f"{name}: needs a 'stage:', such as stage: datasets.digits.")
        return
    keys = dict(node.value)
    try:
        address = str(to_plain(keys.pop("stage")))
        stage = find_stage(address, draft.folders)
        wanted = read_inputs(stage)
        read_outputs(stage)
    except (UserError, TypeError) as error:
        draft.complain(node.value["stage"].line, f"{name}: {error}")
        return
    spec = StepSpec(name, node.line, address, stage, {}, {})
    for key, value in keys.items():
        line = node.key_lines.get(key, value.line)
        if key == "gather":
            spec.gather = _read_gather(draft, name, value)
        elif key == "allow_missing":
            spec.allow_missing = to_plain(value, typed=True) is True
        elif key in ("allow_transductive", "allow_leakage"):
            reason = to_plain(value)
            if not isinstance(reason, str) or len(reason.strip()) < 3:
                draft.complain(line, f"{name}: {key} needs the reason, in words.")
            setattr(spec, key, value)
        elif key in wanted and key != CONTEXT_INPUT:
            spec.inputs[key] = value
        elif key in stage.model_fields:
            spec.settings[key] = value
        else:
            known = [*(k for k in wanted if k != CONTEXT_INPUT), *stage.model_fields, *STEP_KEYS]
            draft.complain(
                line,
                f"{name}: Unknown key '{key}' for {address}.{name_nearest(key, known)} "
                f"Inputs: {list_names([k for k in wanted if k != CONTEXT_INPUT])}. "
                f"Settings: {list_names(list(stage.model_fields))}.",
            )
    for key, kind in wanted.items():
        if not kind.optional and key not in spec.inputs and key != CONTEXT_INPUT:
            draft.complain(
                node.line,
                f"{name}: input '{key}' ({kind.artifact.__name__}) is missing. Name the step that "
                f"gives it: {key}: step, or step.output.",
            )
    draft.steps[name] = spec


def _read_gather(draft: Draft, name: str, node: Node) -> dict[str, Node | None]:
    if isinstance(node.value, str):
        return {node.value: None}
    if isinstance(node.value, list):
        return {str(item.value): None for item in node.value}
    found: dict[str, Node | None] = {}
    for variable, how in node.value.items():
        if not isinstance(how.value, dict) or set(how.value) != {"not"}:
            draft.complain(how.line, f"{name}: gather: write {variable}: {{not: ${{other}}}}.")
            continue
        found[variable] = how.value["not"]
    return found


# ------------------------------------------------------------------------------ checks, branches


def _check_variables(draft: Draft) -> None:
    for spec in draft.steps.values():
        for name, line in spec.variables().items():
            if name not in draft.axes:
                draft.complain(
                    line,
                    f"{spec.name}: ${{{name}}} is neither in params nor in each."
                    f"{name_nearest(name, draft.axes)} Variables: {list_names(draft.axes)}.",
                )
        for name in spec.gather:
            if name not in draft.axes:
                draft.complain(
                    spec.line,
                    f"{spec.name}: gather: no variable '{name}'.{name_nearest(name, draft.axes)} "
                    f"Variables of each: {list_names(draft.axes)}.",
                )


def list_references(node: Node) -> list[tuple[str, int]]:
    """Return the references ("step" or "step.output") in an input, with their lines."""
    if isinstance(node.value, list):
        return [pair for item in node.value for pair in list_references(item)]
    if isinstance(node.value, dict):
        return [pair for item in node.value.values() for pair in list_references(item)]
    return [(node.value, node.line)]


def _sort_steps(draft: Draft) -> list[str]:
    """Return the steps, each after what it needs; note unknown inputs and circles."""
    needs: dict[str, set[str]] = {}
    for spec in draft.steps.values():
        needs[spec.name] = set()
        for key, node in spec.inputs.items():
            for reference, line in list_references(node):
                step = reference.split(".")[0]
                if step in draft.steps:
                    needs[spec.name].add(step)
                elif "${" not in reference:
                    draft.complain(
                        line,
                        f"{spec.name}: {key}: Unknown input step '{step}'."
                        f"{name_nearest(step, draft.steps)} Known: {list_names(draft.steps)}.",
                    )
    order: list[str] = []
    while needs:
        ready = [name for name, needed in needs.items() if needed <= set(order)]
        if not ready:
            circle = ", ".join(sorted(needs))
            draft.complain(
                draft.steps[min(needs)].line, f"steps need each other in a circle: {circle}."
            )
            break
        order += ready
        for name in ready:
            del needs[name]
    return order


def _expand(draft: Draft, order: Sequence[str]) -> Graph:
    """Make one instance of each step for every branch it depends on."""
    instances: dict[tuple[str, Branch], Instance] = {}
    depends: dict[str, set[str]] = {}
    for name in order:
        spec = draft.steps[name]
        own = set(spec.variables())
        for node in spec.inputs.values():
            for reference, _ in list_references(node):
                own |= depends.get(reference.split(".")[0], set()) - set(spec.gather)
        depends[name] = own
        combinations = {
            tuple((v, row[v].value) for v in draft.axes if v in own): row
            for row in draft.variables
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
        spec.name, branch, spec.address, stage, inputs, spec.allow_missing, line=spec.line, **reasons
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
    return found


def _choose_output(
    draft: Draft, spec: StepSpec, key: str, giver: StepSpec, output: str, kind: InputSpec, line: int
) -> str | None:
    outputs = read_outputs(giver.stage)
    if output and output not in outputs:
        draft.complain(
            line,
            f"{spec.name}: {key}: {giver.name} has no output '{output}'."
            f"{name_nearest(output, outputs)} It gives: {list_names(outputs)}.",
        )
        return None
    fitting = [n for n, o in outputs.items() if is_accepted(kind.artifact, o.artifact)]
    if output:
        if output in fitting:
            return output
        fitting, got = [], outputs[output].artifact.__name__
    else:
        # the output named like its kind comes first: 'decoded' means decoded.predictions
        if len(fitting) > 1 and next(iter(outputs)) in fitting:
            fitting = [next(iter(outputs))]
        got = ", ".join(o.artifact.__name__ for o in outputs.values())
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        draft.complain(
            line, f"{spec.name}: {key}: {giver.name} gives several that would do: "
            f"{list_names(fitting)}. Write {giver.name}.{fitting[0]}, say."
        )  # fmt: skip
        return None
    draft.complain(
        line,
        f"{spec.name}: {key} takes {kind.artifact.__name__}, but {giver.name} "
        f"({giver.address}) gives {got}. Name a step that gives {kind.artifact.__name__}.",
    )
    return None


def _shape_input(
    draft: Draft, spec: StepSpec, key: str, kind: InputSpec, found: list[tuple[str | None, Ref]]
) -> Any:
    refs = [ref for _, ref in found]
    if kind.many == "dict":
        return {label or ref.step: ref for label, ref in found}
    if kind.many == "list":
        return refs
    if len(refs) > 1:
        draft.complain(
            spec.line,
            f"{spec.name}: {key} takes one {kind.artifact.__name__}, but is given {len(refs)} "
            f"branches. {spec.address} cannot gather this input.",
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
    if best is not None:
        for problem in best.errors():
            _complain_setting(draft, spec, given, problem)
    return None


def _mixtures(plain: Mapping[str, Any], typed: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield dict(typed)
    for key in plain:
        yield {**plain, key: typed[key]}
    yield dict(plain)


def _complain_setting(
    draft: Draft, spec: StepSpec, given: Mapping[str, Node], problem: Any
) -> None:
    place = [str(p) for p in problem["loc"]] or ["?"]
    line = given[place[0]].line if place[0] in given else spec.line
    name = ".".join(place)
    what = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        text = f"{spec.name}: setting '{name}' is missing. {spec.address} has no default for it."
    else:
        got = problem.get("input")
        text = f"{spec.name}: {name}: got {got!r}. {what}."
    draft.complain(line, text)


def check_artifact(value: Any, kind: InputSpec, where: str) -> None:
    """Raise TypeError if an artifact is not of the kind that an input takes."""
    given = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    for item in given:
        if not isinstance(item, Artifact) or not is_accepted(kind.artifact, type(item)):
            raise TypeError(f"{where}: takes {kind.artifact.__name__}, got {type(item).__name__}.")
