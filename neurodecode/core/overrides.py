"""Changes given beside a pipeline file: "step.setting=value", "param=value", "seed=3"."""

from __future__ import annotations

from collections.abc import Sequence

from neurodecode.core.checks import list_names, name_known, name_nearest
from neurodecode.core.draft import ROOT_KEYS
from neurodecode.core.errors import PipelineError
from neurodecode.core.visible import show
from neurodecode.core.yaml_reader import parse_yaml
from neurodecode.core.yaml_tree import Node

ROOTS = tuple(key for key in ROOT_KEYS if key != "steps")


def apply_overrides(root: Node, texts: Sequence[str]) -> None:
    """Change values of a pipeline's tree, in place; what they hold is placed by their own text.

    Parameters
    ----------
    root : Node
    texts : sequence of str
        "step.setting=value", "param=value", "each.subject=[01, 02]". The value is YAML.

    Raises
    ------
    PipelineError
        There is no such step, parameter or key, or two change the same.
    """
    problems: list[str] = []
    given: dict[tuple[str, ...], str] = {}
    for text in texts:
        place = f"override '{show(text)}'"
        where, equals, value = text.partition("=")
        path = tuple(part.strip() for part in where.split("."))
        if not equals or not all(path):
            problems.append(
                f"{place}: it lacks a name or a value; write it as step.setting=value or "
                "param=value."
            )
        elif path in given:
            problems.append(
                f"{place}: '{show(where)}' is changed already, by '{show(given[path])}'. Give it "
                "once."
            )
        else:
            given[path] = text
            try:
                parsed = parse_yaml(value, place, place) if value.strip() else Node("", place)
                _put(root, path, parsed, place)
            except PipelineError as error:
                problems += error.problems
    if problems:
        raise PipelineError(problems)


def _put(root: Node, path: Sequence[str], value: Node, place: str) -> None:
    steps = _mapping(root.value.get("steps", Node({})))
    params = _mapping(root.value.get("params", Node({})))
    if path[0] in steps and len(path) > 1:
        holder, keys = steps[path[0]], path[1:]
    elif path[0] in params and len(path) == 1:
        holder, keys = root.value["params"], path
    elif path[0] in ROOTS:
        holder, keys = root, path
    elif path[0] in steps:
        raise PipelineError(
            [f"{place}: '{show(path[0])}' is a step. Name its setting, too: "
             f"{show(path[0])}.setting=value."]
        )  # fmt: skip
    else:
        known = [*steps, *params, *ROOTS]
        there = f" Steps: {list_names(steps)}; params: {list_names(params)}."
        raise PipelineError(
            [f"{place}: nothing is called '{show(path[0])}'."
             f"{name_nearest(path[0], known) or there} Correct it."]
        )  # fmt: skip
    for key in keys[:-1]:
        if key not in _mapping(holder):
            raise PipelineError(
                [f"{place}: no '{show(key)}' there."
                 f"{name_known(key, _mapping(holder))}"]
            )  # fmt: skip
        holder = holder.value[key]
    if not isinstance(holder.value, dict):
        raise PipelineError(
            [f"{place}: '{show('.'.join(path[:-1]))}' holds no keys. Change it as a whole: "
             f"{show('.'.join(path[:-1]))}=value."]
        )  # fmt: skip
    holder.value[keys[-1]] = value
    holder.key_lines[keys[-1]] = place


def _mapping(node: Node) -> dict[str, Node]:
    return node.value if isinstance(node.value, dict) else {}
