"""YAML as a tree that remembers its lines, and whose scalars wait for the type of their field.

Scalars stay text until a field says what they are (``01`` stays text for a subject, ``1e4`` is a
number for an alpha). Only plain data are read: no tags, no anchors that merge, one document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neurodecode.core.checks import list_names, name_nearest
from neurodecode.core.errors import PipelineError

MAX_DEPTH = 40
CORE_TAGS = ("str", "int", "float", "bool", "null", "map", "seq", "timestamp")
_OPEN, _CLOSE = "\ue000", "\ue001"  # stand for the braces of ${name} while YAML is read
_INT = re.compile(r"[-+]?[0-9]+$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")


@dataclass(eq=False)
class Node:
    """A value of the file and the line it stands on.

    ``value`` is a str (scalar), a list of nodes, or a dict of str to node. ``plain`` is False for
    quoted scalars, which are always text.
    """

    value: Any
    line: int = 0
    plain: bool = True
    key_lines: dict[str, int] = field(default_factory=dict)

    @property
    def is_null(self) -> bool:
        """Tell whether this is YAML's null."""
        return isinstance(self.value, str) and self.plain and self.value in ("", "~", "null")


def parse_yaml(text: str, name: str) -> Node:
    """Return the tree of a YAML text.

    Raises
    ------
    PipelineError
        Not YAML, a tag, a duplicate key, or nesting beyond reason; with file and line.
    """
    import ruamel.yaml
    from ruamel.yaml.error import YAMLError

    # YAML would take the braces of ${name} for a mapping where they stand inside {...} or [...].
    text = re.sub(r"\$\{(\w+)\}", rf"${_OPEN}\1{_CLOSE}", text)
    try:
        composed = ruamel.yaml.YAML(typ="safe", pure=True).compose(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else "?"
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise PipelineError(
            [
                f"{name}:{line}: not valid YAML: {problem}. Check the indentation, the brackets "
                "and the space after each colon."
            ]
        ) from error
    except (ValueError, RecursionError, AttributeError) as error:
        raise PipelineError(
            [f"{name}: not valid YAML: {error}. Check that it is a text file, saved as UTF-8."]
        ) from error
    if composed is None:
        raise PipelineError(
            [f"{name}: the file is empty. Write 'steps:' and below it the steps, indented."]
        )
    problems: list[str] = []
    node = _convert(composed, name, problems, 0)
    if problems:
        raise PipelineError(list(dict.fromkeys(problems)))
    return node


def _convert(composed: Any, name: str, problems: list[str], depth: int) -> Node:
    line = composed.start_mark.line + 1
    if depth > MAX_DEPTH:
        problems.append(
            f"{name}:{line}: nested deeper than {MAX_DEPTH} levels. Remove brackets or indentation."
        )
        return Node("", line)
    if composed.anchor is not None:
        problems.append(
            f"{name}:{line}: anchors and aliases (&{composed.anchor}) are not read. Write it out, "
            "or use params and ${name}."
        )
        return Node("", line)
    kind = type(composed).__name__
    tag = str(getattr(composed, "tag", "") or "")
    if tag and tag.removeprefix("tag:yaml.org,2002:") not in CORE_TAGS:
        problems.append(f"{name}:{line}: the tag {tag} is not read. Write plain values.")
        return Node("", line)
    if kind == "ScalarNode":
        return Node(_read_text(composed), line, plain=composed.style is None)
    if kind == "SequenceNode":
        items = [_convert(item, name, problems, depth + 1) for item in composed.value]
        return Node(items, line)
    found: dict[str, Node] = {}
    lines: dict[str, int] = {}
    for key_node, value_node in composed.value:
        key_line = key_node.start_mark.line + 1
        if type(key_node).__name__ != "ScalarNode":
            problems.append(f"{name}:{key_line}: a key must be a word. Write name: value.")
            continue
        key = _read_text(key_node)
        if key in found:
            problems.append(
                f"{name}:{key_line}: '{key}' is given twice (first in line {lines[key]}). "
                "Remove or rename one."
            )
            continue
        lines[key] = key_line
        found[key] = _convert(value_node, name, problems, depth + 1)
    return Node(found, line, key_lines=lines)


def _read_text(composed: Any) -> str:
    return str(composed.value).replace(_OPEN, "{").replace(_CLOSE, "}")


def to_plain(node: Node, typed: bool = False) -> Any:
    """Return a tree as lists, dicts, text and None.

    Parameters
    ----------
    typed : bool
        True reads plain scalars by the YAML 1.2 core schema; False leaves them text, for a field
        to say what they are.
    """
    if isinstance(node.value, dict):
        return {key: to_plain(item, typed) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [to_plain(item, typed) for item in node.value]
    if node.is_null:
        return None
    return resolve_scalar(node.value) if typed and node.plain else node.value


def resolve_scalar(text: str) -> Any:
    """Return what YAML 1.2's core schema makes of a plain scalar.

    Examples
    --------
    >>> [resolve_scalar(t) for t in ("1", "1e4", "true", "yes", "01x")]
    [1, 10000.0, True, 'yes', '01x']
    """
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if _INT.match(text) and len(text) < 19:
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def substitute(node: Node, values: Mapping[str, Node]) -> Node:
    """Return a tree with every ``${name}`` replaced; unknown names are left as they are."""
    if isinstance(node.value, dict):
        return Node(
            {key: substitute(item, values) for key, item in node.value.items()},
            node.line, key_lines=node.key_lines,
        )  # fmt: skip
    if isinstance(node.value, list):
        return Node([substitute(item, values) for item in node.value], node.line)
    whole = re.fullmatch(r"\$\{(\w+)\}", node.value)
    if whole and whole[1] in values:
        found = values[whole[1]]
        return Node(found.value, node.line, found.plain, found.key_lines)
    text = re.sub(
        r"\$\{(\w+)\}",
        lambda m: str(values[m[1]].value) if m[1] in values else m[0],
        node.value,
    )
    return Node(text, node.line, node.plain)


def find_variables(node: Node) -> dict[str, int]:
    """Return the names of all ``${name}`` in a tree, and the line of each."""
    if isinstance(node.value, dict):
        found: dict[str, int] = {}
        for item in node.value.values():
            found |= find_variables(item)
        return found
    if isinstance(node.value, list):
        found = {}
        for item in node.value:
            found |= find_variables(item)
        return found
    return dict.fromkeys(re.findall(r"\$\{(\w+)\}", node.value), node.line)


def apply_override(root: Node, text: str) -> None:
    """Change one value of a pipeline's tree.

    Parameters
    ----------
    root : Node
        Changed in place.
    text : str
        "step.setting=value", "param=value", "seed=3", "each.subject=[01, 02]". The value is YAML.

    Raises
    ------
    PipelineError
        There is no such step, parameter or key.
    """
    where, equals, value = text.partition("=")
    path = where.strip().split(".")
    if not equals or not all(path):
        raise PipelineError(
            [
                f"override '{text}' lacks a name or a value; write it as step.setting=value or "
                "param=value."
            ]
        )
    steps = root.value.get("steps", Node({}))
    params = root.value.get("params", Node({}))
    parsed = parse_yaml(value, f"override '{text}'") if value.strip() else Node("")
    targets = _mapping(steps)
    if path[0] in targets and len(path) > 1:
        holder, keys = targets[path[0]], path[1:]
    elif path[0] in _mapping(params) and len(path) == 1:
        holder, keys = params, path
    elif path[0] in ("seed", "title", "source", "description", "each", "params", "controls"):
        holder, keys = root, path
    else:
        known = [*targets, *_mapping(params), "seed", "each", "controls"]
        raise PipelineError(
            [f"override '{text}': nothing is called '{path[0]}'.{name_nearest(path[0], known)} "
             f"Known: {list_names(known)}."]
        )  # fmt: skip
    for key in keys[:-1]:
        if key not in _mapping(holder):
            raise PipelineError(
                [f"override '{text}': no '{key}' there. Known: {list_names(_mapping(holder))}."]
            )
        holder = holder.value[key]
    if not isinstance(holder.value, dict):
        raise PipelineError(
            [
                f"override '{text}': '{'.'.join(path[:-1])}' is a single value, with no names "
                "below it. Name a setting of a step: step.setting=value."
            ]
        )
    holder.value[keys[-1]] = parsed


def _mapping(node: Node) -> dict[str, Node]:
    return node.value if isinstance(node.value, dict) else {}
