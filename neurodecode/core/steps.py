"""The steps of a pipeline file, each against the contract of its stage."""

from __future__ import annotations

import re

from neurodecode.core.checks import list_names, name_known, name_nearest
from neurodecode.core.draft import Draft, StepSpec, list_references
from neurodecode.core.errors import UserError
from neurodecode.core.givers import word_givers
from neurodecode.core.graph import CONTEXT_INPUT
from neurodecode.core.lint import CODES
from neurodecode.core.stage import InputSpec, find_stage, read_inputs, read_outputs
from neurodecode.core.visible import show
from neurodecode.core.yaml_tree import Node, describe, to_plain

STEP_KEYS = ("stage", "gather", "allow_missing", "allow_transductive", "allow_leakage", "known")
_REFERENCE = re.compile(r"[\w@${}]+(\.[\w${}]+)?")


def read_step(draft: Draft, name: str, node: Node) -> None:
    """Note a step in a draft, with all that is wrong about it."""
    if not isinstance(node.value, dict) or "stage" not in node.value:
        draft.complain(
            node.line, f"{name}: needs a 'stage:'. Write {name}: {{stage: datasets.digits}}, say."
        )
        draft.broken.add(name)
        return
    keys = dict(node.value)
    address = keys.pop("stage").value
    spec = _find_stage(draft, name, address, node)
    if spec is None:
        draft.broken.add(name)
        return
    wanted = {k: kind for k, kind in read_inputs(spec.stage).items() if k != CONTEXT_INPUT}
    told: set[str] = set()  # inputs that are wrong rather than missing
    for key, value in keys.items():
        line = node.key_lines.get(key, value.line)
        if key == "gather":
            spec.gather = _read_gather(draft, name, value)
        elif key == "allow_missing":
            allowed = to_plain(value, typed=True)
            if not isinstance(allowed, bool):
                draft.complain(
                    line, f"{name}: allow_missing: got {describe(value)}. Write true or false."
                )
            spec.allow_missing = allowed is True
        elif key in ("allow_transductive", "allow_leakage"):
            reason = to_plain(value)
            if not isinstance(reason, str) or len(reason.split()) < 2:
                draft.complain(
                    line,
                    f"{name}: {key} needs the reason, in words, for the report to print. Write "
                    f'{key}: "why it is right here".',
                )
            setattr(spec, key, value)
        elif key == "known":
            spec.known = _read_known(draft, name, value)
        elif key in wanted:
            if _check_input(draft, name, key, wanted[key], value):
                spec.inputs[key] = value
            elif not value.is_null or not wanted[key].optional:
                told.add(key)
        elif key in spec.stage.model_fields:
            spec.settings[key] = value
        else:
            near = name_nearest(key, [*wanted, *spec.stage.model_fields, *STEP_KEYS])
            told |= {input_name for input_name in wanted if f"'{input_name}'" in near}
            settings = list_names(spec.stage.model_fields)
            known = f" Inputs: {list_names(wanted)}; settings: {settings}."
            draft.complain(
                line,
                f"{name}: Unknown key '{show(key)}' for {address}.{near or known} Correct or "
                "remove it.",
            )
    spec.missing = [
        key
        for key, kind in wanted.items()
        if not kind.optional and key not in spec.inputs and key not in told
    ]
    draft.steps[name] = spec


def check_missing(draft: Draft) -> None:
    """Note every input that the file does not give, with the steps that could."""
    for spec in draft.steps.values():
        for key in spec.missing:
            words = read_inputs(spec.stage)[key].words
            draft.complain(
                spec.line,
                f"{spec.name}: input '{key}' is missing: a step that gives {words}. "
                f"{word_givers(draft, spec, key)}",
            )


def _find_stage(draft: Draft, name: str, address: object, node: Node) -> StepSpec | None:
    line = node.value["stage"].line
    if not isinstance(address, str) or not address:
        draft.complain(
            line, f"{name}: stage: needs one address. Write folder.name, such as datasets.digits, "
            "or module:Class."
        )  # fmt: skip
        return None
    try:
        stage = find_stage(address, draft.folders)
    except UserError as error:
        draft.complain(line, f"{name}: {error}")
        return None
    try:
        read_inputs(stage)
        read_outputs(stage)
    except Exception as error:  # whatever the annotations of a stage of one's own may hold
        told = str(error)
        if not isinstance(error, TypeError):
            told = (
                f"its run cannot be read: {type(error).__name__}: {show(error)}. Import what it is "
                "annotated with."
            )
        draft.complain(line, f"{name}: stage '{address}': {told}")
        return None
    return StepSpec(name, node.line, address, stage, {}, {})


def _check_input(draft: Draft, name: str, key: str, kind: InputSpec, node: Node) -> bool:
    """Tell whether an input names steps; note what is wrong otherwise."""
    if node.is_null and kind.optional:
        return False
    references = list_references(node)
    if not references:
        draft.complain(
            node.line, f"{name}: {key}: lists no step. Name at least one that gives {kind.words}."
        )
    for reference, line in references:
        if not reference.strip():
            draft.complain(
                line, f"{name}: {key}: names no step. Write {key}: step, or step.output, of one "
                f"that gives {kind.words}."
            )  # fmt: skip
        elif not _REFERENCE.fullmatch(reference):
            draft.complain(
                line, f"{name}: {key}: '{show(reference)}' names no step. Write step, or "
                f"step.output. Known: {list_names(draft.steps)}."
            )  # fmt: skip
    return bool(references) and all(_REFERENCE.fullmatch(r) for r, _ in references)


def _read_gather(draft: Draft, name: str, node: Node) -> dict[str, Node | None]:
    found: dict[str, Node | None] = {}
    words = (
        f"{name}: gather: names no variable. Write gather: subject, a list of variables, or "
        "{subject: {not: ${held_out}}}."
    )
    if isinstance(node.value, dict):
        for variable, how in node.value.items():
            if (
                not isinstance(how.value, dict)
                or set(how.value) != {"not"}
                or not isinstance(how.value["not"].value, str)
            ):
                draft.complain(
                    how.line,
                    f"{name}: gather: '{show(variable)}' is given neither alone nor with 'not'. "
                    f"Write gather: {{{show(variable)}: {{not: ${{other}}}}}}.",
                )
                continue
            found[variable] = how.value["not"]
        return found
    for item in node.value if isinstance(node.value, list) else [node]:
        if not isinstance(item.value, str) or item.is_null:
            draft.complain(item.line, words)
        else:
            found[item.value] = None
    return found


def _read_known(draft: Draft, name: str, node: Node) -> dict[str, str]:
    """Return the findings of the lint that a step knows of, with their reasons."""
    if not isinstance(node.value, dict):
        draft.complain(
            node.line,
            f'{name}: known: got {describe(node)}. Write known: {{block_design: "the reason"}}.',
        )
        return {}
    found: dict[str, str] = {}
    for code, item in node.value.items():
        reason = to_plain(item)
        if code not in CODES:
            draft.complain(
                item.line,
                f"{name}: known: no finding is called '{show(code)}'."
                f"{name_known(code, CODES, most=20)}",
            )
        elif not isinstance(reason, str) or len(reason.split()) < 2:
            draft.complain(
                item.line,
                f"{name}: known: {code} needs the reason, in words. Write "
                f'{code}: "why it is right here".',
            )
        else:
            found[code] = reason
    return found
