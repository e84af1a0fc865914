"""A pipeline file read into steps, before branches are made; mistakes are collected."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from neurodecode.core.checks import list_names, name_nearest
from neurodecode.core.errors import UserError
from neurodecode.core.graph import CONTEXT_INPUT
from neurodecode.core.stage import Stage, find_stage, read_inputs, read_outputs
from neurodecode.core.yaml_tree import (
    Node,
    find_variables,
    resolve_scalar,
    substitute,
    to_plain,
)

ROOT_KEYS = ("title", "source", "description", "seed", "params", "each", "steps", "controls")
STEP_KEYS = ("stage", "gather", "allow_missing", "allow_transductive", "allow_leakage")


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
    broken: set[str] = field(default_factory=set)  # steps that could not be read

    def complain(self, line: int, text: str) -> None:
        """Note a mistake."""
        self.problems.append(f"{self.file}:{line}: {text}")


def read_draft(root: Node, path: Path, branches: Mapping[str, Sequence[str]]) -> Draft:
    """Return what a pipeline's tree says, with all its mistakes noted."""
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
            draft.complain(
                root.value["seed"].line,
                "seed: it is no whole number of 0 or more. Write seed: 0, say.",
            )
    params = _read_mapping(draft, root, "params")
    _read_each(draft, _read_mapping(draft, root, "each"), params, branches)
    steps = _read_mapping(draft, root, "steps")
    if not steps:
        draft.complain(1, "the file has no steps. Give at least one under 'steps:'.")
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
        draft.complain(
            node.line,
            f"{key}: these are no names with values. Write one 'name: value' per line, indented.",
        )
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
    if zipped is not None and isinstance(zipped.value, dict) and zipped.value:
        groups.append(dict(zipped.value))
    elif zipped is not None:
        draft.complain(
            zipped.line,
            "each: zip holds no lists to go through together. "
            "Write zip: {one: [a, b], other: [c, d]}.",
        )
    axes: list[list[dict[str, Node]]] = []
    for group in groups:
        columns: dict[str, list[Node]] = {}
        for name, raw in group.items():
            node = substitute(raw, params)
            if not isinstance(node.value, list) or not node.value:
                draft.complain(
                    node.line,
                    f"each: '{name}' needs a list of values. Write {name}: [one, other].",
                )
                continue
            if any(not isinstance(v.value, str) for v in node.value):
                draft.complain(
                    node.line,
                    f"each: '{name}' holds lists or mappings. Allowed: words and numbers, such as "
                    f"{name}: [one, other].",
                )
                continue
            columns[name] = node.value
            draft.axes[name] = list(dict.fromkeys(v.value for v in node.value))
            if len(draft.axes[name]) < len(node.value):
                draft.complain(node.line, f"each: '{name}' lists a value twice. Remove one.")
        if len({len(v) for v in columns.values()}) > 1:
            got = ", ".join(f"{k} {len(v)}" for k, v in columns.items())
            line = zipped.line if zipped is not None else 1
            draft.complain(
                line,
                f"each: zip needs lists of one length, got {got}. Give as many values in each.",
            )
            continue
        rows = [
            dict(zip(columns, values, strict=True))
            for values in zip(*columns.values(), strict=True)
        ]
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
        axes = [
            [row for row in rows if name not in row or row[name].value in wanted] for rows in axes
        ]
    draft.variables = [
        {name: node for part in parts for name, node in part.items()}
        for parts in itertools.product(*axes)
    ]


def _read_step(draft: Draft, name: str, node: Node) -> None:
    if not isinstance(node.value, dict) or "stage" not in node.value:
        draft.complain(
            node.line,
            f"{name}: needs a 'stage:'. Write {name}: {{stage: datasets.digits}}, "
            "say, or see neurodecode list stages.",
        )
        draft.broken.add(name)
        return
    keys = dict(node.value)
    try:
        address = str(to_plain(keys.pop("stage")))
        stage = find_stage(address, draft.folders)
        wanted = read_inputs(stage)
        read_outputs(stage)
    except (UserError, TypeError) as error:
        draft.complain(node.value["stage"].line, f"{name}: {error}")
        draft.broken.add(name)
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
            if not isinstance(reason, str) or len(reason.split()) < 2:
                draft.complain(
                    line,
                    f"{name}: {key} needs the reason, in words. "
                    f'Write {key}: "why this is right here".',
                )
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
                f"{name}: input '{key}' ({kind.words}) is missing. Name the step that "
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
            draft.complain(
                how.line,
                f"{name}: gather: '{variable}' is given neither alone nor with 'not'. "
                f"Write gather: {variable}, or gather: {{{variable}: {{not: ${{other}}}}}}.",
            )
            continue
        found[variable] = how.value["not"]
    return found


def list_references(node: Node) -> list[tuple[str, int]]:
    """Return the references ("step" or "step.output") in an input, with their lines."""
    if isinstance(node.value, list):
        return [pair for item in node.value for pair in list_references(item)]
    if isinstance(node.value, dict):
        return [pair for item in node.value.values() for pair in list_references(item)]
    return [(node.value, node.line)]
