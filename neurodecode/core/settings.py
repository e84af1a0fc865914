"""The settings of a step, read by the types of its stage's fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from neurodecode.core.checks import list_names, name_nearest
from neurodecode.core.draft import Draft, StepSpec
from neurodecode.core.stage import Execution, Stage
from neurodecode.core.visible import show
from neurodecode.core.yaml_tree import Node, describe, find_variables, substitute, to_plain


def make_stage(draft: Draft, spec: StepSpec, values: Mapping[str, Node]) -> Stage | None:
    """Return the stage of a step in one branch, or None with its mistakes noted.

    Parameters
    ----------
    values : mapping of variable to Node
        Of the branch.
    """
    given = {key: substitute(node, values) for key, node in spec.settings.items()}
    plain = {key: to_plain(node) for key, node in given.items()}
    if "seed" in spec.stage.model_fields and "seed" not in plain:
        plain["seed"] = draft.seed
    # Text does for most fields; where it does not (Literal[1, 2], Any), YAML's own rules may.
    typed = {**plain, **{key: to_plain(node, typed=True) for key, node in given.items()}}
    best: ValidationError | None = None
    for trial in (plain, *_mixtures(plain, typed)):
        try:
            return spec.stage.model_validate(trial)
        except ValidationError as error:
            if trial is not plain and (best is None or error.error_count() < best.error_count()):
                best = error
        except Exception as error:  # whatever a stage's own checks may raise
            draft.complain(
                spec.line,
                f"{spec.name}: {spec.address} cannot be made of these settings: "
                f"{type(error).__name__}: {show(error)}. Check their values.",
            )
            return None
    told: set[Any] = set()
    for problem in best.errors(include_url=False) if best is not None else ():
        key = problem["loc"][0] if problem["loc"] else None
        name = _name_place([str(p) for p in problem["loc"]])
        if name in told:  # one member of a union after the other
            continue
        told.add(name)
        if key not in given or not find_variables(given[str(key)]):  # else complained of already
            _complain(draft, spec, given, problem)
    return None


def _mixtures(plain: Mapping[str, Any], typed: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield dict(typed)
    for key in plain:
        yield {**plain, key: typed[key]}
    yield dict(plain)


def _name_place(place: Sequence[str]) -> str:
    """Return a setting's name; members of a union, which go by their type, are left out."""
    kinds = {"int", "float", "str", "bool", "none", "list", "tuple", "dict"}
    inner = [p for p in place[1:] if p.isdigit() or (p.isidentifier() and p not in kinds)]
    return ".".join([*place[:1], *inner])


def _complain(draft: Draft, spec: StepSpec, given: Mapping[str, Node], problem: Any) -> None:
    place = [str(p) for p in problem["loc"]]
    node, whole = _find_node(spec, given, place)
    line = node.line
    name = show(_name_place(place))
    what = problem["msg"].removeprefix("Value error, ").rstrip(".")
    if not place:  # a rule over several settings
        draft.complain(line, f"{spec.name}: {what}.")
    elif problem["type"] == "missing":
        draft.complain(
            line,
            f"{spec.name}: setting '{name}' is missing. {spec.address} has no default for it; "
            f"write {name}: value.",
        )
    else:
        got = describe(node) if whole else show(repr(problem.get("input")))
        allowed = _word_allowed(problem, what)
        if problem["type"] == "extra_forbidden" and place[0] == "execution":
            known = list(Execution.model_fields)
            allowed = f"Allowed: {list_names(known)}.{name_nearest(place[-1], known)}"
        mend = "" if allowed.endswith("?") else f" {_word_mend(spec, place[0])}"
        draft.complain(line, f"{spec.name}: {name}: got {got}. {allowed}{mend}")


def _find_node(
    spec: StepSpec, given: Mapping[str, Node], place: Sequence[str]
) -> tuple[Node, bool]:
    """Return the node of the file nearest to a place in the settings, and whether it is that."""
    node = Node(given, spec.line)
    for part in place:
        inside = node.value
        if isinstance(inside, Mapping) and part in inside:
            node = inside[part]
        elif isinstance(inside, list) and part.isdigit() and int(part) < len(inside):
            node = inside[int(part)]
        else:
            return node, False
    return node, bool(place)


def _word_mend(spec: StepSpec, name: str) -> str:
    field = spec.stage.model_fields.get(name)
    if field is None or field.is_required():
        return "Correct it."
    default = field.get_default()
    if default is None or not isinstance(default, bool | int | float | str):
        return "Correct it, or leave it out."
    shown = str(default).lower() if isinstance(default, bool) else show(default)
    return f"Leave it out for the default, {shown or 'empty'}."


def _word_allowed(problem: Any, what: str) -> str:
    """Return what a setting may be, in the words of someone who writes the file."""
    limits = problem.get("ctx", {})
    kind = problem["type"]
    words = {
        "int_parsing": "a whole number", "int_type": "a whole number",
        "int_from_float": "a whole number", "int_parsing_size": "a whole number of fewer digits",
        "float_parsing": "a number", "float_type": "a number", "finite_number": "a finite number",
        "bool_parsing": "true or false", "bool_type": "true or false", "string_type": "text",
        "tuple_type": "a list in brackets, [a, b]", "list_type": "a list in brackets, [a, b]",
        "dict_type": "a mapping, {name: value}", "model_type": "a mapping, {name: value}",
        "path_type": "the path of a file", "extra_forbidden": "the names that it knows",
        "string_pattern_mismatch": f"text that matches {limits.get('pattern')}",
        "too_short": f"{limits.get('min_length')} values or more",
        "too_long": f"{limits.get('max_length')} values at most",
        "greater_than": f"more than {limits.get('gt')}",
        "less_than": f"less than {limits.get('lt')}",
        "greater_than_equal": f"{limits.get('ge')} or more",
        "less_than_equal": f"{limits.get('le')} or less",
        "literal_error": str(limits.get("expected")),
    }.get(kind)  # fmt: skip
    if words is None:
        return f"{what}."
    if kind == "literal_error" and isinstance(problem.get("input"), str):
        nearest = name_nearest(problem["input"], re.findall(r"'([^']*)'", words))
        words += f".{nearest}" if nearest else ""
    return f"Allowed: {words}" + ("" if words.endswith("?") else ".")
