"""The settings of a step, read by the types of its stage's fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from neurodecode.core.draft import Draft, StepSpec
from neurodecode.core.stage import Stage
from neurodecode.core.visible import show
from neurodecode.core.yaml_tree import Node, find_variables, substitute, to_plain


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
    line = given[place[0]].line if place and place[0] in given else spec.line
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
        draft.complain(
            line, f"{spec.name}: {name}: got {show(repr(problem.get('input')))}. {what}."
        )
