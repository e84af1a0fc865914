"""The keys at the root of a pipeline file: title, seed, params, each, steps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from neurodecode.core.axes import read_each
from neurodecode.core.checks import name_known
from neurodecode.core.draft import ROOT_KEYS, Draft
from neurodecode.core.steps import read_step
from neurodecode.core.visible import show
from neurodecode.core.yaml_reader import MAX_CHARACTERS
from neurodecode.core.yaml_tree import (
    VARIABLE,
    Node,
    describe,
    find_variables,
    measure,
    resolve_scalar,
    substitute,
)

MAX_STEPS = 500
LONGEST_NAME = 60
_NAME = re.compile(rf"[A-Za-z][A-Za-z0-9_]{{0,{LONGEST_NAME - 1}}}")


def read_root(root: Node, path: Path, branches: Mapping[str, Sequence[str]]) -> Draft:
    """Return what a pipeline's tree says, with all its mistakes noted."""
    folders = (path.resolve().parent, Path.cwd())
    draft = Draft(path.stem, path.name, folders, title=path.stem)
    for key, node in root.value.items():
        if key not in ROOT_KEYS:
            line = root.key_lines.get(key, node.line)
            draft.complain(line, f"Unknown key '{show(key)}'.{name_known(key, ROOT_KEYS)}")
    for key in ("title", "source", "description"):
        node = root.value.get(key, Node(""))
        if not isinstance(node.value, str):
            draft.complain(node.line, f"{key}: must be text. Put it in quotes.")
        elif not node.is_null:
            setattr(draft, key, node.value)
    _read_seed(draft, root.value.get("seed"))
    draft.params = _read_mapping(draft, root, "params")
    _check_params(draft, root)
    read_each(draft, _read_mapping(draft, root, "each"), branches)
    _read_steps(draft, root)
    return draft


def find_used(root: Node) -> set[str]:
    """Return the names of all ${name} in what a file asks for."""
    parts = [
        root.value[key] for key in ("params", "each", "steps", "controls") if key in root.value
    ]
    return {name for part in parts for name in find_variables(part)}


def check_used(draft: Draft, root: Node, used: set[str]) -> None:
    """Note params, and variables of each, that nothing uses."""
    for name in (p for p in draft.params if p not in used):
        draft.complain(
            draft.params[name].line,
            f"params: '{name}' is never used. Remove it, or name it as ${{{name}}}.",
        )
    for name in (v for v in draft.axes if v not in used and not draft.problems):
        draft.complain(
            root.value["each"].line,
            f"each: '{name}' is never used. Remove it, or name it as ${{{name}}} in the steps "
            "that are to be repeated.",
        )


def _read_seed(draft: Draft, node: Node | None) -> None:
    if node is None:
        return
    seed = resolve_scalar(node.value) if isinstance(node.value, str) else None
    if isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0:
        draft.seed = seed
    else:
        draft.complain(
            node.line,
            f"seed: got {describe(node)}. Allowed: a whole number of 0 or more, of 18 digits or "
            "fewer.",
        )


def _read_mapping(draft: Draft, root: Node, key: str) -> dict[str, Node]:
    node = root.value.get(key)
    if node is None or node.is_null:
        return {}
    if not isinstance(node.value, dict):
        draft.complain(node.line, f"{key}: must be a mapping of names. Write name: value.")
        return {}
    found: dict[str, Node] = {}
    for name, value in node.value.items():
        inner = name == "zip" and key == "each" and isinstance(value.value, dict)
        for word, line in ((name, node.key_lines.get(name, value.line)),
                           *((n, value.line) for n in (value.value if inner else ()))):  # fmt: skip
            if not _NAME.fullmatch(word):
                seen = word.encode("ascii", "backslashreplace").decode()  # letters that look alike
                draft.complain(
                    line,
                    f"{key}: '{show(seen)}' is no name. Use letters of the English alphabet, "
                    f"digits and _, a letter first, {LONGEST_NAME} in all.",
                )
                draft.broken.add(word)
            elif word is name:
                found[name] = value
    return found


def _check_params(draft: Draft, root: Node) -> None:
    for name, node in draft.params.items():
        if name in ROOT_KEYS:
            draft.complain(
                node.line,
                f"params: '{name}' is a key of the pipeline itself. Name the parameter otherwise.",
            )
        for other, line in find_variables(node).items():
            draft.complain(
                line,
                f"params: '{name}' holds ${{{other}}}. Params hold plain values; write it out.",
            )
    filled = [root.value[key] for key in ("steps", "each", "controls") if key in root.value]
    for node in (scalar for part in filled for scalar in _list_scalars(part)):
        for name in VARIABLE.findall(node.value):
            given = draft.params.get(name)
            whole = VARIABLE.fullmatch(node.value)
            if given is not None and not isinstance(given.value, str) and not whole:
                draft.complain(
                    node.line,
                    f"'{show(node.value)}': ${{{name}}} is a list or mapping and cannot stand "
                    "inside text. Name it alone, or make it one word.",
                )


def _list_scalars(node: Node) -> Iterator[Node]:
    if isinstance(node.value, str):
        yield node
        return
    for item in node.value.values() if isinstance(node.value, dict) else node.value:
        yield from _list_scalars(item)


def _read_steps(draft: Draft, root: Node) -> None:
    steps = _read_mapping(draft, root, "steps")
    if not steps and not draft.broken:
        draft.complain(1, "no steps. Give at least one under 'steps:'.")
    if len(steps) > MAX_STEPS:
        draft.complain(
            root.value["steps"].line,
            f"steps: {len(steps)} steps. Allowed: {MAX_STEPS}. Use 'each:' for steps that repeat, "
            "or make several pipelines.",
        )
        draft.broken |= set(steps)
        return
    lengths = {name: measure(node) for name, node in draft.params.items()}
    names: dict[str, str] = {}
    for name, node in steps.items():
        twin = names.setdefault(name.lower(), name)
        if twin != name:
            draft.complain(
                node.line,
                f"{name}: differs from the step '{twin}' in case only, so that their reports and "
                "logs share a name on some disks. Rename one.",
            )
        if measure(node, lengths) > MAX_CHARACTERS:
            draft.complain(
                node.line,
                f"{name}: is longer than {MAX_CHARACTERS} characters once its params are filled "
                "in. Keep data in files that a dataset stage reads.",
            )
            draft.broken.add(name)
        else:
            read_step(draft, name, substitute(node, draft.params))
