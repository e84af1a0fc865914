"""A pipeline file as a graph of steps; every mistake reported at once, with its line.

title, source, description, seed
params:    values that settings name as ${name}
each:      variables whose steps are repeated for each value (a product; or zip: {...})
steps:     name: {stage: ..., inputs by the names of run, settings, execution, gather,
           allow_missing, allow_transductive, allow_leakage}
controls:  {of: step, kinds: [...], n_shuffles: 50}   (controls.py)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from neurodecode.core.axes import read_each
from neurodecode.core.branches import check_inputs, check_variables, expand, sort_steps
from neurodecode.core.checks import list_names, name_nearest
from neurodecode.core.controls import add_controls
from neurodecode.core.draft import ROOT_KEYS, Draft
from neurodecode.core.errors import PipelineError
from neurodecode.core.graph import Graph
from neurodecode.core.overrides import apply_overrides
from neurodecode.core.steps import read_step
from neurodecode.core.visible import show
from neurodecode.core.yaml_tree import (
    MAX_CHARACTERS,
    VARIABLE,
    Node,
    describe,
    find_variables,
    measure,
    parse_yaml,
    resolve_scalar,
    substitute,
)

MAX_STEPS = 500
LONGEST_NAME = 60
_NAME = re.compile(rf"[A-Za-z][A-Za-z0-9_]{{0,{LONGEST_NAME - 1}}}")


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
    return build_graph(_read_text(path), path, overrides, branches)


def _read_text(path: Path) -> str:
    if not path.name.isprintable():
        raise PipelineError(
            [f"{show(path.name)}: the file's name holds characters that cannot be shown, and "
             "reports are named after it. Rename it."]
        )  # fmt: skip
    if path.exists() and not path.is_file():
        raise PipelineError([f"{path}: cannot be read: it is no file. Name a pipeline file."])
    try:
        # no character takes more than four bytes; the rest of a longer file is not looked at
        with path.open("rb") as stream:
            held = stream.read(4 * MAX_CHARACTERS + 1)
    except OSError as error:
        words = error.strerror or str(error)
        raise PipelineError(
            [f"{path}: cannot be read: {words}. Check the path, and that you may read it."]
        ) from error
    try:
        if len(held) <= 4 * MAX_CHARACTERS:
            return held.decode("utf-8")
    except UnicodeDecodeError as error:
        line = held.count(b"\n", 0, error.start) + 1
        raise PipelineError(
            [f"{path.name}:{line}: cannot be read: the byte 0x{held[error.start]:02x} is no text "
             "in UTF-8. Save the file as plain text in UTF-8, or name another."]
        ) from error  # fmt: skip
    raise PipelineError(
        [f"{path.name}: cannot be read: it is larger than a pipeline. Allowed: {MAX_CHARACTERS} "
         "characters. Was a data file meant as a setting of a dataset stage?"]
    )  # fmt: skip


def build_graph(
    text: str,
    path: Path,
    overrides: Sequence[str] = (),
    branches: Mapping[str, Sequence[str]] | None = None,
) -> Graph:
    """Turn the text of a pipeline file into a graph; see load_pipeline."""
    root = parse_yaml(text, path.name)
    if not isinstance(root.value, dict):
        raise PipelineError(
            [f"{path.name}:1: a pipeline is a mapping of keys. Give it 'steps:', as neurodecode "
             "new pipeline NAME writes it."]
        )  # fmt: skip
    used = _find_used(root)  # before a change takes the place of what used it
    apply_overrides(root, overrides)
    draft = _read_draft(root, path, branches or {})
    _check_used(draft, root, used | _find_used(root))
    check_variables(draft)
    draft.awaits_controls = "controls" in root.value
    check_inputs(draft)
    if draft.awaits_controls:
        add_controls(draft, substitute(root.value["controls"], draft.params))
        check_inputs(draft)
    order = sort_steps(draft)
    graph = expand(draft, order)  # checks settings and wiring, whatever else was found
    if draft.problems:
        raise PipelineError(sorted(draft.problems, key=_read_line))
    return graph


def _read_draft(root: Node, path: Path, branches: Mapping[str, Sequence[str]]) -> Draft:
    """Return what a pipeline's tree says, with all its mistakes noted."""
    folders = (path.resolve().parent, Path.cwd())
    draft = Draft(path.stem, path.name, folders, title=path.stem)
    for key, node in root.value.items():
        if key not in ROOT_KEYS:
            line = root.key_lines.get(key, node.line)
            nearest = name_nearest(key, ROOT_KEYS)
            draft.complain(
                line, f"Unknown key '{show(key)}'.{nearest} Known: {list_names(ROOT_KEYS)}."
            )
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


def _find_used(root: Node) -> set[str]:
    parts = [
        root.value[key] for key in ("params", "each", "steps", "controls") if key in root.value
    ]
    return {name for part in parts for name in find_variables(part)}


def _check_used(draft: Draft, root: Node, used: set[str]) -> None:
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


def _read_line(problem: str) -> int:
    found = re.match(r"[^:]*:(\d+): ", problem)  # "file:line: what is wrong"
    return int(found[1]) if found else 0
