"""neurodecode schema: the JSON Schema of pipeline files, for editors."""

from __future__ import annotations

import json
from typing import Any


def command() -> None:
    """Print the JSON Schema of pipeline files."""
    from neurodecode.cli.console import say

    say(json.dumps(make_schema(), indent=1, ensure_ascii=False))


def make_schema() -> dict[str, Any]:
    """Return a JSON Schema (draft 2020-12) that knows every stage, its inputs and settings."""
    from neurodecode.core.axes import MAX_BRANCHES
    from neurodecode.core.controls import KINDS
    from neurodecode.core.draft import ROOT_KEYS
    from neurodecode.core.graph import CONTEXT_INPUT
    from neurodecode.core.stage import find_stage, list_stages, read_inputs
    from neurodecode.core.steps import STEP_KEYS

    text = {"type": "string"}
    reference = {"type": ["string", "array", "object"], "description": "step, or step.output"}
    variants: list[dict[str, Any]] = []
    definitions: dict[str, Any] = {}
    for address in list_stages():
        stage = find_stage(address)
        fields = stage.model_json_schema(ref_template="#/$defs/{model}")
        definitions |= fields.get("$defs", {})
        inputs = {n: s for n, s in read_inputs(stage).items() if n != CONTEXT_INPUT}
        properties = {
            **{key: {} for key in STEP_KEYS},
            **{
                # a setting may also be a ${variable}
                name: {"anyOf": [field, {"type": "string", "pattern": r"\$\{\w+\}"}]}
                for name, field in fields.get("properties", {}).items()
            },
            **{n: {**reference, "title": s.artifact.__name__} for n, s in inputs.items()},
            "stage": {"const": address, "description": (stage.__doc__ or "").split("\n")[0]},
        }
        variants.append(
            {
                "type": "object",
                "properties": properties,
                "required": ["stage", *(n for n, s in inputs.items() if not s.optional)],
                "additionalProperties": False,
            }
        )
    own = {"type": "object", "properties": {"stage": {"type": "string", "pattern": ":"}}}
    controls = {
        "type": "object",
        "properties": {
            "of": {"type": ["string", "array"]},
            "kinds": {"type": "array", "items": {"enum": list(KINDS)}},
            "n_shuffles": {"type": "integer", "minimum": 1, "maximum": MAX_BRANCHES},
            "block_rows": {"type": "integer"},
        },
        "required": ["of"],
        "additionalProperties": False,
    }
    properties = {
        **dict.fromkeys(ROOT_KEYS, text),
        "seed": {"type": "integer", "minimum": 0},
        "params": {"type": "object"},
        "each": {"type": "object"},
        "steps": {"type": "object", "additionalProperties": {"anyOf": [*variants, own]}},
        "controls": controls,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "neurodecode pipeline",
        "type": "object",
        "properties": properties,
        "required": ["steps"],
        "additionalProperties": False,
        "$defs": definitions,
    }
