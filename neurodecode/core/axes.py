"""The variables of ``each``: their values, which of them go together, and which are kept."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence

from neurodecode.core.checks import name_known
from neurodecode.core.draft import Draft
from neurodecode.core.visible import show
from neurodecode.core.yaml_tree import Node, Place, find_variables, substitute

MAX_BRANCHES = 10_000  # of one step
LONGEST_VALUE = 200
Row = dict[str, Node]


def read_each(
    draft: Draft, each: Mapping[str, Node], branches: Mapping[str, Sequence[str]]
) -> None:
    """Note the variables of ``each`` in a draft.

    Parameters
    ----------
    draft : Draft
    each : mapping of variable to its values; "zip" holds those that go together
    branches : mapping of variable to values
        Keeps only these.
    """
    groups = [{name: node} for name, node in each.items() if name != "zip"]
    zipped = each.get("zip")
    if zipped is not None and isinstance(zipped.value, dict) and zipped.value:
        groups.append(zipped.value)
    elif zipped is not None:
        draft.complain(
            zipped.line,
            "each: zip holds no lists to go through together. Write zip: "
            "{one: [a, b], other: [c, d]}.",
        )
    for group in groups:
        columns = {name: _read_values(draft, name, node) for name, node in group.items()}
        lengths = {name: len(values) for name, values in columns.items() if values}
        if len(set(lengths.values())) > 1:
            got = ", ".join(f"{show(k)} {n}" for k, n in itertools.islice(lengths.items(), 12))
            draft.complain(
                zipped.line if zipped is not None else 1,
                f"each: zip needs lists of one length, got {got}. Give each as many values.",
            )
        elif len(lengths) == len(columns):
            rows = [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ]
            draft.groups.append(rows)
            _check_once(draft, rows, next(iter(group.values())).line)
    _keep(draft, branches)


def _read_values(draft: Draft, name: str, raw: Node) -> list[Node]:
    node = substitute(raw, draft.params)
    if name in draft.params:
        draft.complain(raw.line, f"each: '{name}' is in params, too. Rename one of the two.")
    if name in draft.axes:
        draft.complain(raw.line, f"each: '{name}' stands both in zip and outside. Keep one.")
    if not isinstance(node.value, list) or not node.value:
        draft.complain(
            node.line, f"each: '{show(name)}' needs a list of values. Write {show(name)}: "
            '["01", "02"], say.'
        )  # fmt: skip
        draft.unread.add(name)
        return []
    if any(not isinstance(v.value, str) for v in node.value):
        draft.complain(
            node.line, f"each: the values of '{show(name)}' must be plain words or numbers, not "
            "lists or mappings. Write them in one list."
        )  # fmt: skip
        draft.unread.add(name)
        return []
    for unknown, line in find_variables(node).items():
        draft.complain(
            line,
            f"each: '{name}': ${{{unknown}}} is not in params. Name a parameter, or write it out.",
        )
    for value in node.value:
        if not value.value.strip() or len(value.value) > LONGEST_VALUE:
            draft.complain(
                node.line, f"each: '{name}' has the value '{show(value.value)}'. Allowed: 1 to "
                f"{LONGEST_VALUE} characters, since branches are named so. Choose another."
            )  # fmt: skip
        elif not value.value.isprintable():
            draft.complain(
                node.line, f"each: '{name}' has the value '{show(value.value)}'. Allowed: "
                "characters that can be seen, on one line. Choose another."
            )  # fmt: skip
    draft.axes[name] = list(dict.fromkeys(v.value for v in node.value))
    return node.value


def _check_once(draft: Draft, rows: Sequence[Row], line: Place) -> None:
    seen: set[tuple[str, ...]] = set()
    for row in rows:
        values = tuple(node.value for node in row.values())
        if values in seen:
            draft.complain(
                line,
                f"each: '{'+'.join(row)}' lists a value twice: '{show(', '.join(values))}'. Keep "
                "one.",
            )
            return
        seen.add(values)


def _keep(draft: Draft, branches: Mapping[str, Sequence[str]]) -> None:
    for name, wanted in branches.items():
        if name not in draft.axes:
            draft.complain(
                f"--branch {show(name)}={show(next(iter(wanted), ''))}",
                f"no variable '{show(name)}'.{name_known(name, draft.axes, 'Variables of each')}",
            )
            continue
        for value in wanted:
            if value not in draft.axes[name]:
                draft.complain(
                    f"--branch {show(name)}={show(value)}",
                    f"'{name}' has no value '{show(value)}'."
                    f"{name_known(value, draft.axes[name], 'Values')}",
                )
        for group in draft.groups:
            group[:] = [row for row in group if name not in row or row[name].value in wanted]
    if branches and not draft.problems and not all(draft.groups):
        words = " ".join(f"{k}={v}" for k, vs in branches.items() for v in vs)
        draft.complain(
            f"--branch {show(words)}",
            "no branch has all of these. Values in zip go together; name those of one row.",
        )


def list_rows(draft: Draft, name: str, own: Collection[str]) -> list[Row]:
    """Return every combination of the values of some variables, for a step.

    Too many are refused before any is made.
    """
    parts: list[list[Row]] = []
    covered: set[str] = set()
    for group in draft.groups:
        names = [v for v in group[0] if v in own] if group else []
        if names:
            distinct: dict[tuple[str, ...], Row] = {}
            for row in group:
                distinct.setdefault(tuple(row[v].value for v in names), {v: row[v] for v in names})
            parts.append(list(distinct.values()))
            covered |= set(names)
    if not set(own) <= covered:  # a variable that could not be read
        return []
    count = math.prod(len(part) for part in parts)
    if count > MAX_BRANCHES:
        product = " × ".join(f"{'+'.join(part[0])} {len(part)}" for part in parts)
        draft.complain(
            draft.steps[name].line,
            f"{name}: {product} makes {count} branches. Allowed: {MAX_BRANCHES}. Gather a variable "
            "earlier, zip those that go together, or give fewer values.",
        )
        return []
    return [
        {v: node for part in row for v, node in part.items()} for row in itertools.product(*parts)
    ]
