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

from neurodecode.core.branches import check_variables, expand, sort_steps
from neurodecode.core.controls import add_controls
from neurodecode.core.draft import read_draft
from neurodecode.core.errors import PipelineError
from neurodecode.core.graph import Graph
from neurodecode.core.yaml_tree import apply_override, parse_yaml


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
        raise PipelineError(
            [f"{path}: cannot be read ({error}). Check its permissions, and save it as UTF-8 text."]
        ) from error
    return build_graph(text, path, overrides, branches)


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
            [
                f"{path.name}:1: this is no pipeline, which has named parts. Write 'steps:' and "
                "below it the steps, indented."
            ]
        )
    for override in overrides:
        apply_override(root, override)
    draft = read_draft(root, path, branches or {})
    if "controls" in root.value:
        add_controls(draft, root.value["controls"])
    check_variables(draft)
    order = sort_steps(draft)
    graph = expand(draft, order)  # checks settings and wiring, whatever else was found
    if draft.problems:
        raise PipelineError(sorted(dict.fromkeys(draft.problems), key=_read_line))
    return graph


def _read_line(problem: str) -> int:
    found = re.search(r":(\d+): ", problem)
    return int(found[1]) if found else 0
