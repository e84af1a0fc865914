"""What every stage promises, tried out: the checks behind test_stage_contract.py.

``check_sight`` believes nothing that ``sees()`` says: it changes some rows of an input and looks
at which rows of the outputs follow.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from neurodecode.core.artifacts import (
    Artifact,
    Document,
    Features,
    Model,
    Predictions,
    Reconstructions,
    Responses,
    Scores,
    Split,
    Stimuli,
)
from neurodecode.core.digests import digest_array
from neurodecode.core.packing import digest_parts, pack
from neurodecode.core.stage import Stage, read_outputs
from neurodecode.core.tables import Table
from neurodecode.core.trace import get_row_table, iterate_inputs


class BrokenPromise(AssertionError):
    """A stage does not do what it declares."""


def digest(artifact: Artifact) -> str:
    arrays, meta = pack(artifact)
    return digest_parts({name: digest_array(array) for name, array in arrays.items()}, meta)


def run_stage(stage: Stage, inputs: Mapping[str, Any]) -> dict[str, Artifact]:
    """Run a stage and check what comes out against the annotations of ``run``."""
    made = stage.run(**inputs)
    wanted = read_outputs(type(stage))
    outputs = {next(iter(wanted)): made} if isinstance(made, Artifact) else dict(made)
    for name, spec in wanted.items():
        if name not in outputs and not spec.optional:
            raise BrokenPromise(f"{stage.stage}: run did not return '{name}'")
    for name, artifact in outputs.items():
        if name not in wanted or not isinstance(artifact, wanted[name].artifact):
            raise BrokenPromise(f"{stage.stage}: '{name}' is a {type(artifact).__name__}")
    return outputs


def check_documented(stage: type[Stage]) -> None:
    doc = stage.__doc__ or ""
    if len(doc.strip()) < 20:
        raise BrokenPromise(f"{stage.stage}: no docstring")
    for name in stage.model_fields:
        documented = re.search(rf"^\s*(\w+, )*{name}(, \w+)* : ", doc, re.MULTILINE)
        if name != "execution" and not documented:
            raise BrokenPromise(f"{stage.stage}: setting '{name}' is not in the docstring")


def check_repeatable(stage: Stage, inputs: Mapping[str, Any]) -> dict[str, Artifact]:
    """Run twice: the same bytes, and inputs as they were."""
    before = [digest(artifact) for _, artifact in iterate_inputs(inputs)]
    first = run_stage(stage, inputs)
    second = run_stage(stage, inputs)
    for name in first:
        if digest(first[name]) != digest(second[name]):
            raise BrokenPromise(f"{stage.stage}: '{name}' differs from run to run, with one seed")
    if [digest(artifact) for _, artifact in iterate_inputs(inputs)] != before:
        raise BrokenPromise(f"{stage.stage}: run changes its inputs in place")
    return first


def check_moves_rows(stage: Stage, inputs: Mapping[str, Any], made: dict[str, Artifact]) -> None:
    """Check that each row of responses goes to one row of the output, unchanged."""
    (name, given), (out, old) = next(iterate_inputs(inputs)), next(iter(made.items()))
    new = run_stage(stage, {**inputs, name: change_rows(given, np.array([0]))})[out]
    follow = np.any(np.asarray(old.data) != np.asarray(new.data), axis=-1)
    moved = {row.tobytes() for row in np.asarray(new.data)}
    if follow.sum() != 1 or len(moved) != len(given.data):
        raise BrokenPromise(f"{stage.stage}: rows of {name} are mixed, not moved")


def check_sight(
    stage: Stage, inputs: Mapping[str, Any], before: dict[str, Artifact] | None = None
) -> list[str]:
    """Change rows of each input, and raise BrokenPromise where more follows than is declared.

    Returns
    -------
    tried : list of str
        "input: sight" of every declaration that was tried out.
    """
    before = before or run_stage(stage, inputs)
    split = next((a for _, a in iterate_inputs(inputs) if isinstance(a, Split)), None)
    tried = []
    for name, sight in stage.sees().items():
        for given, put in _list_given(inputs, name):
            if isinstance(given, Split) or get_row_table(given) is None:
                continue
            change = partial(_run_changed, stage, given, put)
            if sight in ("row", "run"):
                _check_rows(stage, change, before, name, given, sight)
            elif sight == "training" and split is not None:
                for fold in (0, split.n_folds - 1):
                    _check_fold(stage, change, before, name, given, split, fold)
            else:
                continue
            tried.append(f"{name}: {sight}")
    return tried


Put = Callable[[Artifact], dict[str, Any]]
Change = Callable[[np.ndarray], dict[str, Artifact]]


def _list_given(inputs: Mapping[str, Any], name: str) -> list[tuple[Artifact, Put]]:
    """Return every artifact of an input, and how to put another in its place."""
    value = inputs.get(name)
    if isinstance(value, Artifact):
        return [(value, lambda new: {**inputs, name: new})]
    if isinstance(value, Mapping):
        return [(v, lambda new, k=k: {**inputs, name: {**value, k: new}}) for k, v in value.items()]
    return []


def _run_changed(stage: Stage, given: Artifact, put: Put, rows: np.ndarray) -> dict[str, Artifact]:
    return run_stage(stage, put(change_rows(given, rows)))


def change_rows(artifact: Any, rows: np.ndarray) -> Any:
    """Return an artifact with other data in some rows, its table as it was."""
    data = np.array(artifact.data)
    if data.dtype.kind == "U":
        data[rows] = [text[::-1] + "x" for text in data[rows]]
    elif data.dtype == np.uint8:
        data[rows] = 255 - data[rows]
    elif isinstance(artifact, Reconstructions):
        data[rows] = 1 - data[rows]
    else:
        # neither a shift, a scale nor a turn of signs alone: each may cancel in what follows
        noise = np.random.default_rng(7).uniform(0.2, 3.0, data[rows].shape)
        data[rows] = data[rows] * noise.astype(data.dtype) + noise[::-1].astype(data.dtype)
    return replace(artifact, data=data)


def _check_rows(
    stage: Stage,
    change: Change,
    before: dict[str, Artifact],
    name: str,
    given: Artifact,
    sight: str,
) -> None:
    table = get_row_table(given)
    for row in (0, len(table) // 2):
        changed = change(np.array([row]))
        for out, old in before.items():
            new = changed[out]
            own = get_row_table(old)
            if own is None:
                if isinstance(old, Model | Split) and digest(old) != digest(new):
                    raise BrokenPromise(
                        f"{stage.stage}: sees '{sight}' of {name}, but '{out}', which has no rows, "
                        f"follows row {row}"
                    )
                continue
            if isinstance(old, Scores):
                continue
            follow = _find_kin(own, table, row, sight)
            _compare(stage, old, new, ~follow, f"sees '{sight}' of {name}, row {row}: {out}")
            _compare_rest(stage, old, new, f"sees '{sight}' of {name}, row {row}: {out}")


def _check_fold(
    stage: Stage,
    change: Change,
    before: dict[str, Artifact],
    name: str,
    given: Artifact,
    split: Split,
    fold: int,
) -> None:
    table = get_row_table(given)
    tested = np.unique(split.samples["stimulus_id"][split.fold(fold).test])
    column = "stimulus_id" if "stimulus_id" in table else "id"
    if isinstance(given, Predictions) and "fold" in table:
        # Predictions of another fold are another model's affair.
        rows = np.flatnonzero(table["fold"] != fold)
        shown = np.zeros(0, tested.dtype)
    else:
        shown = tested[:1]
        rows = np.flatnonzero(np.isin(table[column], shown))
    if not len(rows):
        return
    changed = change(rows)
    place = f"sees the training rows of {name}, test rows of fold {fold} changed: "
    for out, old in before.items():
        new = changed[out]
        if isinstance(old, Model):
            _compare_model(stage, old, new, fold, place + out)
            continue
        own = get_row_table(old)
        if own is None or isinstance(old, Scores | Document):
            continue
        own_column = "stimulus_id" if "stimulus_id" in own else "id"
        follow = np.isin(own[own_column], shown)
        if "fold" in own:
            inside = own["fold"] == fold
            _compare(stage, old, new, inside & (~follow | _is_target(given, old)), place + out)
        elif isinstance(old, Responses) and old.foldwise is not None:
            rows_left = np.flatnonzero(~follow)
            same = np.array_equal(old.read(rows_left, fold=fold), new.read(rows_left, fold=fold))
            if not same:
                raise BrokenPromise(f"{stage.stage}: {place}{out} as fold {fold} reads it follows")
        elif isinstance(old, Responses):
            _compare(stage, old, new, ~follow, place + out)


def _is_target(given: Artifact, output: Artifact) -> bool:
    """Tell whether a row of the input is the truth that the output's row is to predict."""
    if isinstance(output, Predictions):
        wanted = Features if output.of == "features" else Responses
        return type(given) is wanted
    return isinstance(output, Reconstructions) and isinstance(given, Stimuli)


def _find_kin(own: Table, table: Table, row: int, sight: str) -> np.ndarray:
    """Return which rows of an output may follow a row of an input."""
    if sight == "run":
        columns = [c for c in ("subject", "session", "run") if c in table and c in own]
        return np.all([own[c] == table[c][row] for c in columns], axis=0)
    for mine, theirs in (("sample_id", "sample_id"), ("id", "id"), ("stimulus_id", "id")):
        if mine in own and theirs in table:
            kin = own[mine] == table[theirs][row]
            if "fold" in own and "fold" in table:
                kin &= own["fold"] == table["fold"][row]
            return kin
    raise BrokenPromise(f"rows of {list(own)} cannot be told to be those of {list(table)}")


def _compare(stage: Stage, old: Any, new: Any, rows: np.ndarray | bool, what: str) -> None:
    rows = np.flatnonzero(np.broadcast_to(rows, len(old.data)))
    first, second = np.asarray(old.data)[rows], np.asarray(new.data)[rows]
    same = first.shape == second.shape and first.tobytes() == second.tobytes()
    if not same:
        raise BrokenPromise(f"{stage.stage}: {what}: other rows follow, too")


def _compare_rest(stage: Stage, old: Artifact, new: Artifact, what: str) -> None:
    for name, first, second in _pair_arrays(old, new):
        if name != old.rows_field and digest_array(first) != digest_array(second):
            raise BrokenPromise(f"{stage.stage}: {what}: {name} follows")


def _compare_model(stage: Stage, old: Model, new: Model, fold: int, what: str) -> None:
    for mine, theirs in ((old.arrays, new.arrays), (old.curve, new.curve)):
        for name in mine:
            if not name.startswith(f"fold{fold}/"):
                continue
            if digest_array(np.asarray(mine[name])) != digest_array(np.asarray(theirs[name])):
                raise BrokenPromise(f"{stage.stage}: {what}: {name} follows")


def _pair_arrays(old: Artifact, new: Artifact) -> Iterator[tuple[str, Any, Any]]:
    first, second = pack(old)[0], pack(new)[0]
    for name in first:
        yield name, first[name], second[name]
