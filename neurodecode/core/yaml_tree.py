"""A pipeline's values as a tree that remembers their lines, and waits for the type of each field.

Scalars stay text until a field says what they are (``01`` stays text for a subject, ``1e4`` is a
number for an alpha).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from neurodecode.core.visible import show

NULLS = ("", "~", "null", "Null", "NULL")
VARIABLE = re.compile(r"\$\{(\w+)\}")
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

Place = int | str  # a line of the file, or the words that name another place


@dataclass(eq=False)
class Node:
    """A value of the file and where it stands.

    ``value`` is a str (scalar), a list of nodes, or a dict of str to node. ``plain`` is False for
    quoted scalars, which are always text.
    """

    value: Any
    line: Place = 0
    plain: bool = True
    key_lines: dict[str, Place] = field(default_factory=dict)

    @property
    def is_null(self) -> bool:
        """Tell whether this is YAML's null."""
        return isinstance(self.value, str) and self.plain and self.value in NULLS


def name_place(name: str, place: Place) -> str:
    """Return a place for a message: "file:line", or the words that name it."""
    return f"{name}:{place}" if isinstance(place, int) else place


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


def describe(node: Node) -> str:
    """Return what a message says was found: a scalar as it was written, or what kind it is."""
    if isinstance(node.value, dict | list):
        kind = "mapping" if isinstance(node.value, dict) else "list"
        return f"a {kind}" if node.value else f"an empty {kind}"
    return "nothing" if node.value == "" and node.plain else f"'{show(node.value)}'"


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
    if text in NULLS:
        return None
    if _INT.fullmatch(text) and len(text) < 19:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def measure(node: Node, lengths: Mapping[str, int] | None = None) -> int:
    """Return the characters and values in a tree, as many as there would be once filled in.

    Parameters
    ----------
    lengths : mapping of variable to int
        The measure of what each stands for.
    """
    if isinstance(node.value, dict):
        return 1 + sum(len(k) + measure(n, lengths) for k, n in node.value.items())
    if isinstance(node.value, list):
        return 1 + sum(measure(n, lengths) for n in node.value)
    named = VARIABLE.findall(node.value) if lengths else ()
    return 1 + len(node.value) + sum((lengths or {}).get(name, 0) for name in named)


def substitute(node: Node, values: Mapping[str, Node]) -> Node:
    """Return a tree with every ``${name}`` replaced.

    Unknown names are left as they are, and so are lists and mappings inside text.
    """
    if isinstance(node.value, dict):
        return Node(
            {key: substitute(item, values) for key, item in node.value.items()},
            node.line, key_lines=node.key_lines,
        )  # fmt: skip
    if isinstance(node.value, list):
        return Node([substitute(item, values) for item in node.value], node.line)
    whole = VARIABLE.fullmatch(node.value)
    if whole and whole[1] in values:
        found = values[whole[1]]
        return Node(found.value, _place(node, [found]), found.plain, found.key_lines)
    text = VARIABLE.sub(
        lambda m: v.value if (v := values.get(m[1])) and isinstance(v.value, str) else m[0],
        node.value,
    )
    named = [values[name] for name in VARIABLE.findall(node.value) if name in values]
    return Node(text, _place(node, named), node.plain)


def _place(node: Node, filled: Sequence[Node]) -> Place:
    """Return where a filled value stands: where it is used, unless it came from beside the file."""
    return next((v.line for v in filled if isinstance(v.line, str)), node.line)


def find_variables(node: Node) -> dict[str, Place]:
    """Return the names of all ``${name}`` in a tree, and the line of each."""
    if isinstance(node.value, dict):
        found: dict[str, Place] = {}
        for item in node.value.values():
            found |= find_variables(item)
        return found
    if isinstance(node.value, list):
        found = {}
        for item in node.value:
            found |= find_variables(item)
        return found
    return dict.fromkeys(VARIABLE.findall(node.value), node.line)
