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
from collections.abc import Mapping, Sequence
from pathlib import Path

from neurodecode.core.branches import expand
from neurodecode.core.controls import add_controls
from neurodecode.core.errors import PipelineError
from neurodecode.core.graph import Graph
from neurodecode.core.order import check_inputs, check_variables, sort_steps
from neurodecode.core.overrides import apply_overrides
from neurodecode.core.root import check_used, find_used, read_root
from neurodecode.core.steps import check_missing
from neurodecode.core.visible import show
from neurodecode.core.yaml_reader import MAX_CHARACTERS, parse_yaml
from neurodecode.core.yaml_tree import substitute


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
    used = find_used(root)  # before a change takes the place of what used it
    apply_overrides(root, overrides)
    draft = read_root(root, path, branches or {})
    check_used(draft, root, used | find_used(root))
    check_variables(draft)
    check_missing(draft)
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


def _read_line(problem: str) -> int:
    found = re.match(r"[^:]*:(\d+): ", problem)  # "file:line: what is wrong"
    return int(found[1]) if found else 0
